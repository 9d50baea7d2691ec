"""Ingesting: an event of the platform to alerts in the journal, and drivers for what they start.

A sender over HTTP is answered 202 once everything is durable, and what it can send again otherwise. The platform's
own roads are told of a failure in the way in which each delivers again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from runbook_engine.engine import Receipt
from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.logs import say_error
from runbook_engine.entrypoints.refusals import refusal_of
from runbook_engine.errors import InvalidAlert, Overloaded, RunbookError, Unauthenticated
from runbook_engine.model.bus import BUS_VERSION, BusEvent
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
MOST_TOLD = 100  # alerts of one delivery that the bus hears of


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
    if delivery.method != "POST":
        raise InvalidAlert("schema", "a webhook is posted")
    body, now, keyring = delivery.read(), host.clock.now(), host.keys()
    bearer = keyring.sender(delivery.headers, delivery.scope, body, now)
    scope = next(scope for scope in host.configuration.scopes if scope.name == delivery.scope)
    try:
        request = to_request(delivery, scope, received_at=now, without=keyring.guarded)
        receipt = _keep(request, scope, bearer.name, host)
    except InvalidAlert:
        raise
    except RunbookError:
        keyring.forget(bearer)
        raise
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
    """Take in what the platform delivers; return why it must deliver it again, empty when that would not help."""
    try:
        scope = scope_of(delivery.origin, host.configuration, account)
        _keep(to_request(delivery, scope, received_at=host.clock.now()), scope, str(delivery.origin), host)
    except (InvalidAlert, Unauthenticated) as error:  # it would be the same the next time
        host.log.event("delivery.unusable", "error", origin=str(delivery.origin), id=delivery.id, **say_error(error))
        host.count({"Deliveries": 1}, outcome="unusable")
        return ""
    except RunbookError as error:
        host.log.event("delivery.failed", "error", origin=str(delivery.origin), id=delivery.id, **say_error(error))
        host.count({"Deliveries": 1}, outcome="failed")
        return str(error)
    host.count({"Deliveries": 1}, outcome="accepted")
    return ""


def _keep(request: Request, scope: Scope, sender: str, host: Host) -> Receipt:
    """Make a delivery durable, then tell the bus, and see to it that what it starts is driven.

    Raises Overloaded when people did not hear of an alert that no runbook takes: nobody else tells them, and an answer
    that is an error is what the installation's own alarm hears.
    """
    host.backlog.demand_room()
    receipt = host.engine.ingest(request)
    host.log.event(
        "delivery",
        scope=scope.name,
        sender=sender,
        accepted=receipt.accepted,
        rejected=len(receipt.rejected),
        executions=[*receipt.opened, *receipt.joined],
        bytes=len(request.body),
        body_sha256=hashlib.sha256(request.body).hexdigest(),
    )
    untold = host.waker.publish(_told(receipt, scope, host))  # first: the sweep wakes whom we do not, and tells nobody
    host.waker.wake(receipt.due)
    unheard = sum(not each.event.detail["handled"] for each in untold)
    if unheard:
        raise Overloaded(f"{unheard} alerts that no runbook takes are kept, and the bus could not be told of them")
    return receipt


def _told(receipt: Receipt, scope: Scope, host: Host) -> list[BusEvent]:
    """Return what the bus hears; of very many alerts first of those that no runbook takes, for people must."""
    now = host.clock.now()
    told = sorted(receipt.alerts, key=lambda taken: taken.handled)[:MOST_TOLD]
    if len(told) < len(receipt.alerts):
        host.log.event("alerts.untold", "warning", scope=scope.name, count=len(receipt.alerts) - len(told))
    return [
        BusEvent(
            kind="Alert Received",
            at=now,
            detail={
                "version": BUS_VERSION,
                "scope": scope.name,
                "source": scope.source,
                "name": taken.name,
                "status": taken.status,
                "severity": taken.severity,
                "alert_key": taken.alert_key,
                "handled": taken.handled,
                "incident_id": taken.incident_id,
            },
        )
        for taken in told
    ]


def _body(receipt: Receipt) -> str:
    return msgspec.json.encode(
        {
            "accepted": receipt.accepted,
            "rejected": receipt.rejected,
            "executions": (*receipt.opened, *receipt.joined),
            "incidents": receipt.incidents,
            "warnings": receipt.warnings,
        }
    ).decode()
