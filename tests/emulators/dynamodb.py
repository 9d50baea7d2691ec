"""DynamoDB for tests: moto's, one request at a time, because its own threads lose updates and let two writers win.

`locked_client` answers inside this process, without a socket; `DynamoServer` serves HTTP to other processes. What
DynamoDB itself would refuse is refused (`dynamodb_rules`). A `stingy` client gets its answers in small parts.
What it does not show: reads that are late (its indexes are always up to date), conflicts of transactions, throttling,
the ten minutes of a request token, expiry. Tests bring those in by hand: `Faults`, `LateIndexes`, `Tokens`.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import moto.dynamodb.models as moto_models
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.dynamodb.models.table import Table as MotoTable
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler, make_server

from runbook_adapters.dynamodb.schema import TABLE, TIME_TO_LIVE
from tests.emulators.dynamodb_client import REGION, plain_client
from tests.emulators.dynamodb_rules import fault_in

LOCK = threading.RLock()
FEW = 2  # items that a stingy client gets of a query
NAMES = (f"journal-{number}" for number in itertools.count(1))


class _QuickCopies:
    """Stands for `copy` in moto, which copies a whole table before each transaction, to put it back if one fails.

    A copy shares the items with the table, save those that the transaction updates: all others are replaced whole.
    """

    def __init__(self) -> None:
        self.updated: set[str] = set()  # partitions of which the present transaction updates items in place

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)

    def deepcopy(self, value: Any, memo: Any = None) -> Any:
        """Copy a table as deep as a transaction changes it; anything else as ever."""
        if not isinstance(value, MotoTable):
            return copy.deepcopy(value, memo)
        snapshot = copy.copy(value)
        snapshot.items = copy.copy(value.items)
        for name, below in value.items.items():
            snapshot.items[name] = copy.deepcopy(below) if name.value in self.updated else dict(below)
        return snapshot


def make_transactions_quick() -> None:
    """Let moto copy no more of a table than a transaction may change."""
    if isinstance(moto_models.copy, _QuickCopies):
        return
    copies, original = _QuickCopies(), moto_models.DynamoDBBackend.transact_write_items
    moto_models.copy = copies

    def transact(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        updates = [item["Update"] for item in transact_items if "Update" in item]
        copies.updated = {str(value) for update in updates for key in update["Key"].values() for value in key.values()}
        original(backend, transact_items)

    moto_models.DynamoDBBackend.transact_write_items = transact


class DynamoServer(ThreadedMotoServer):
    """DynamoDB over HTTP on a free port of this machine, one request at a time."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0, verbose=False)

    def __enter__(self) -> DynamoServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self.get_host_and_port()
        return f"http://{host}:{port}"

    def _server_entry(self) -> None:
        application = DomainDispatcherApplication(create_backend_app)

        def locked(environ: dict[str, Any], start_response: Any) -> Any:
            if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
                return application(environ, start_response)
            refused = _refused_over_http(environ)
            if refused is not None:
                start_response("400 Bad Request", [("Content-Length", str(len(refused)))])
                return [refused]
            with LOCK:
                return list(application(environ, start_response))

        self._server = make_server(self._ip_address, self._port, locked, threaded=True, request_handler=QuietHandler)
        self._server_ready_event.set()
        self._server.serve_forever()


def _refused_over_http(environ: dict[str, Any]) -> bytes | None:
    sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(sent)
    says = fault_in(environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2], json.loads(sent))
    return refusal("ValidationException", says=says).content if says else None


