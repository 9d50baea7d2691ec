"""Lambda without containers: Python callables as functions, with the runtime's contexts, errors and retries."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws.agenda import Agenda
from tests.emulators.aws.faults import Faults, FunctionFailed, Killed
from tests.emulators.aws.place import arn
from tests.emulators.aws.wire import Wire

Handler = Callable[[Any, "Context"], Any]
RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=2))  # of asynchronous invocations that failed
SYNCHRONOUS_LIMIT = 6 * 1024 * 1024
LATEST = "$LATEST"


@dataclass(frozen=True)
class Context:
    """What the runtime tells a handler about its invocation."""

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    log_group_name: str
    log_stream_name: str
    deadline: datetime
    clock: SimulatedClock

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run, in simulated time."""
        return max(0, round((self.deadline - self.clock.now()).total_seconds() * 1000))


@dataclass(frozen=True)
class Invocation:
    """One run of a function: what it was given, and what came of it."""

    function: str
    request_id: str
    event: Any
    reply: Any
    error: Mapping[str, Any] | None
    asynchronous: bool
    attempt: int
    at: datetime


@dataclass
class Function:
    """A function of the account."""

    name: str
    handler: Handler
    timeout: float
    memory: int
    retries: int
    on_failure: str | None
    dead_letter: str | None
    invocations: list[Invocation] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Return its unqualified ARN."""
        return arn("lambda", f"function:{self.name}")


Undelivered = Callable[[Function, Invocation], None]
Hang = Callable[[float], None]


class Functions:
    """All functions by name. Asynchronous invocations wait in the agenda."""

    def __init__(self, clock: SimulatedClock, agenda: Agenda, faults: Faults, wire: Wire) -> None:
        self.by_name: dict[str, Function] = {}
        self._clock = clock
        self._agenda = agenda
        self._faults = faults
        self._wire = wire
        self._serial = itertools.count(1)

    def run(self, name: str, payload: str, *, qualifier: str = "", hang: Hang | None = None) -> Invocation:
        """Invoke a function and wait for what it answers."""
        return self._run(self.by_name[name], payload, self._request_id(), qualifier, hang)

    def post(self, name: str, payload: str, undelivered: Undelivered) -> None:
        """Invoke a function some time soon; failures are tried again, and then reported."""
        self._post(self.by_name[name], payload, self._request_id(), 1, timedelta(0), undelivered)

    def _post(
        self,
        function: Function,
        payload: str,
        request_id: str,
        attempt: int,
        after: timedelta,
        undelivered: Undelivered,
    ) -> None:
        def task() -> None:
            invocation = self._run(function, payload, request_id, attempt=attempt)
            if invocation.error is None:
                return
            if attempt <= function.retries:
                pause = RETRY_AFTER[min(attempt, len(RETRY_AFTER)) - 1]
                self._post(function, payload, request_id, attempt + 1, pause, undelivered)
            else:
                undelivered(function, invocation)

        self._agenda.add(self._clock.now() + after, task)

    def _run(
        self,
        function: Function,
        payload: str,
        request_id: str,
        qualifier: str = "",
        hang: Hang | None = None,
        attempt: int = 0,
    ) -> Invocation:
        begun = self._clock.now()
        fault = self._faults.take_function(function.name)
        reply, error = None, None
        if fault == "kill":
            error = _exited(request_id)
        else:
            reply, error = self._handle(function, payload, self._context(function, request_id, qualifier))
        if fault == "lose_answer":
            reply, error = None, _exited(request_id)
        if fault == "hang":
            reply, error = None, _timed_out(request_id, function.timeout)
            if hang is not None:
                hang(function.timeout)
        event = json.loads(payload)
        invocation = Invocation(function.name, request_id, event, reply, error, attempt > 0, max(attempt, 1), begun)
        function.invocations.append(invocation)
        return invocation

    def _handle(self, function: Function, payload: str, context: Context) -> tuple[Any, dict[str, Any] | None]:
        """Run the handler as the runtime does: events and replies are JSON, whatever it raises is an error."""
        self._wire.enter_function(1)
        try:
            reply = function.handler(json.loads(payload), context)
        except Killed:
            return None, _exited(context.aws_request_id)
        except FunctionFailed as failure:
            return None, dict(failure.payload)
        except Exception as failure:  # noqa: BLE001 - the edge: the runtime reports every exception
            return None, {"errorMessage": str(failure), "errorType": type(failure).__name__, "stackTrace": []}
        finally:
            self._wire.enter_function(-1)
        try:
            text = json.dumps(reply)
        except (TypeError, ValueError) as problem:
            message = f"Unable to marshal response: {problem}"
            return None, {"errorMessage": message, "errorType": "Runtime.MarshalError", "stackTrace": []}
        if len(text.encode()) > SYNCHRONOUS_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({SYNCHRONOUS_LIMIT} bytes)."
            return None, {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
        return json.loads(text), None

    def _context(self, function: Function, request_id: str, qualifier: str) -> Context:
        return Context(
            aws_request_id=request_id,
            function_name=function.name,
            function_version=LATEST,
            invoked_function_arn=f"{function.arn}:{qualifier}" if qualifier else function.arn,
            memory_limit_in_mb=function.memory,
            log_group_name=f"/aws/lambda/{function.name}",
            log_stream_name=f"{self._clock.now():%Y/%m/%d}/[{LATEST}]0",
            deadline=self._clock.now() + timedelta(seconds=function.timeout),
            clock=self._clock,
        )

    def _request_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._serial):012d}"


def _exited(request_id: str) -> dict[str, Any]:
    """Return what Lambda says of a process that died."""
    message = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}


def _timed_out(request_id: str, seconds: float) -> dict[str, Any]:
    """Return what Lambda says of a function that used up its time."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return {"errorType": "Sandbox.Timedout", "errorMessage": message}
