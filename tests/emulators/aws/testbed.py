"""The test bed: one in-process AWS with what moto lacks, simulated time, and faults; nothing of it stays behind."""

import io
import json
import os
import threading
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from unittest import mock

from moto import mock_aws
from moto.core import models
from moto.core.models import botocore_stubber
from moto.iam.models import iam_backends

from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws import clients, events, loading, remembering
from tests.emulators.aws.agenda import Agenda
from tests.emulators.aws.bus import Bus
from tests.emulators.aws.dead_letters import DeadLetters
from tests.emulators.aws.faults import Faults
from tests.emulators.aws.front_door import FrontDoor, HttpReply
from tests.emulators.aws.functions import Function, Functions, Handler, Invocation
from tests.emulators.aws.invoking import Invoking
from tests.emulators.aws.machines import Execution, Machines
from tests.emulators.aws.patches import Patches
from tests.emulators.aws.pipeline import FUNCTIONS, Deployment, Pipeline
from tests.emulators.aws.place import ACCOUNT, REGION, arn
from tests.emulators.aws.pump import Pump
from tests.emulators.aws.queues import Message, Queue, Queues
from tests.emulators.aws.server import Server
from tests.emulators.aws.timers import Timers
from tests.emulators.aws.wire import Wire

MOTO = {"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}}
ENVIRONMENT = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "RUNBOOK_AWS_CLIENT": "boto3",  # moto stands in for botocore's connections; what calls `serve` has its own
}
TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")  # reading all that a machine trusts takes a while, and nobody connects
CLIENTS = threading.Lock()  # making a client is not safe in several threads
ROLE = "runbook-engine"


