"""Webhooks: 202 only after everything that the alerts meant is durable."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from runbook_engine.engine import Engine, Receipt
from runbook_engine.entrypoints.credentials import Bearer, Keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server.answers import answer
from runbook_engine.entrypoints.server.bodies import read_body
from runbook_engine.errors import InvalidAlert, Overloaded, RunbookError
from runbook_engine.model.delivery import Headers, Request
from runbook_engine.model.execution import ENDED
from runbook_engine.ports import Clock

COUNTED_FOR = 1.0  # seconds that a count of open executions is believed


@dataclass(slots=True)
class Backlog:
    """How many executions are open; a storm of deliveries asks the journal once a second."""

    engine: Engine
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _counted_at: float = float("-inf")
    _open: int = 0

    def demand_room(self) -> None:
        """Raise Overloaded when there is no room for more, or what the journal raises when it cannot count."""
        most = self.engine.bundle.configuration.limits.max_open_executions
        with self._guard:
            if time.monotonic() - self._counted_at > COUNTED_FOR:
                self._open = open_executions(self.engine)
                self._counted_at = time.monotonic()
            if self._open >= most:
                raise Overloaded(f"{self._open} executions are open, the most is {most} (limits.maxOpenExecutions)")


def open_executions(engine: Engine) -> int:
    """Return how many executions have not ended."""
    ended = {f"executions.{status}" for status in ENDED}
    counts = engine.journal.counts()
    return sum(count for name, count in counts.items() if name.startswith("executions.") and name not in ended)


def hook_routes(engine: Engine, keyring: Keyring, clock: Clock, metrics: Metrics, log: EventLog) -> Blueprint:
    """Return the routes that senders post to."""
    routes = Blueprint("hooks", __name__)
    backlog = Backlog(engine)
    sources = {scope.name: scope.source for scope in engine.bundle.configuration.scopes}

    @routes.post("/hooks/<scope>")
    def take(scope: str) -> Response:
        started = time.monotonic()
        headers, now = Headers.of(request.headers), clock.now()
        signed = read_body() if keyring.reads_body(headers) else b""
        bearer = keyring.sender(headers, scope, signed, now)
        with _counting_once(keyring, bearer):
            backlog.demand_room()
            body = signed or read_body()
            receipt = engine.ingest(Request(scope, sources[scope], headers.plain(keyring.guarded), body, now))
        metrics.alerts.labels("accepted").inc(receipt.accepted)
        metrics.alerts.labels("rejected").inc(len(receipt.rejected))
        log.event(
            "delivery",
            scope=scope,
            sender=bearer.name,
            accepted=receipt.accepted,
            rejected=len(receipt.rejected),
            executions=[*receipt.opened, *receipt.joined],
            bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        return answer(_receipt(receipt), 202)

    @routes.after_app_request
    def count(response: Response) -> Response:
        if request.endpoint == "hooks.take":
            metrics.deliveries.labels(str(response.status_code)).inc()
        return response

    return routes


@contextmanager
def _counting_once(keyring: Keyring, bearer: Bearer) -> Iterator[None]:
    """Let a signed delivery come again when it was not kept, and only then."""
    try:
        yield
    except InvalidAlert:
        raise
    except RunbookError:
        keyring.forget(bearer)
        raise


def _receipt(receipt: Receipt) -> dict[str, object]:
    return {
        "accepted": receipt.accepted,
        "rejected": receipt.rejected,
        "executions": (*receipt.opened, *receipt.joined),
        "incidents": receipt.incidents,
        "warnings": receipt.warnings,
        "changes": receipt.changes,
    }
