"""Grafana's unified alerting webhook, payload version 1.

Grafana hides labels from its payload and counts them in its fingerprint, so the fingerprint given is part of what an
alert is. A rule without data or with an error fires an alert of another name, or its own with that reason beside it:
its status is `nodata`, and its name the rule's. As with Alertmanager, the group's own status is never read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

from msgspec.structs import replace

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, AlertStatus, Batch
from runbook_engine.model.delivery import Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.sources.body import read_body
from runbook_engine.sources.labels import RefusedAlert, read_annotations, read_labels
from runbook_engine.sources.normalise import MAX_NAME, Delivery, Draft, normalise
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import map_of, text_of

PAYLOAD_VERSION = "1"
LARGEST_COUNT = 2**53
MOST_VALUES = 128
STATUSES: Mapping[str, AlertStatus] = {"firing": "firing", "resolved": "resolved"}
WITHOUT_DATA = frozenset(("DatasourceNoData", "DatasourceError"))
REASON, REASONS = "grafana_state_reason", frozenset(("NoData", "Error"))  # of a rule that is set to fire then
RULE_NAME = "rulename"
ORGANISATION = "grafana_org_id"  # the label that tells apart what two organisations name alike
TEXTS = {"valueString": "value_string", "panelURL": "panel_url"}  # kept for people, as annotations
LEGACY = (
    "the body is a legacy dashboard alert of Grafana (it has evalMatches), which tells of no labels: move the rule to "
    'unified alerting, whose webhook has version "1"'
)
NOT_A_WEBHOOK = (
    'the body is not a webhook of Grafana\'s unified alerting: an object with a list "alerts" and version "1" is '
    "expected (leave the contact point's custom payload empty)"
)


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alerts of one webhook; raise InvalidAlert when the whole body cannot be used."""
    body = _checked(decode_json(read_body(request, settings)))
    entries = body["alerts"]
    if len(entries) > settings.max_alerts:
        raise InvalidAlert("too_large", f"{len(entries)} alerts in one body, at most {settings.max_alerts} are taken")
    truncated = _count(body.get("truncatedAlerts"))
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=request.delivery_id or hashlib.sha256(request.body).hexdigest(),
        group_key=text_of(body.get("groupKey")) or None,
    )
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    for index, entry in enumerate(entries):
        try:
            draft = _draft(entry, body)
            if truncated:
                draft.warnings.append("truncated")
            alerts.append(_named(normalise(draft, Batch(index, len(entries), truncated), delivery)))
        except RefusedAlert as error:
            rejected.append(Rejected(index, str(error)))
    return Parsed(tuple(alerts), tuple(rejected), ("truncated",) if truncated else ())


def _checked(body: Any) -> Mapping[str, Any]:
    if isinstance(body, dict) and "evalMatches" in body:
        raise InvalidAlert("schema", LEGACY)
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        raise InvalidAlert("schema", NOT_A_WEBHOOK)
    if body.get("version", PAYLOAD_VERSION) != PAYLOAD_VERSION:
        raise InvalidAlert("schema", NOT_A_WEBHOOK)
    return body


def _draft(entry: Any, body: Mapping[str, Any]) -> Draft:
    if not isinstance(entry, dict):
        raise RefusedAlert("an alert is not an object")
    warnings: list[str] = []
    labels = read_labels(entry.get("labels"), warnings)
    annotations = _annotations(entry, warnings)
    organisation = _count(body.get("orgId"))
    return Draft(
        status=_status(entry, labels, annotations),
        labels={ORGANISATION: str(organisation), **labels} if organisation and labels else labels,
        annotations=annotations,
        starts_at=entry.get("startsAt"),
        ends_at=entry.get("endsAt"),
        fingerprint=text_of(entry.get("fingerprint")),
        links=_links(entry, body),
        warnings=warnings,
        values=_values(entry.get("values")),
    )


def _status(entry: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str]) -> AlertStatus:
    status = STATUSES.get(text_of(entry.get("status")), "unknown")
    reasons = {reason.strip() for reason in annotations.get(REASON, "").split(",")}
    without_data = labels.get("alertname") in WITHOUT_DATA or not REASONS.isdisjoint(reasons)
    return "nodata" if status == "firing" and without_data else status


def _named(alert: Alert) -> Alert:
    """Return the alert under the name of its rule, where its own name says only that there is no data."""
    rule = alert.labels.get(RULE_NAME, "").strip()
    return replace(alert, name=rule[:MAX_NAME]) if rule and alert.name in WITHOUT_DATA else alert


def _annotations(entry: Mapping[str, Any], warnings: list[str]) -> dict[str, str]:
    told = read_annotations(entry.get("annotations"), warnings)
    more = {name: text_of(entry.get(key)) for key, name in TEXTS.items()}
    return {**{name: text for name, text in more.items() if text}, **told}


def _links(entry: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    panel, dashboard = text_of(entry.get("panelURL")), text_of(entry.get("dashboardURL"))
    return {
        "generator": text_of(entry.get("generatorURL")),
        "silence": text_of(entry.get("silenceURL")),
        "dashboard": dashboard or panel,
        "source": text_of(body.get("externalURL")),
    }


def _values(told: object) -> dict[str, float]:
    numbers = {
        name: float(value)
        for name, value in map_of(told).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }
    return numbers if len(numbers) <= MOST_VALUES else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT else 0


SOURCE = SourceSpec(
    name="grafana",
    parse=parse,
    methods=("POST", "PUT"),
    notes=(
        SenderNote(
            sender="[Grafana](#grafana) unified alerting, payload version 1",
            proves="`presentedAs: grafana` (a signature), bearer token, password",
            retries="nothing; the whole group again at its next flush",
            example="grafana-firing.json",
        ),
    ),
)
