"""Datadog's webhooks, through the payload that we ship in docs/senders.md.

What Datadog posts is whatever somebody typed there, and its own example lacks the monitor, the scope and the
transition. So one payload is read, the shipped one, and any other is refused. A variable that Datadog did not fill is
its own name, or nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import SEVERITY_NUMBERS, AlertStatus, Batch
from runbook_engine.model.delivery import Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.sources.body import read_body
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.severities import severity_of
from runbook_engine.sources.strict_json import decode_json

SCHEMA = "rb.datadog.v1"
TEMPLATE: Mapping[str, str] = {  # the payload that docs/senders.md tells people to paste
    "schema": SCHEMA,
    "event_id": "$ID",
    "monitor_id": "$ALERT_ID",
    "cycle_key": "$ALERT_CYCLE_KEY",
    "aggregation_key": "$AGGREG_KEY",
    "transition": "$ALERT_TRANSITION",
    "alert_type": "$ALERT_TYPE",
    "priority": "$ALERT_PRIORITY",
    "scope": "$ALERT_SCOPE",
    "title": "$ALERT_TITLE",
    "message": "$TEXT_ONLY_MSG",
    "tags": "$TAGS",
    "date_ms": "$DATE",
    "updated_ms": "$LAST_UPDATED",
    "link": "$LINK",
    "org_id": "$ORG_ID",
}
STATUSES: Mapping[str, AlertStatus] = {
    "triggered": "firing",
    "re-triggered": "firing",
    "renotify": "firing",
    "warn": "firing",
    "re-warn": "firing",
    "no data": "nodata",
    "re-no data": "nodata",
    "recovered": "resolved",
    "muted": "suppressed",
}
WARNINGS = frozenset(("warn", "re-warn"))
BY_TYPE: Mapping[str, str] = {"error": "error", "warning": "warning"}
MILLISECONDS = re.compile(r"[0-9]{1,16}")
PREFIX = re.compile(
    r"\A(?:\[(?:P[1-5]|(?:Re-)?(?:Triggered|Warn|No Data)|Recovered|Renotify|Muted)[^\]]{0,200}\]\s*)+", re.IGNORECASE
)


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alert of one webhook; raise InvalidAlert when its payload is not the one that we ship."""
    body = read_body(request, settings)
    values = decode_json(body)
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise InvalidAlert(
            "schema",
            f'the payload is not ours: "schema" must be "{SCHEMA}" (paste the payload of docs/senders.md into the '
            "webhook, unchanged, and leave Encode as form off)",
        )
    told = _filled(values)
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=told.get("event_id") or hashlib.sha256(request.body).hexdigest(),
        group_key=told.get("aggregation_key"),
    )
    try:
        return Parsed((normalise(_draft(told, settings), Batch(), delivery),))
    except RefusedAlert as error:
        return Parsed(rejected=(Rejected(0, str(error)),))


def _filled(values: Mapping[str, Any]) -> dict[str, str]:
    """Return what Datadog filled in, as text."""
    texts = {name: values.get(name) for name in TEMPLATE}
    return {
        name: value.strip()
        for name, value in texts.items()
        if isinstance(value, str) and value.strip() not in ("", TEMPLATE[name])
    }


def _draft(told: Mapping[str, str], settings: SourceSettings) -> Draft:
    monitor = told.get("monitor_id")
    if not monitor:
        raise RefusedAlert("monitor_id is not filled in: only notifications of monitors are alerts")
    status = _status(told)
    date, updated = (_milliseconds(told.get(name)) for name in ("date_ms", "updated_ms"))
    title = told.get("title", "")
    return Draft(
        status=status,
        labels=_labels(told, monitor, PREFIX.sub("", title)),
        annotations={
            name: told[key] for name, key in (("summary", "title"), ("description", "message")) if key in told
        },
        starts_at=None if status == "resolved" else date,
        ends_at=(date or updated) if status == "resolved" else None,
        fingerprint="",
        links={"source": told.get("link", "")},
        warnings=[],
        identity=(monitor, *sorted(_split(told.get("scope", "")))),
        cycle=told.get("cycle_key", ""),
        observed_at=updated or date,
        severity=_severity(told, settings),
    )


def _status(told: Mapping[str, str]) -> AlertStatus:
    """A repeated notification does not say of what; a type that tells of no fault leaves it unknown."""
    transition = told.get("transition", "").lower()
    if transition == "renotify" and told.get("alert_type", "error").lower() not in BY_TYPE:
        return "unknown"
    return STATUSES.get(transition, "unknown")


def _severity(told: Mapping[str, str], settings: SourceSettings) -> str:
    """Return the word for the severity: the priority's, else the type's; a warning is never more than that."""
    word = told.get("priority") or BY_TYPE.get(told.get("alert_type", "").lower(), "info")
    transition = told.get("transition", "").lower()
    warns = transition in WARNINGS or (transition == "renotify" and told.get("alert_type", "").lower() == "warning")
    too_high = SEVERITY_NUMBERS[severity_of(word, settings.severities)] > SEVERITY_NUMBERS["warning"]
    return "warning" if warns and too_high else word


def _labels(told: Mapping[str, str], monitor: str, name: str) -> dict[str, str]:
    """Return the tags as labels; what the scope says and no tag does comes with them."""
    scope, tags = _tags(told.get("scope", "")), _tags(told.get("tags", ""))
    return {**scope, **tags, "alertname": name, "monitor_id": monitor}


def _tags(text: str) -> dict[str, str]:
    """Split at the first colon; a bare tag is `true`, of a key that comes twice the values are joined in order."""
    found: dict[str, set[str]] = {}
    for tag in _split(text):
        key, colon, value = tag.partition(":")
        if key.strip():
            found.setdefault(key.strip(), set()).add(value.strip() if colon else "true")
    return {key: ",".join(sorted(values)) for key, values in found.items()}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _milliseconds(text: str | None) -> int | None:
    return int(text) if text is not None and MILLISECONDS.fullmatch(text) else None


SOURCE = SourceSpec(
    name="datadog",
    parse=parse,
    notes=(
        SenderNote(
            sender="Datadog, with [our payload](#datadog)",
            proves="a header of its own, or a password; it cannot sign",
            retries="5xx and lost connections, five times",
            example="datadog-re-triggered.json",
        ),
    ),
)
