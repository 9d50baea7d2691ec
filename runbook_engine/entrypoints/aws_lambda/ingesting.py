"""Ingesting: an event of the platform to alerts in the journal, and drivers for what they start.

A sender over HTTP is answered 202 once everything is durable, and what it can send again otherwise. The platform's
own roads are told of a failure in the way in which each delivers again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from runbook_engine.entrypoints.aws_lambda.announcing import Announcer
from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.logs import Level, say_error
from runbook_engine.entrypoints.refusals import refusal_of
from runbook_engine.entrypoints.views import view_receipt
from runbook_engine.errors import InvalidAlert, RunbookError, Unauthenticated
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.configuration import Scope
from runbook_engine.model.delivery import Request
from runbook_engine.sources.envelope import (
    Envelope,
    HttpDelivery,
    PlatformDelivery,
    http_reply,
    scope_of,
    settle,
    to_request,
    unwrap,
)

JSON = "application/json"
NOT_OURS = "not_ours"  # the code of a change that is about nothing that this installation may touch


def take(event: object, context: Any, host: Host) -> Any:
    """Take in one event; return what its sender is answered. Raises where raising is how the platform tries again."""
    envelope = unwrap(event)
    for ignored in envelope.ignored:
        host.log.event("ignored", says=ignored)
    if envelope.is_http:
        return _answer(envelope, host)
    account = str(context.invoked_function_arn).split(":")[4]
    failed: dict[str, str] = {}
    for delivery in envelope.deliveries:
        assert isinstance(delivery, PlatformDelivery)
        if failed and envelope.in_order:
            break
        why = _take_from_platform(delivery, account, host)
        if why:
            failed[delivery.id] = why
    return settle(envelope, failed)


def _answer(envelope: Envelope, host: Host) -> Any:
    delivery = envelope.deliveries[0]
    assert isinstance(delivery, HttpDelivery)
    try:
        receipt = _take_posted(delivery, host)
    except RunbookError as error:
        refusal = refusal_of(error)
        host.log.event(
            "refused", "warning" if refusal.status >= 500 else "info", code=refusal.status, **say_error(error)
        )
        host.count({"Deliveries": 1}, outcome=refusal.code)
        return http_reply(envelope, refusal.status, refusal.body.decode(), {"content-type": JSON, **refusal.headers})
    host.count({"Deliveries": 1}, outcome="accepted")
    return http_reply(envelope, 202, _body(receipt), {"content-type": JSON})


def _take_posted(delivery: HttpDelivery, host: Host) -> Receipt:
    """Take in what was posted. Raises Unauthenticated, InvalidAlert, or what the journal raises."""
    body, now, keyring = delivery.read(), host.clock.now(), host.keys()
    bearer = keyring.sender(delivery.headers, delivery.scope, body, now)
    scope = next(scope for scope in host.configuration.scopes if scope.name == delivery.scope)
    with keyring.counting_once(bearer):
        request = to_request(
            delivery, scope, received_at=now, without=keyring.guarded, fresh_within=bearer.fresh_within
        )
        receipt = _keep(request, scope, bearer.name, host)
    _remember(bearer.signature, host)
    return receipt


def _remember(signature: str, host: Host) -> None:
    """Let what has been kept not come again; when that fails the journal still knows the alerts."""
    try:
        if signature:
            host.signatures.keep(signature, host.clock.now())
    except RunbookError as error:
        host.log.event("signature.unkept", "warning", **say_error(error))


def _take_from_platform(delivery: PlatformDelivery, account: str, host: Host) -> str:
    """Take in what the platform delivers; return why it was not taken, empty when it was.

    What can never be taken is told of as well: after a few tries it lies in a dead-letter queue, where people find it.
    """
    try:
        scope = scope_of(delivery.origin, host.configuration, account)
        _keep(to_request(delivery, scope, received_at=host.clock.now()), scope, str(delivery.origin), host)
    except RunbookError as error:
        outcome = _outcome_of(error)
        level: Level = "info" if outcome == "ignored" else "error"
        host.log.event(f"delivery.{outcome}", level, origin=str(delivery.origin), id=delivery.id, **say_error(error))
        host.count({"Deliveries": 1}, outcome=outcome)
        return "" if outcome == "ignored" else str(error)
    host.count({"Deliveries": 1}, outcome="accepted")
    return ""


def _outcome_of(error: RunbookError) -> str:
    """Return what became of a delivery. The bus tells of every deployment of the account, also of what is not ours."""
    if isinstance(error, InvalidAlert) and error.code == NOT_OURS:
        return "ignored"
    return "unusable" if isinstance(error, InvalidAlert | Unauthenticated) else "failed"


def _keep(request: Request, scope: Scope, sender: str, host: Host) -> Receipt:
    """Tell of what no runbook takes, make the delivery durable, and see to it that what it starts is driven.

    Raises what the journal raises, and Overloaded when the bus could not be told: then nothing was stored.
    """
    announcer = Announcer(scope, host)
    receipt = host.engine.ingest(request, announcer)
    host.log.event(
        "delivery",
        scope=scope.name,
        sender=sender,
        accepted=receipt.accepted,
        rejected=len(receipt.rejected),
        warnings=receipt.warnings,
        executions=[*receipt.opened, *receipt.joined],
        bytes=len(request.body),
        body_sha256=hashlib.sha256(request.body).hexdigest(),
    )
    host.waker.wake(receipt.due, new=receipt.opened, besides=announcer.untold(receipt.alerts))
    return receipt


def _body(receipt: Receipt) -> str:
    return msgspec.json.encode(view_receipt(receipt)).decode()
