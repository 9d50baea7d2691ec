"""Turn what a source has read into an Alert: the rules that hold for every sender.

A source knows its sender's field names; everything that an alert may not be (nameless, without a key, from the
future, ending before it starts) is decided here, once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import force_setattr

from runbook_engine.model.alert import Alert, AlertStatus, Batch, FingerprintKind, Kind, Resource
from runbook_engine.model.delivery import Request, SourceSettings
from runbook_engine.sources.identity import id_key, label_fingerprint, label_key
from runbook_engine.sources.labels import check_labels, shorten_annotations
from runbook_engine.sources.resources import read_links, read_resource
from runbook_engine.sources.severities import severity_of
from runbook_engine.sources.timestamps import BadTimestamp, parse_timestamp

MAX_NAME = 256
MAX_GROUP_KEY = 4096
CLOCK_TOLERANCE = timedelta(minutes=5)
UNNAMED = "unnamed"
FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class Draft(msgspec.Struct, gc=False):
    """One alert as its sender told it: text where text belongs, nothing judged yet.

    A sender that has an id for what it alerts on gives `identity`; else the labels are the identity.
    """

    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: object
    ends_at: object
    fingerprint: str
    links: dict[str, str]
    warnings: list[str]
    identity: tuple[str, ...] = ()
    cycle: str = ""
    observed_at: object = None
    severity: str | None = None  # None = the label `severity`
    values: Mapping[str, float] = {}
    resource: Resource | None = None  # None = what the labels name


class Delivery(msgspec.Struct, frozen=True):
    """What all alerts of one request share."""

    request: Request
    settings: SourceSettings
    delivery_id: str
    group_key: str | None
    kind: Kind = "alert"

    def __post_init__(self) -> None:
        """Keep no group key of any length: each of ten thousand alerts would carry it into the journal."""
        if self.group_key is not None and len(self.group_key) > MAX_GROUP_KEY:
            digest = hashlib.sha256(self.group_key.encode()).hexdigest()
            force_setattr(self, "group_key", f"sha256:{digest}")


def normalise(draft: Draft, batch: Batch, delivery: Delivery) -> Alert:
    """Return the alert, or raise RefusedAlert where its labels cannot be an identity."""
    request, settings, warnings = delivery.request, delivery.settings, draft.warnings
    labels = check_labels(draft.labels)
    fingerprint, fingerprint_kind = _fingerprint(draft, labels)
    starts_at, ends_at = _times(draft, request.received_at)
    raw_severity = labels.get("severity", "") if draft.severity is None else draft.severity
    native = fingerprint if fingerprint_kind == "native" else ""
    return Alert(
        scope=request.scope,
        source=request.source,
        kind=delivery.kind,
        name=_name(labels, warnings),
        labels=labels,
        annotations=shorten_annotations(draft.annotations, warnings),
        status=draft.status,
        severity=severity_of(raw_severity, settings.severities),
        severity_raw=raw_severity,
        starts_at=starts_at,
        ends_at=ends_at,
        observed_at=_timestamp(draft.observed_at, warnings),
        received_at=request.received_at,
        fingerprint=fingerprint,
        fingerprint_kind=fingerprint_kind,
        alert_key=(
            id_key(request.scope, request.source, draft.identity)
            if draft.identity
            else label_key(request.scope, request.source, labels, settings.drop_labels, native)
        ),
        cycle=draft.cycle,
        group_key=delivery.group_key,
        delivery_id=delivery.delivery_id,
        batch=batch,
        values=draft.values,
        resource=read_resource(labels) if draft.resource is None else draft.resource,
        links=read_links(_links(draft, labels), warnings),
        warnings=tuple(warnings),
    )


def _name(labels: Mapping[str, str], warnings: list[str]) -> str:
    name = labels.get("alertname", "")
    if name.isalnum() and len(name) <= MAX_NAME:
        return name
    if not any(character.isprintable() and character != " " for character in name):
        warnings.append(UNNAMED)
        return UNNAMED
    return name[:MAX_NAME]


def _fingerprint(draft: Draft, labels: Mapping[str, str]) -> tuple[str, FingerprintKind]:
    if FINGERPRINT.fullmatch(draft.fingerprint):
        return draft.fingerprint, "native"
    if draft.fingerprint:
        draft.warnings.append("bad_fingerprint")
    return label_fingerprint(labels), "derived"


def _times(draft: Draft, received_at: datetime) -> tuple[datetime | None, datetime | None]:
    starts_at = _timestamp(draft.starts_at, draft.warnings)
    ends_at = _timestamp(draft.ends_at, draft.warnings)
    if starts_at is None and draft.identity and draft.status == "resolved":
        return None, ends_at  # such senders do not tell the start again at the end
    if starts_at is None:
        draft.warnings.append("missing_starts_at")
        return None, ends_at
    if starts_at - received_at > CLOCK_TOLERANCE:
        draft.warnings.append("clock_skew")
    if ends_at is not None and ends_at < starts_at:
        draft.warnings.append("end_before_start")
        return starts_at, None
    return starts_at, ends_at


def _timestamp(value: object, warnings: list[str]) -> datetime | None:
    try:
        return parse_timestamp(value)
    except BadTimestamp:
        if "bad_timestamp" not in warnings:
            warnings.append("bad_timestamp")
        return None


def _links(draft: Draft, labels: Mapping[str, str]) -> dict[str, str]:
    """Teams keep their runbook's address in an annotation or in a label; look in both."""
    links = {name: url for name, url in draft.links.items() if url}
    for name, key in (("runbook", "runbook_url"), ("dashboard", "dashboard_url")):
        if url := draft.annotations.get(key) or labels.get(key):
            links.setdefault(name, url)
    return links
