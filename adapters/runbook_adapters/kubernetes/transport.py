"""The transport: JSON objects to and from one API server, with time limits, and every answer told apart.

Objects stay plain dictionaries: typed models drop fields that they do not know, and writing such an object back
deletes them. What surely did nothing is asked again here, for a few seconds; every longer wait is the engine's. A
change whose answer is lost is never sent again from here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import tenacity

from runbook_adapters.kubernetes.answers import answers, decoded, items_of, problem_of, said_of
from runbook_adapters.kubernetes.calls import Call, call_of, change_of, checked_path
from runbook_adapters.kubernetes.credentials import Credentials, NoCredential
from runbook_adapters.kubernetes.problems import (
    ApiProblem,
    Expired,
    LostAnswer,
    NotSent,
    NotSentOnRead,
    NotSentOnWrite,
    Said,
    Throttled,
    TokenRefused,
    Unavailable,
)
from runbook_adapters.kubernetes.wire import Broken, Opened, Wire
from runbook_engine.ports import Clock

Json: TypeAlias = dict[str, Any]
Items: TypeAlias = list[Json]
Query: TypeAlias = Mapping[str, str]
Keep: TypeAlias = Callable[[Json], Json | None]
Got = TypeVar("Got")
PatchKind = Literal["json", "merge", "strategic"]

FIELD_MANAGER = "runbook-engine"
PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
METHODS = {"patch": "PATCH", "create": "POST", "delete": "DELETE"}
PAGE = 500  # objects in one answer of a list
MOST_PAGES = 1000
MOST_RESTARTS = 3  # of a list that expired while it was read
MOST_TRIES = 5
MOST_TEXT = 1024 * 1024  # bytes of a log that are kept
WATCH_TIME = 300  # seconds that a watch lasts unless the caller says otherwise
PATIENCE = timedelta(seconds=5)


def _whole(item: Json) -> Json:
    return item


class _Request(msgspec.Struct, frozen=True):
    """One request, ready to be sent any number of times."""

    call: Call
    method: str
    path: str
    read_time: float
    headers: Mapping[str, str] = {}
    body: bytes | None = None


class Transport:
    """Calls to one API server; connections are kept and shared between threads."""

    def __init__(
        self,
        wire: Wire,
        credentials: Credentials,
        clock: Clock,
        *,
        patience: timedelta = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._wire = wire
        self._credentials = credentials
        self._clock = clock
        self._patience = patience.total_seconds()
        self._sleep = sleep
        self._jitter = jitter

    def get(self, path: str, query: Query | None = None) -> Json:
        """Return one object. Raises NotFound, RbacForbidden and other Unreadable problems."""
        return self._object_of(self._reading("get", path, query))

    def list(self, path: str, query: Query | None = None, *, keep: Keep = _whole) -> tuple[Items, str]:
        """Return every object of a collection, page by page, and the collection's resource version.

        `keep` returns what is held of each object, None for nothing: thousands of whole ones need a lot of memory.
        """
        for _ in range(MOST_RESTARTS):
            try:
                return self._pages(path, query or {}, keep)
            except Expired:
                continue  # from the start: what is continued is too old
        said = Said(message=f"it changes faster than it can be read, {MOST_RESTARTS} times over")
        raise Unavailable(call_of("list", path), said)

    def patch(self, path: str, body: Json | Sequence[Json], *, kind: PatchKind, dry_run: bool = False) -> Json:
        """Change one object, and return it. A dry run is judged by the server as the change itself would be."""
        return self._change("patch", path, body, dry_run, PATCH_TYPES[kind])

    def post(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """Create an object, or a subresource such as an eviction, and return what the server made of it."""
        return self._change("create", path, body, dry_run)

    def delete(self, path: str, body: Json | None = None, *, dry_run: bool = False) -> Json:
        """Delete one object; `body` is DeleteOptions (preconditions, gracePeriodSeconds)."""
        return self._change("delete", path, body, dry_run)

    def text(self, path: str, query: Query | None = None) -> str:
        """Return text such as the log of a pod: the last MiB of what was asked for."""
        request = self._reading("get", path, query, accept="*/*")

        def read() -> str:
            with self._opened(request) as opened:
                if opened.headers.get("content-type", "").startswith("text/html"):
                    raise Unavailable(request.call, Said(message="the answer is a page, so not of the Kubernetes API"))
                try:
                    return opened.tail(MOST_TEXT).decode(errors="replace")
                except Broken as broken:
                    raise Unavailable(request.call, Said(message=str(broken))) from broken

        return self._patiently(read)

    def watch(
        self, path: str, query: Query | None = None, *, opened: Callable[[Opened], None] = lambda opened: None
    ) -> Iterator[Json]:
        """Yield the events of a watch until the server ends it. Raises at the first event: Expired means list again.

        It lasts `timeoutSeconds` of the query, five minutes unless given; a connection that broke is Unavailable.
        `opened` is told of the answer before its first event, so that another thread can cut it.
        """
        lasting = {"timeoutSeconds": str(WATCH_TIME), **(query or {}), "watch": "true"}
        limit = float(lasting["timeoutSeconds"]) + self._wire.times.read
        request = self._reading("watch", path, lasting, read_time=limit)
        with self._patiently(lambda: self._opened(request)) as answer:
            opened(answer)
            try:
                for line in answer.lines():
                    yield self._event(request.call, line)
            except Broken as broken:
                raise Unavailable(request.call, Said(message=str(broken))) from broken

    def _pages(self, path: str, query: Query, keep: Keep) -> tuple[Items, str]:
        found: Items = []
        version, more = "", ""
        for _ in range(MOST_PAGES):
            fields = {**query, "limit": str(PAGE), **({"continue": more} if more else {})}
            request = self._reading("list", path, fields)
            page = self._object_of(request)
            items = items_of(page)
            if items is None:
                raise Unavailable(request.call, Said(message="the answer is not a list of Kubernetes objects"))
            meta: Json = page["metadata"]
            found += [kept for item in items if (kept := keep(item)) is not None]
            version = version or str(meta.get("resourceVersion", ""))
            more = str(meta.get("continue") or "")
            if not more:
                return found, version
        raise Unavailable(call_of("list", path), Said(message=f"it has more than {MOST_PAGES} pages"))

    def _event(self, call: Call, line: bytes) -> Json:
        event = decoded(line)
        told = event.get("object") if event is not None else None
        if event is None or not isinstance(told, dict):
            raise Unavailable(call, Said(message="the answer is not a watch of Kubernetes objects"))
        if event.get("type") != "ERROR":
            return event
        code = told.get("code")
        raise problem_of(call, said_of(code if isinstance(code, int) else 500, {}, msgspec.json.encode(told)))

    def _reading(
        self, verb: str, path: str, query: Query | None, *, read_time: float = 0.0, accept: str = "application/json"
    ) -> _Request:
        limit = read_time or self._wire.times.read
        return _Request(call_of(verb, path), "GET", _asked(path, query or {}), limit, {"Accept": accept})

    def _change(
        self, verb: str, path: str, body: object, dry_run: bool, content_type: str = "application/json"
    ) -> Json:
        fields = {} if verb == "delete" else {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            fields["dryRun"] = "All"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        content = None if body is None else msgspec.json.encode(body)
        where = _asked(path, fields)
        request = _Request(change_of(verb, path), METHODS[verb], where, self._wire.times.write, headers, content)
        return self._object_of(request)

    def _object_of(self, request: _Request) -> Json:
        return self._patiently(lambda: self._object(request))

    def _patiently(self, ask: Callable[[], Got]) -> Got:
        """Ask again what surely did nothing, as long as patience lasts."""
        began = time.monotonic()
        try:
            return ask()
        except ApiProblem as problem:  # patience costs more than all else that is done for a call: not before it is due
            if not _harmless(problem):
                raise
            return self._patience_since(began)(_after(problem, ask))

    def _patience_since(self, began: float) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_harmless),
            wait=self._wait,
            stop=partial(self._out_of_patience, began),
            sleep=self._sleep,
            reraise=True,
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome else None
        if not isinstance(problem, ApiProblem):
            return 0.0
        if problem.after is not None:
            return problem.after.total_seconds()
        if isinstance(problem, Throttled):
            problem.after = timedelta(seconds=self._jitter(1.0, min(30.0, 2.0**state.attempt_number)))
            return problem.after.total_seconds()
        if problem.status == 0 and state.attempt_number == 1:
            return 0.0  # a kept connection that died in its sleep
        return self._jitter(0.1, 0.5 * 2**state.attempt_number)

    def _out_of_patience(self, began: float, state: tenacity.RetryCallState) -> bool:
        spent = max(state.idle_for, time.monotonic() - began)
        return state.attempt_number >= MOST_TRIES or spent + state.upcoming_sleep > self._patience

    def _object(self, request: _Request) -> Json:
        """Send once, and return the object of the answer."""
        with self._opened(request) as opened:
            try:
                found = decoded(opened.body())
            except Broken as broken:
                raise _lost(request.call, Said(message=str(broken)), broken.remedy) from broken
        if found is None:
            said = Said(opened.status, message="the answer is not a JSON object, so not of the Kubernetes API")
            raise _lost(request.call, said)
        if request.call.verb != "list" and not answers(request.call, found):
            said = Said(opened.status, message="the answer is not the object of the Kubernetes API that was asked for")
            raise _lost(request.call, said)
        return found

    def _opened(self, request: _Request) -> Opened:
        """Send, and return an answer that is a success; a token that is not accepted is renewed once."""
        try:
            return self._sent(request)
        except TokenRefused as refused:
            try:
                self._credentials.refresh()
            except NoCredential as error:
                raise _not_sent(request.call, error) from refused
        return self._sent(request)

    def _sent(self, request: _Request) -> Opened:
        try:
            who = self._credentials.authorization(self._clock.now())
        except NoCredential as error:
            raise _not_sent(request.call, error) from error
        headers = {**request.headers, **({"Authorization": who} if who else {})}
        try:
            opened = self._wire.send(request.method, request.path, headers, request.body, request.read_time)
        except Broken as broken:
            raise _unanswered(request.call, broken) from broken
        if 200 <= opened.status < 300:
            return opened
        with opened:
            said = said_of(opened.status, opened.headers, opened.beginning(), secret=who)
        raise problem_of(request.call, said)


def _after(failed: ApiProblem, ask: Callable[[], Got]) -> Callable[[], Got]:
    """Return what fails the first time as it has failed already, and asks from then on."""
    known = [failed]

    def ask_again() -> Got:
        if known:
            raise known.pop()
        return ask()

    return ask_again


def _asked(path: str, query: Query) -> str:
    written = urlencode(query, quote_via=quote)
    return checked_path(path) + (f"?{written}" if written else "")


def _harmless(error: BaseException) -> bool:
    """Whether asking again at once can help, and do no harm: nothing was done, or there was only a look."""
    if isinstance(error, NotSentOnRead):
        return isinstance(error.__cause__, Broken)
    return isinstance(error, Throttled | Unavailable)


def _lost(call: Call, said: Said, remedy: str = "") -> ApiProblem:
    """The answer did not come, or cannot be used."""
    return Unavailable(call, said, remedy) if call.reads else LostAnswer(call, said)


def _unanswered(call: Call, broken: Broken) -> ApiProblem:
    said = Said(message=str(broken))
    return _lost(call, said, broken.remedy) if broken.sent else _unsent(call, said, broken.remedy)


def _not_sent(call: Call, error: NoCredential) -> NotSent:
    return _unsent(call, Said(message=str(error)), "nothing was sent; renew the credential")


def _unsent(call: Call, said: Said, remedy: str) -> NotSent:
    return NotSentOnRead(call, said, remedy) if call.reads else NotSentOnWrite(call, said, remedy)
