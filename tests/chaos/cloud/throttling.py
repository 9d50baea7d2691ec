"""A DynamoDB that is not always there: in front of the account, it refuses calls, loses them, or loses their answers.

Trouble comes alone or in bursts that outlast every retry. A transaction that is sent again under its token is done
once, as the service promises; what is asked while no function works is answered, since then it is the test that asks.
"""

from __future__ import annotations

import io
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws import Aws
from tests.emulators.aws.server import Application, called

TRANSACTION = "TransactWriteItems"
CANCELLED = "TransactionCanceledException"
REFUSALS = {  # code: status
    "ProvisionedThroughputExceededException": 400,
    "ThrottlingException": 400,
    "RequestLimitExceeded": 400,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
OF_TRANSACTIONS = ("ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict", "in progress")
LOST = ("request lost", "answer lost")
BURSTS = (1, 1, 1, 1, 1, 2, 3, 5, 10, 40)  # calls one after the other
Start = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class Throttled:
    """DynamoDB as the functions of one account reach it. Of their calls a `share` begins a burst of trouble."""

    aws: Aws
    random: random.Random
    share: float
    done: Counter[str] = field(default_factory=Counter)  # what went wrong, by its name
    _working: int = 0
    _left: int = 0  # of the present burst
    _tokens: dict[str, bytes] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def install(self, *functions: str) -> None:
        """Be in front of the account for these functions."""
        for name in functions:
            function = self.aws._functions.by_name[name]
            function.handler = self._counted(function.handler)
        server = self.aws._server
        assert server is not None
        server._server.app = self._spoiled(server._server.app)

    def _counted(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def invoke(event: Any, context: Any) -> Any:
            with self._guard:
                self._working += 1
            try:
                return handler(event, context)
            finally:
                with self._guard:
                    self._working -= 1

        return invoke

    def _spoiled(self, application: Application) -> Application:
        def serve(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
            service, operation = called(environ)
            if service != "dynamodb":
                return application(environ, start)
            sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(sent)
            way = self._choose(operation)
            if way == "request lost":
                return _hang_up(environ)
            if way and way != "answer lost":
                return _refuse(way, sent, start)
            token = json.loads(sent).get("ClientRequestToken", "")
            answer = self._answer(application, environ, start, token, sent)
            return _hang_up(environ) if way else answer

        return serve

    def _answer(
        self, application: Application, environ: dict[str, Any], start: Start, token: str, sent: bytes
    ) -> Iterable[bytes]:
        """Do a call, unless it is a transaction that is done already."""
        if token and self._tokens.get(token) == sent:
            start("200 OK", [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", "2")])
            return [b"{}"]
        seen: list[str] = []

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            seen.append(status)
            return start(status, headers)

        answer = list(application(environ, started))
        if token and seen and seen[0].startswith("200"):
            self._tokens[token] = sent
        return answer

    def _choose(self, operation: str) -> str:
        """Return what goes wrong with a call, empty when nothing does."""
        with self._guard:
            if not self._working:
                return ""
            if not self._left and self.random.random() < self.share:
                self._left = self.random.choice(BURSTS)
            if not self._left:
                return ""
            self._left -= 1
            way: str = self.random.choice((*REFUSALS, *LOST, *(OF_TRANSACTIONS if operation == TRANSACTION else ())))
            self.done[way] += 1
            return way


def _refuse(way: str, sent: bytes, start: Start) -> Iterable[bytes]:
    """Answer as the service does when it has done nothing."""
    body: dict[str, Any] = {"message": "injected"}
    if way in OF_TRANSACTIONS[:-1]:
        others = len(json.loads(sent)["TransactItems"]) - 1
        code, status = CANCELLED, 400
        body["CancellationReasons"] = [{"Code": "None"}] * others + [{"Code": way, "Message": "injected"}]
    elif way in OF_TRANSACTIONS:
        code, status = "TransactionInProgressException", 400
    else:
        code, status = way, REFUSALS[way]
    body["__type"] = f"com.amazonaws.dynamodb.v20120810#{code}"
    content = json.dumps(body).encode()
    start(f"{status} Refused", [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(content)))])
    return [content]


def _hang_up(environ: dict[str, Any]) -> Iterable[bytes]:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return []
