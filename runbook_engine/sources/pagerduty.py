"""PagerDuty's webhooks, version 3: what happened to an incident.

An incident is known by its id, from its beginning to its end; reopened it fires anew. One that somebody acknowledged
goes on firing and begins nothing. An incident that this engine opened itself, to call for help, must not come back as
an alert: it is known by its key, marked and refused, and its sender is told that all is well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import ACKNOWLEDGED, SEVERITY_NUMBERS, AlertStatus, Batch
from runbook_engine.model.delivery import IGNORED, Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.sources.body import read_body
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.severities import severity_of
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import list_of, map_of, text_of

DELIVERY = "x-webhook-id"  # the same for every attempt
OWN_CLIENT = "runbook-engine"  # who this engine says that it is, where it opens an incident
OWN_KEYS = "runbook-engine/"  # how the keys of such incidents begin
OWN_INCIDENT = "own_incident"
REOPENED = "incident.reopened"
STATUSES: Mapping[str, AlertStatus] = {
    "incident.triggered": "firing",
    REOPENED: "firing",
    "incident.acknowledged": "firing",
    "incident.unacknowledged": "firing",
    "incident.resolved": "resolved",
}
NOT_A_WEBHOOK = (
    'the body is not a webhook of PagerDuty, version 3: an object with an "event" that has an "event_type" and "data" '
    "is expected (make a Generic Webhook of version 3)"
)

OWN_SENTENCE = (
    "the incident was opened by this engine itself, to call for help: it starts no runbook, or the engine would answer "
    "its own call"
)


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alert that an event means; raise InvalidAlert when the body is none of PagerDuty's."""
    body = decode_json(read_body(request, settings))
    event = map_of(map_of(body).get("event"))
    kind, incident = text_of(event.get("event_type")), map_of(event.get("data"))
    if not kind or not isinstance(event.get("data"), dict):
        raise InvalidAlert("schema", NOT_A_WEBHOOK)
    if kind not in STATUSES:
        return Parsed(warnings=(IGNORED,))
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=_delivery_id(request, event),
        group_key=None,
    )
    try:
        if _is_own(event, incident):
            return Parsed(rejected=(Rejected(0, OWN_SENTENCE),), warnings=(IGNORED, OWN_INCIDENT))
        return Parsed((normalise(_draft(kind, event, incident, settings), Batch(), delivery),))
    except RefusedAlert as error:
        return Parsed(rejected=(Rejected(0, str(error)),))


def _delivery_id(request: Request, event: Mapping[str, Any]) -> str:
    told = request.delivery_id or request.headers.get(DELIVERY, "") or text_of(event.get("id"))
    return told if 0 < len(told) <= 128 else hashlib.sha256(request.body).hexdigest()


def _is_own(event: Mapping[str, Any], incident: Mapping[str, Any]) -> bool:
    if text_of(incident.get("incident_key")).startswith(OWN_KEYS):
        return True
    clients = (map_of(each.get("client")).get("name") or each.get("client") for each in (event, incident))
    return OWN_CLIENT in clients


def _draft(kind: str, event: Mapping[str, Any], incident: Mapping[str, Any], settings: SourceSettings) -> Draft:
    identity = text_of(incident.get("id"))
    if not identity:
        raise RefusedAlert("the incident has no id")
    status = STATUSES[kind]
    happened = event.get("occurred_at")
    return Draft(
        status=status,
        labels=_labels(incident, identity),
        annotations=_annotations(incident, event),
        starts_at=None if status == "resolved" else happened if kind == REOPENED else incident.get("created_at"),
        ends_at=happened if status == "resolved" else None,
        fingerprint="",
        links={"source": text_of(incident.get("html_url"))},
        warnings=[ACKNOWLEDGED] if kind == "incident.acknowledged" else [],
        identity=(identity,),
        observed_at=happened,
        severity=_severity(incident, settings),
    )


def _labels(incident: Mapping[str, Any], identity: str) -> dict[str, str]:
    service, priority = map_of(incident.get("service")), map_of(incident.get("priority"))
    teams = {text_of(map_of(team).get("summary")) for team in list_of(incident.get("teams"))}
    labels = {
        "alertname": text_of(incident.get("title")),
        "incident_id": identity,
        "incident_key": text_of(incident.get("incident_key")),
        "service": text_of(service.get("summary")),
        "service_id": text_of(service.get("id")),
        "team": ",".join(sorted(filter(None, teams))),
        "urgency": text_of(incident.get("urgency")),
        "priority": text_of(priority.get("summary")),
    }
    return {name: value for name, value in labels.items() if value}


def _annotations(incident: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, str]:
    number = incident.get("number")
    told = {
        "summary": text_of(incident.get("title")),
        "incident_number": str(number) if isinstance(number, int) and not isinstance(number, bool) else "",
        "by": text_of(map_of(event.get("agent")).get("summary")),
        "resolve_reason": text_of(map_of(incident.get("resolve_reason")).get("type")),
    }
    return {name: text for name, text in told.items() if text}


def _severity(incident: Mapping[str, Any], settings: SourceSettings) -> str:
    """Return the word of the priority where it means something, else the urgency: a priority may be named anything."""
    priority, urgency = text_of(map_of(incident.get("priority")).get("summary")), text_of(incident.get("urgency"))
    known = SEVERITY_NUMBERS[severity_of(priority, settings.severities)] >= 0
    return priority if priority and (known or not urgency) else urgency


SOURCE = SourceSpec(
    name="pagerduty",
    parse=parse,
    notes=(
        SenderNote(
            sender="[PagerDuty](#pagerduty) webhooks, version 3",
            proves="`presentedAs: pagerduty` (a signature)",
            retries="5xx, 429, timeouts: four times in 20 minutes",
            example="pagerduty-triggered.json",
        ),
    ),
)