class QuietHandler(WSGIRequestHandler):
    """A handler that keeps connections open and writes no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # as it is called
        """Say nothing."""


@dataclass(slots=True)
class Faults:
    """What goes wrong with the next requests: `before` may raise or answer instead, `after` may lose an answer."""

    asked: Counter[str] = field(default_factory=Counter)
    before: Callable[[str, Any], Any] = lambda operation, request: None
    after: Callable[[str, Any], None] = lambda operation, request: None


@dataclass(slots=True)
class Tokens:
    """The tokens of transactions that were done: sent again within ten minutes, one is done already."""

    done: dict[str, bytes] = field(default_factory=dict)

    def answer(self, request: Any, ask: Callable[..., AWSResponse]) -> AWSResponse:
        """Do a transaction, unless it is done."""
        token = json.loads(request.body)["ClientRequestToken"]
        if token in self.done:
            same = self.done[token] == request.body
            return AWSResponse("", 200, {}, MockRawResponse(b"{}")) if same else refusal("IdempotentParameterMismatch")
        answered = ask(request=request)
        if answered.status_code == 200:
            self.done[token] = request.body
        return answered


class LateIndexes:
    """Stands for `Faults.before`: what is asked of an index is answered as it was when this was made."""

    def __init__(self, table: str) -> None:
        self._name = table
        self._tables = get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables
        self._then = copy.deepcopy(self._tables[table])
        self._ask = BotocoreStubber()
        self._ask.enabled = True

    def __call__(self, operation: str, request: Any) -> AWSResponse | None:
        """Answer a query of an index; the table itself is read as it is."""
        if operation != "Query" or "IndexName" not in json.loads(request.body):
            return None
        now, self._tables[self._name] = self._tables[self._name], self._then
        try:
            return self._ask(operation, request)
        finally:
            self._tables[self._name] = now


def locked_client(faults: Faults | None = None, *, stingy: bool = False, tokens: Tokens | None = None) -> Any:
    """Return a client whose requests moto answers in this process, one at a time; `stingy`: in small parts."""
    client = plain_client()
    stubber, found = BotocoreStubber(), faults or Faults()
    stubber.enabled = True

    def answer(event_name: str, request: Any, **rest: Any) -> Any:
        operation = event_name.rsplit(".", 1)[1]
        found.asked[operation] += 1
        with LOCK:
            instead = found.before(operation, request)
            answered = instead or _refused(operation, request)
            if answered is None:
                ask = partial(stubber, event_name, **rest)
                if stingy:
                    answered = _in_part(operation, request, ask)
                elif tokens is not None and operation == "TransactWriteItems":
                    answered = tokens.answer(request, ask)
                else:
                    answered = ask(request=request)
        found.after(operation, request)
        return answered

    client.meta.events.register("before-send.dynamodb", answer)
    return client


def _refused(operation: str, request: Any) -> AWSResponse | None:
    says = fault_in(operation, json.loads(request.body))
    return refusal("ValidationException", says=says) if says else None


def _in_part(operation: str, request: Any, ask: Callable[..., AWSResponse]) -> AWSResponse:
    """Answer a query with two items at most, and of several keys with the first half."""
    body = json.loads(request.body)
    if operation == "Query":
        _send(request, {**body, "Limit": min(body.get("Limit", FEW), FEW)})
        return ask(request=request)
    if operation != "BatchGetItem":
        return ask(request=request)
    ((table, asked),) = body["RequestItems"].items()
    half = (len(asked["Keys"]) + 1) // 2
    _send(request, {"RequestItems": {table: {**asked, "Keys": asked["Keys"][:half]}}})
    answered, rest = json.loads(ask(request=request).content), asked["Keys"][half:]
    left = {"UnprocessedKeys": {table: {**asked, "Keys": rest}}} if rest else {}
    return AWSResponse("", 200, {}, MockRawResponse(json.dumps({**answered, **left}).encode()))


def _send(request: Any, body: dict[str, Any]) -> None:
    request.body = json.dumps(body).encode()
    request.headers["Content-Length"] = str(len(request.body))


def new_table(client: Any) -> str:
    """Create an empty table as Terraform does, and return its name."""
    make_transactions_quick()
    name = next(NAMES)
    client.create_table(TableName=name, **TABLE)
    client.update_time_to_live(TableName=name, **TIME_TO_LIVE)
    return name


def refusal(code: str, reasons: Sequence[str] = (), status: int = 400, says: str = "as asked") -> AWSResponse:
    """Return the answer by which DynamoDB refuses a request; `reasons` are those of a cancelled transaction."""
    body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": says}
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return AWSResponse("", status, {}, MockRawResponse(json.dumps(body).encode()))


def losing(times: int, operation: str = "TransactWriteItems") -> Callable[[str, Any], None]:
    """Return what loses so many answers: the request was done, and the connection breaks."""
    left = itertools.count(times, -1)

    def lose(asked: str, request: Any) -> None:
        if asked == operation and next(left) > 0:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    return lose


def refusing(answers: Iterable[AWSResponse | None], operation: str = "TransactWriteItems") -> Callable[[str, Any], Any]:
    """Return what answers the next requests of an operation in the table's stead; None lets one through."""
    left = iter(answers)
    return lambda asked, request: next(left, None) if asked == operation else None
