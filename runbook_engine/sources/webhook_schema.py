"""Exactly what Alertmanager sends, read by its schema; None where anything at all is different.

An alert that was read lately is not read again: a sender repeats what still fires in the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from runbook_engine.model.alert import Alert
from runbook_engine.model.delivery import Request
from runbook_engine.model.recent import Recent
from runbook_engine.sources.normalise import CLOCK_TOLERANCE
from runbook_engine.sources.strict_json import repeats_a_key

PAYLOAD_VERSION = "4"
LARGEST_COUNT = 2**53


class WireAlert(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    """One alert, as the schema has it."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    generator_url: str = msgspec.field(name="generatorURL")
    fingerprint: str


class WireBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One delivery, its alerts still unread."""

    receiver: str
    status: str
    alerts: list[msgspec.Raw]
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    external_url: str = msgspec.field(name="externalURL")
    version: str
    group_key: str
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
    route_labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    notification_reason: str | msgspec.UnsetType = msgspec.field(name="notification_reason", default=msgspec.UNSET)


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """An alert that was read without a warning, what it was read for, and how many keys its text has."""

    alert: Alert
    external_url: str
    keys: int


class Unread(msgspec.Struct, frozen=True, gc=False):
    """An alert that is read for the first time, and its own text."""

    wire: WireAlert
    content: bytes
    keys: int


class Memory(msgspec.Struct, frozen=True):
    """What was read lately, for one delivery: what is remembered of another scope or source is not its own."""

    recent: Recent[Remembered]
    request: Request

    def find(self, content: bytes, external_url: str) -> Remembered | None:
        """Return what these bytes meant, if they would mean the same now."""
        found = self.recent.get(content)
        if found is None or found.external_url != external_url:
            return None
        alert, request = found.alert, self.request
        if alert.scope != request.scope or alert.source != request.source or is_skewed(alert, request.received_at):
            return None
        return found

    def keep(self, unread: Unread, alert: Alert, external_url: str) -> None:
        """Remember an alert, unless there was something to warn of."""
        if not alert.warnings:
            self.recent.keep(unread.content, Remembered(alert, external_url, unread.keys))


class Webhook(msgspec.Struct, frozen=True):
    """One delivery that is exactly what Alertmanager sends."""

    body: WireBody
    alerts: list[Remembered | Unread]


_BODY = msgspec.json.Decoder(WireBody)
_ALERT = msgspec.json.Decoder(WireAlert)
_ALERT_KEYS = len(WireAlert.__struct_fields__)
_BODY_KEYS = len(WireBody.__struct_fields__)


def read_webhook(text: bytes, memory: Memory | None) -> Webhook | None:
    """Return the delivery, when it is exactly one."""
    try:
        body = _BODY.decode(text)
        memory = None if body.truncated_alerts else memory  # each alert says that others are missing
        alerts = [_read(bytes(raw), memory, body.external_url) for raw in body.alerts]
    except (msgspec.DecodeError, RecursionError):  # the strict reader says what is wrong
        return None
    optional = (body.route_labels, body.notification_reason)
    keys = _BODY_KEYS - sum([field is msgspec.UNSET for field in optional]) + len(body.route_labels or ())
    keys += len(body.group_labels) + len(body.common_labels) + len(body.common_annotations)
    keys += sum([alert.keys for alert in alerts])
    if body.version != PAYLOAD_VERSION or repeats_a_key(text, keys):
        return None
    return Webhook(body, alerts)


def is_skewed(alert: Alert, received_at: datetime) -> bool:
    """Whether an alert begins later than it can have been told, going by this machine's clock."""
    return alert.starts_at is not None and alert.starts_at - received_at > CLOCK_TOLERANCE


def _read(content: bytes, memory: Memory | None, external_url: str) -> Remembered | Unread:
    if memory is not None and (known := memory.find(content, external_url)) is not None:
        return known
    wire = _ALERT.decode(content)
    return Unread(wire, content, _ALERT_KEYS + len(wire.labels) + len(wire.annotations))
