"""Events that a service hands to a function without a reply: EventBridge, an alarm's action, log groups, a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_engine.sources.body import inflate
from runbook_engine.sources.envelope.delivered import (
    Envelope,
    Origin,
    PlatformDelivery,
    account_of,
    decode_base64,
    encode_json,
    unknown_event,
)
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import map_of, text_of

LARGEST_LOGS = 20 * 1024 * 1024  # bytes after inflation; a subscription's batch is far smaller


def from_bus(event: Mapping[str, Any]) -> Envelope:
    """Unwrap an event of EventBridge; its account and source are what the bus says of who put it there."""
    delivery = PlatformDelivery(
        id=text_of(event.get("id")),
        origin=Origin("events", text_of(event["source"]), text_of(event.get("account"))),
        content=encode_json(event),
        replayed="replay-name" in event,
    )
    return Envelope(kind="events", deliveries=(delivery,))


def from_alarm(event: Mapping[str, Any]) -> Envelope:
    """Unwrap an alarm that calls the function itself."""
    arn = text_of(event.get("alarmArn"))
    delivery = PlatformDelivery(
        id=f"{arn} {text_of(event.get('time'))}",
        origin=Origin("alarm", arn, account_of(arn)),
        content=encode_json(event),
    )
    return Envelope(kind="alarm", deliveries=(delivery,))


def from_logs(encoded: str) -> Envelope:
    """Unwrap a batch of a log group's subscription; a test of whether we can be reached needs nothing done."""
    body = inflate(decode_base64(encoded), LARGEST_LOGS)
    batch = map_of(decode_json(body))
    if batch.get("messageType") == "CONTROL_MESSAGE":
        return Envelope(kind="logs", ignored=("a log subscription asks whether it can be delivered",))
    group = text_of(batch.get("logGroup"))
    if batch.get("messageType") != "DATA_MESSAGE" or not group:
        raise unknown_event("a log subscription's batch is neither a data nor a control message")
    events = batch.get("logEvents")
    first = map_of(events[0]) if isinstance(events, list) and events else {}
    delivery = PlatformDelivery(
        id=f"{group} {text_of(batch.get('logStream'))} {text_of(first.get('id'))}",
        origin=Origin("logs", group, text_of(batch.get("owner"))),
        content=body,
    )
    return Envelope(kind="logs", deliveries=(delivery,))


def from_task(event: Mapping[str, Any]) -> Envelope:
    """Unwrap a task of a state machine; no scope admits one, it is for the function that drives."""
    execution = text_of(event.get("execution")) or text_of(event.get("execution_id"))
    origin = Origin("task", execution, account_of(execution))
    delivery = PlatformDelivery(id=execution, origin=origin, content=encode_json(event))
    return Envelope(kind="task", deliveries=(delivery,))