class Aws:
    """An AWS account of one test."""

    def __init__(self, clock: SimulatedClock | None = None) -> None:
        self.clock = clock or SimulatedClock()
        self.faults = Faults()
        self._wire = Wire(self.faults)
        self._agenda = Agenda()
        self._timers = Timers(self.clock)
        self._machines = Machines(self._timers, self.client)
        self._functions = Functions(self.clock, self._agenda, self.faults, self._wire)
        self._dead_letters = DeadLetters(self.client)
        self._invoking = Invoking(self._functions, self._dead_letters.send, self._machines.hang)
        self._queues = Queues(self.client, self.invoke)
        self._front_door = FrontDoor(self.invoke)
        self._pump = Pump(self.clock, self._agenda, self._timers, self._machines)
        self.bus = Bus(self.clock, self._agenda, self.client)
        self._patches = Patches()
        self._server: Server | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if botocore_stubber.enabled:
            raise RuntimeError("moto is active in this process already: one Aws at a time, and no mock_aws around it")
        with self._open as opening:
            opening.enter_context(mock.patch.dict("os.environ", ENVIRONMENT))
            for name in TRUST:
                os.environ.pop(name, None)
            opening.enter_context(mock.patch.object(models, "RESPONSES_METHODS", []))  # nobody calls AWS by requests
            opening.enter_context(mock_aws(config=MOTO))
            opening.callback(self._patches.undo)
            for part in (loading, remembering, self._wire, self._invoking, self.bus, self._machines):
                part.install(self._patches)
            opening.callback(self._machines.stop)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def client(self, service: str) -> Any:
        """Return the client of a service, by boto3's name; it never tries twice."""
        with CLIENTS:
            return clients.client(service)

    @property
    def lock(self) -> threading.RLock:
        """The lock that every call of DynamoDB takes."""
        return self._wire.lock

    def calls(self, service: str, operation: str) -> int:
        """Return how often an operation was called, refused calls and retries included."""
        return self._wire.calls[service, operation]

    def function(
        self,
        name: str,
        handler: Handler,
        *,
        timeout: float = 30.0,
        memory: int = 512,
        retries: int = 2,
        on_failure: str | None = None,
        dead_letter: str | None = None,
    ) -> Function:
        """Deploy a callable as a function, or anew; the ARNs say where asynchronous failures end."""
        known = name in self._functions.by_name
        function = Function(name, handler, timeout, memory, retries, on_failure, dead_letter)
        self._functions.by_name[name] = function
        if not known:
            self._create_function(function)
        return function

    def invoke(self, name: str, event: Any) -> Invocation:
        """Invoke a function and wait; an error is in the invocation."""
        return self._functions.run(name, json.dumps(event))

    def schedule(self, name: str, *, every: timedelta, event: Mapping[str, Any] | None = None) -> None:
        """Invoke a function regularly, as a scheduled rule does."""

        def post() -> None:
            given = event or events.event("aws.events", "Scheduled Event", {}, time=self.clock.now())
            self._functions.post(name, json.dumps(given), self._dead_letters.send)

        self._agenda.every(self.clock.now(), every, post)

    def route(self, key: str, name: str) -> None:
        """Lead a route of the HTTP API to a function."""
        self._front_door.route(key, name)

    def http(
        self,
        method: str,
        path: str,
        *,
        headers: events.Pairs = (),
        body: events.Body = b"",
        query: events.Pairs = (),
        source_ip: str = events.SOURCE_IP,
    ) -> HttpReply:
        """Make a request to the HTTP API."""
        return self._front_door.request(
            method, path, headers, body, query=query, source_ip=source_ip, at=self.clock.now()
        )

    def queue(self, name: str, *, dead_letter: Queue | None = None, receives: int = 3) -> Queue:
        """Make a queue; a name that ends in .fifo makes it FIFO."""
        return self._queues.create(name, dead_letter, receives)

    def messages(self, queue: Queue | str) -> list[Message]:
        """Take everything off a queue."""
        return self._queues.take(queue)

    def drain_queue(
        self, queue: Queue | str, function: str, *, batch: int = 10, report_failures: bool = True, attempts: int = 1
    ) -> tuple[Invocation, ...]:
        """Give what is in a queue to a function, as its event source mapping does."""
        return self._queues.drain(queue, function, batch, report_failures, attempts)

    def executions(self, status: str | None = None) -> tuple[Execution, ...]:
        """Return the executions of all state machines, oldest first."""
        return self._machines.executions(status)

    def settle(self, timeout: float = 90.0) -> None:
        """Do all that is due now; the clock stands still."""
        self._pump.settle(timeout)

    def wait_idle(self, timeout: float = 90.0, within: timedelta = timedelta(hours=24)) -> None:
        """Let time pass until nothing waits any more but people."""
        self._pump.wait_idle(timeout, within)

    def advance(self, by: timedelta, timeout: float = 90.0) -> None:
        """Let exactly so much time pass; task tokens time out too."""
        self._pump.advance(by, timeout)

    def serve(self) -> str:
        """Serve this AWS over HTTP too; return its address."""
        if self._server is None:
            self._server = Server(self._wire)
            self._open.callback(self._server.close)
        return self._server.url

    def deploy(
        self,
        definition: str,
        handlers: Mapping[str, Handler],
        *,
        name: str = "runbook-engine",
        timeouts: Mapping[str, float] | None = None,
    ) -> Pipeline:
        """Deploy the whole pipeline with these handlers (ingest, drive, approve, sweep) and this driver."""
        limits = timeouts or {}
        functions = {
            role: self.function(f"{name}-{FUNCTIONS[role]}", handler, timeout=limits.get(role, 30.0))
            for role, handler in handlers.items()
        }
        return Deployment(self, name).create(definition, functions)

    def audit(self, pipeline: Pipeline) -> list[dict[str, Any]]:
        """Return the events of the audit log, in the order they happened."""
        found = self.client("logs").filter_log_events(logGroupName=pipeline.audit_group, limit=10_000)["events"]
        return [json.loads(each["message"]) for each in found]

    def _create_function(self, function: Function) -> None:
        """Make the function known to the service, so that it can be described, published and braked."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("app.py", "")
        self.client("lambda").create_function(
            FunctionName=function.name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=self._role(),
            Code={"ZipFile": archive.getvalue()},
            Timeout=max(1, round(function.timeout)),
            MemorySize=function.memory,
        )

    def _role(self) -> str:
        """Return a role that functions may have; by the back door, as a client of IAM is slow to make."""
        roles = iam_backends[ACCOUNT]["aws"]
        if not any(role.name == ROLE for role in roles.roles.values()):
            roles.create_role(
                role_name=ROLE,
                assume_role_policy_document="{}",
                path="/",
                permissions_boundary=None,
                description="",
                tags=[],
                max_session_duration="3600",
            )
        return arn("iam", f"role/{ROLE}").replace(REGION, "")
