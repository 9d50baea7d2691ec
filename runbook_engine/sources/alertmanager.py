"""Prometheus Alertmanager's webhook, payload version 4.

The group's own `status` is never read: it is computed after truncation and can say `resolved` while alerts that
were cut still fire. A body that is exactly what Alertmanager sends is decoded by its schema; any other goes through
the strict reader, alert by alert, and means the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, AlertStatus, Batch
from runbook_engine.model.delivery import Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.sources.body import read_body
from runbook_engine.sources.labels import RefusedAlert, read_annotations, read_labels
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.strict_json import decode_text, read_text
from runbook_engine.sources.webhook_schema import (
    LARGEST_COUNT,
    PAYLOAD_VERSION,
    Memory,
    Remembered,
    Unread,
    read_webhook,
)

STATUSES: Mapping[str, AlertStatus] = {"firing": "firing", "resolved": "resolved"}
NOT_A_WEBHOOK = 'the body is not an Alertmanager webhook: an object with a list "alerts" is expected'


class _Envelope(msgspec.Struct, frozen=True):
    """What the group says about all of its alerts, and how to read one of them."""

    entries: Sequence[Any]
    draft: Callable[[Any], Draft]
    group_key: str | None
    truncated: int
    external_url: str


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alerts of one webhook; raise InvalidAlert when the whole body cannot be used."""
    text = read_text(read_body(request, settings))
    memory = Memory(settings.recent, request) if settings.recent is not None else None
    envelope = _by_schema(text, memory) or _by_value(decode_text(text))
    size = len(envelope.entries)
    if size > settings.max_alerts:
        raise InvalidAlert("too_large", f"{size} alerts in one body, at most {settings.max_alerts} are taken")
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=request.delivery_id or hashlib.sha256(request.body).hexdigest(),
        group_key=envelope.group_key,
    )
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    for index, entry in enumerate(envelope.entries):
        try:
            alerts.append(_alert(entry, Batch(index, size, envelope.truncated), envelope, delivery, memory))
        except RefusedAlert as error:
            rejected.append(Rejected(index, str(error)))
    return Parsed(tuple(alerts), tuple(rejected), ("truncated",) if envelope.truncated else ())


def _alert(entry: Any, batch: Batch, envelope: _Envelope, delivery: Delivery, memory: Memory | None) -> Alert:
    if type(entry) is Remembered:
        return replace(
            entry.alert,
            batch=batch,
            received_at=delivery.request.received_at,
            delivery_id=delivery.delivery_id,
            group_key=delivery.group_key,
        )
    alert = normalise(_told_by_group(envelope.draft(entry), envelope), batch, delivery)
    if memory is not None and type(entry) is Unread:
        memory.keep(entry, alert, envelope.external_url)
    return alert


def _by_schema(text: bytes, memory: Memory | None = None) -> _Envelope | None:
    """Read exactly what Alertmanager sends; None where anything at all is different."""
    webhook = read_webhook(text, memory)
    if webhook is None:
        return None
    body = webhook.body
    return _Envelope(webhook.alerts, _draft_from_wire, body.group_key, body.truncated_alerts, body.external_url)


def _draft_from_wire(unread: Unread) -> Draft:
    wire = unread.wire
    return Draft(
        STATUSES.get(wire.status, "unknown"),
        wire.labels,
        wire.annotations,
        wire.starts_at,
        wire.ends_at,
        wire.fingerprint,
        {"generator": wire.generator_url},
        [],
    )


def _by_value(body: Any) -> _Envelope:
    """Read any body that has the shape: every field but `alerts` may be missing."""
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        raise InvalidAlert(
            "schema", 'the body is not an Alertmanager webhook: an object with a list "alerts" is expected'
        )
    if body.get("version", PAYLOAD_VERSION) != PAYLOAD_VERSION:
        raise InvalidAlert("schema", f'the payload version is not "{PAYLOAD_VERSION}"')
    truncated = body.get("truncatedAlerts")
    return _Envelope(
        entries=body["alerts"],
        draft=_draft_from_value,
        group_key=_text(body.get("groupKey")) or None,
        truncated=truncated if type(truncated) is int and 0 <= truncated <= LARGEST_COUNT else 0,
        external_url=_text(body.get("externalURL")),
    )


def _draft_from_value(entry: Any) -> Draft:
    if not isinstance(entry, dict):
        raise RefusedAlert("an alert is not an object")
    warnings: list[str] = []
    return Draft(
        status=STATUSES.get(_text(entry.get("status")), "unknown"),
        labels=read_labels(entry.get("labels"), warnings),
        annotations=read_annotations(entry.get("annotations"), warnings),
        starts_at=entry.get("startsAt"),
        ends_at=entry.get("endsAt"),
        fingerprint=_text(entry.get("fingerprint")),
        links={"generator": _text(entry.get("generatorURL"))},
        warnings=warnings,
    )


def _told_by_group(draft: Draft, envelope: _Envelope) -> Draft:
    draft.links["source"] = envelope.external_url
    if envelope.truncated:
        draft.warnings.append("truncated")
    return draft


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


SOURCE = SourceSpec(
    name="alertmanager",
    parse=parse,
    notes=(
        SenderNote(
            sender="Prometheus Alertmanager, payload version 4",
            proves="bearer token, password; it cannot sign",
            retries="5xx and timeouts, then the whole group at each interval",
            example="alertmanager-firing-grouped.json",
        ),
    ),
)
