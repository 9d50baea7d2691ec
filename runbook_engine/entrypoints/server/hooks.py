"""Webhooks: 202 only after everything that was sent is durable.

What it means is decided in order by the worker, a moment later. Who wants to read that in the answer asks for it with
`Prefer: wait` (RFC 7240), and is told so when nothing waits before it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, Response, request

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.backlog import Backlog
from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server.answers import answer
from runbook_engine.entrypoints.server.bodies import read_body
from runbook_engine.entrypoints.views import view_receipt
from runbook_engine.model.delivery import Headers, Request
from runbook_engine.ports import Clock

COUNTED_FOR = timedelta(seconds=1)  # a count of open executions is believed


def hook_routes(
    engine: Engine,
    keyring: Keyring,
    clock: Clock,
    metrics: Metrics,
    log: EventLog,
    stored: Callable[[], None] = lambda: None,
) -> Blueprint:
    """Return the routes that senders post to; `stored` hears of every delivery that waits to be decided."""
    routes = Blueprint("hooks", __name__)
    backlog = Backlog(engine, clock, COUNTED_FOR)
    sources = {scope.name: scope.source for scope in engine.bundle.configuration.scopes}

    @routes.put("/hooks/<scope>")
    @routes.post("/hooks/<scope>")
    def take(scope: str) -> Response:
        started = time.monotonic()
        headers, now = Headers.of(request.headers), clock.now()
        signed = read_body() if keyring.reads_body(headers) else b""
        bearer = keyring.sender(headers, scope, signed, now)
        with keyring.counting_once(bearer):
            backlog.demand_room()
            body = signed or read_body()
            delivery = Request(
                scope,
                sources[scope],
                headers.plain(keyring.guarded),
                body,
                now,
                method=request.method,
                fresh_within=bearer.fresh_within,
            )
            at_once = _prefers_to_wait() and not engine.waits()
            receipt = engine.ingest(delivery) if at_once else engine.accept(delivery)
        if receipt.waiting:
            stored()
        metrics.alerts.labels("accepted").inc(receipt.accepted)
        metrics.alerts.labels("rejected").inc(len(receipt.rejected))
        log.event(
            "delivery",
            scope=scope,
            sender=bearer.name,
            accepted=receipt.accepted,
            rejected=len(receipt.rejected),
            warnings=receipt.warnings,
            delivery=receipt.waiting,
            executions=[*receipt.opened, *receipt.joined],
            bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        said = answer(view_receipt(receipt), 202)
        if at_once:
            said.headers["Preference-Applied"] = "wait"
        return said

    @routes.after_app_request
    def count(response: Response) -> Response:
        if request.endpoint == "hooks.take":
            metrics.deliveries.labels(str(response.status_code)).inc()
        return response

    return routes


def _prefers_to_wait() -> bool:
    wishes = ",".join(request.headers.getlist("Prefer")).split(",")
    return any(wish.partition(";")[0].partition("=")[0].strip().lower() == "wait" for wish in wishes)
