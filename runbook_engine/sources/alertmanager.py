"""Prometheus Alertmanager's webhook, payload version 4.

The group's own `status` is never read: it is computed after truncation and can say `resolved` while alerts that
were cut still fire. A body that is exactly what Alertmanager sends is decoded by its schema; any other goes through
the strict reader, alert by alert, and means the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, AlertStatus, Batch
from runbook_engine.model.delivery import Parsed, Rejected, Request, SourceSettings, SourceSpec
from runbook_engine.sources.body import read_body
from runbook_engine.sources.labels import RefusedAlert, read_annotations, read_labels
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.strict_json import decode_text, read_text, repeats_a_key

PAYLOAD_VERSION = "4"
LARGEST_COUNT = 2**53
STATUSES: Mapping[str, AlertStatus] = {"firing": "firing", "resolved": "resolved"}
NOT_A_WEBHOOK = 'the body is not an Alertmanager webhook: an object with a list "alerts" is expected'


class _WireAlert(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    generator_url: str = msgspec.field(name="generatorURL")
    fingerprint: str


class _WireBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    receiver: str
    status: str
    alerts: list[_WireAlert]
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    external_url: str = msgspec.field(name="externalURL")
    version: str
    group_key: str
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_COUNT)]
    route_labels: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    notification_reason: str | msgspec.UnsetType = msgspec.field(name="notification_reason", default=msgspec.UNSET)


_DECODER = msgspec.json.Decoder(_WireBody)
_ALERT_KEYS = len(_WireAlert.__struct_fields__)
_BODY_KEYS = len(_WireBody.__struct_fields__)


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
    envelope = _by_schema(text) or _by_value(decode_text(text))
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
            draft = _told_by_group(envelope.draft(entry), envelope)
            alerts.append(normalise(draft, Batch(index, size, envelope.truncated), delivery))
        except RefusedAlert as error:
            rejected.append(Rejected(index, str(error)))
    return Parsed(tuple(alerts), tuple(rejected), ("truncated",) if envelope.truncated else ())


def _by_schema(text: bytes) -> _Envelope | None:
    """Read exactly what Alertmanager sends; None where anything at all is different."""
    try:
        body = _DECODER.decode(text)
    except msgspec.DecodeError:
        return None
    optional = (body.route_labels, body.notification_reason)
    keys = _BODY_KEYS - sum(field is msgspec.UNSET for field in optional) + len(body.route_labels or ())
    keys += len(body.group_labels) + len(body.common_labels) + len(body.common_annotations)
    keys += sum([_ALERT_KEYS + len(alert.labels) + len(alert.annotations) for alert in body.alerts])
    if body.version != PAYLOAD_VERSION or repeats_a_key(text, keys):
        return None
    return _Envelope(body.alerts, _draft_from_wire, body.group_key, body.truncated_alerts, body.external_url)


def _draft_from_wire(wire: _WireAlert) -> Draft:
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


SOURCE = SourceSpec(name="alertmanager", parse=parse)
