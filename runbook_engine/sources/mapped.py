"""Alerts of any sender that posts JSON, read as a mapping of engine.yaml says.

A mapping only points and translates, so nothing in a body can compute. What is missing refuses the one alert that
misses it, and the reason names the place where it should stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, AlertStatus, Batch
from runbook_engine.model.delivery import (
    IGNORED,
    Parsed,
    Rejected,
    Request,
    SenderNote,
    SourceSettings,
    SourceSpec,
)
from runbook_engine.model.mapping import IGNORE, AlertMapping, Choice, Condition
from runbook_engine.sources.body import read_body
from runbook_engine.sources.bus_event import REPLAYED, read_bus_event
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.mapped_values import Entry
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.strict_json import decode_json

MOST_CHARACTERS = 256
UNKNOWN_STATUS = "unknown_status"  # the code of a status that the mapping has no word for
STATUSES: Mapping[str, AlertStatus] = {
    "firing": "firing",
    "resolved": "resolved",
    "nodata": "nodata",
    "suppressed": "suppressed",
}


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alerts of one delivery; raise InvalidAlert when the whole body cannot be used."""
    mapping = settings.mapping
    if mapping is None:
        raise InvalidAlert("schema", "the scope has no mapping (write mapping: NAME beside source: mapped)")
    body = decode_json(read_body(request, settings))
    entries = _entries(body, mapping, settings)
    event = read_bus_event(body) if request.origin else None
    replayed = event is not None and event.replayed
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=request.delivery_id or hashlib.sha256(request.body).hexdigest(),
        group_key=None,
        kind="event" if replayed else mapping.kind,
    )
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    ignored = said = 0
    for index, told in enumerate(entries):
        try:
            draft = _draft(Entry(told, body), mapping)
            if draft is None:
                ignored += 1
                continue
            said += _size(draft)
            if said > settings.max_decoded_bytes:
                raise InvalidAlert("too_large", _too_much(mapping, settings))
            alerts.append(normalise(draft, Batch(index, len(entries)), delivery))
        except RefusedAlert as error:
            rejected.append(Rejected(index, str(error)))
    unknown = any(alert.status == "unknown" for alert in alerts)
    codes = ((IGNORED, ignored > 0), (REPLAYED, replayed), (UNKNOWN_STATUS, unknown))
    return Parsed(tuple(alerts), tuple(rejected), tuple(code for code, holds in codes if holds))


def _size(draft: Draft) -> int:
    """Return the characters of what is kept of an alert."""
    texts = chain(draft.labels, draft.labels.values(), draft.annotations.values(), draft.links.values(), draft.identity)
    return sum(map(len, texts))


def _too_much(mapping: AlertMapping, settings: SourceSettings) -> str:
    return (
        f"the alerts of the body say more than {settings.max_decoded_bytes} characters together, many times what the "
        f'body holds (the mapping "{mapping.name}" makes each of them say what stands once in it)'
    )


def _entries(body: Any, mapping: AlertMapping, settings: SourceSettings) -> list[Any]:
    told = mapping.alerts.find(body, body)
    if isinstance(told, dict):
        return [told]
    if not isinstance(told, list):
        where = f"at {mapping.alerts} of the body" if mapping.alerts.parts else "in the body"
        says = f'the mapping "{mapping.name}" finds neither an alert nor a list of alerts {where}'
        raise InvalidAlert("schema", says)
    if len(told) > settings.max_alerts:
        raise InvalidAlert("too_large", f"{len(told)} alerts in one body, at most {settings.max_alerts} are taken")
    return told


def _draft(entry: Entry, mapping: AlertMapping) -> Draft | None:
    """Return what one alert says; None when it is none that is wanted."""
    if not isinstance(entry.alert, dict):
        raise RefusedAlert("an alert is not an object")
    if any(_holds(condition, entry) for condition in mapping.ignore):
        return None
    _demand_expected(mapping.expect, entry, mapping)
    status = entry.text(mapping.status, "status")
    if status == IGNORE:
        return None
    warnings: list[str] = []
    times = mapping.times
    return Draft(
        status=STATUSES.get(status, "unknown"),
        labels=_labels(entry, mapping, warnings),
        annotations=entry.prose(mapping.annotations, warnings, "annotation_dropped"),
        starts_at=entry.time(mapping.starts_at, times),
        ends_at=entry.time(mapping.ends_at, times) if status == "resolved" else None,
        fingerprint="",
        links=entry.prose(mapping.links, warnings, "link_dropped"),
        warnings=warnings,
        identity=tuple(entry.text(choice, "identity") for choice in mapping.identity),
        cycle=_optional(entry, mapping.cycle, "cycle") or "",
        observed_at=entry.time(mapping.observed_at, times),
        severity=_optional(entry, mapping.severity, "severity"),
        values=entry.numbers(mapping.values),
    )


def _holds(condition: Condition, entry: Entry) -> bool:
    return entry.word(condition.place) in condition.words


def _demand_expected(conditions: Iterable[Condition], entry: Entry, mapping: AlertMapping) -> None:
    for condition in conditions:
        if not _holds(condition, entry):
            raise RefusedAlert(
                f'what stands at {condition.place} is not what the mapping "{mapping.name}" expects: '
                f"{' or '.join(condition.words)}"
            )


def _labels(entry: Entry, mapping: AlertMapping, warnings: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for spread in mapping.spreads:
        for name, value in entry.spread(spread, warnings).items():
            labels.setdefault(name, value)
    named = {name: entry.text(choice, f"label {name}") for name, choice in mapping.labels.items()}
    labels |= {name: value for name, value in named.items() if value}
    labels["alertname"] = entry.text(mapping.alert_name, "name")
    return labels


def _optional(entry: Entry, choice: Choice | None, wanted: str) -> str | None:
    text = None if choice is None else entry.text(choice, wanted)
    if text is not None and len(text) > MOST_CHARACTERS:
        raise RefusedAlert(f"what stands at {choice} is longer than {MOST_CHARACTERS} characters")
    return text


SOURCE = SourceSpec(
    name="mapped",
    parse=parse,
    notes=(
        SenderNote(
            sender="whoever posts JSON, [by a mapping](#any-other-sender)",
            proves="bearer token, password, a header of its own, signature",
            retries="its own business",
            comes="posted, or through AWS",
        ),
    ),
)
