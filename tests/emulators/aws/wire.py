"""The wire between clients and services: counts calls, plays faults, and gives DynamoDB the lock that moto lacks.

Without the lock moto loses updates and lets two transactions win (threads read, then write). Other services need
none, and must not have it: Step Functions comes back through Lambda.
"""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from tests.emulators.aws.faults import CallFault, Faults, Killed
from tests.emulators.aws.patches import Patches
from tests.emulators.aws.refusals import REQUEST_ID, Refusal, refusal
from tests.emulators.dynamodb import LOCK, make_transactions_quick

NAMES = {"eventbridge": "events", "sfn": "stepfunctions", "cloudwatch-logs": "logs"}  # by boto3's names, as people say


class Wire:
    """Every call of every client in this process passes here."""

    def __init__(self, faults: Faults) -> None:
        self.lock = LOCK
        self.calls: Counter[tuple[str, str]] = Counter()
        self._faults = faults
        self._functions = threading.local()

    def install(self, patches: Patches) -> None:
        """Stand before moto's own interception of botocore."""
        wire = self
        make_transactions_quick()

        def intercept(stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **more: Any) -> Any:
            if not stubber.enabled or ".amazonaws.com" not in urlsplit(request.url).netloc:  # the server's own door
                return send(stubber, event_name, request, **more)
            _, service, operation = event_name.split(".")
            return wire.exchange(
                NAMES.get(service, service), operation, request, lambda: send(stubber, event_name, request, **more)
            )

        send = patches.replace(BotocoreStubber, "__call__", intercept)

    def exchange(
        self, service: str, operation: str, request: AWSPreparedRequest, send: Callable[[], AWSResponse | None]
    ) -> AWSResponse | None:
        """Make one call, or let it go wrong as told."""
        fault = self.count(service, operation)
        if fault is not None and not fault.after:
            return self._spoil(fault, request)
        with self.locked(service):
            answer = send()
        if answer is not None and "x-amzn-requestid" not in answer.headers:
            answer.headers.update(REQUEST_ID)  # moto forgets it in some errors; Step Functions reads it
        return answer if fault is None else self._spoil(fault, request)

    def count(self, service: str, operation: str) -> CallFault | None:
        """Count a call; return what is to go wrong with it."""
        with self.lock:
            self.calls[service, operation] += 1
        return self._faults.take_call(service, operation, self.in_function)

    def locked(self, service: str) -> AbstractContextManager[object]:
        """Return the lock under which a service is called."""
        return self.lock if service == "dynamodb" else nullcontext()

    @property
    def in_function(self) -> bool:
        """Whether this thread runs the handler of a function."""
        return getattr(self._functions, "depth", 0) > 0

    def enter_function(self, by: int) -> None:
        """A handler begins (1) or ends (-1) in this thread."""
        self._functions.depth = getattr(self._functions, "depth", 0) + by

    def _spoil(self, fault: CallFault, request: AWSPreparedRequest) -> AWSResponse:
        if fault.kind == "kill":
            raise Killed(f"killed at {fault.service} {fault.operation}")
        if fault.kind == "lose":
            raise ConnectionClosedError(endpoint_url=request.url)
        return self._answer(request, refused(fault, request.headers))

    @staticmethod
    def _answer(request: AWSPreparedRequest, answer: Refusal) -> AWSResponse:
        return AWSResponse(request.url, answer.status, answer.headers, MockRawResponse(answer.body))


def refused(fault: CallFault, headers: Any) -> Refusal:
    """Return the error that a fault asks for."""
    return refusal(fault.service, headers, fault.code, fault.status, fault.message)
