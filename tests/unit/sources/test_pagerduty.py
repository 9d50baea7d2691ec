"""PagerDuty's webhook means what happened to its incident, and never that this engine should answer itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.correlation import observe_alert
from runbook_engine.engine import parse_request
from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, Links
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.registry import Registry
from runbook_engine.sources import pagerduty
from tests.length import examples
from tests.unit.sources.anything import JSON

SENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "alerts" / "pagerduty-triggered.json").read_text()
)
NOW = datetime(2026, 5, 11, 7, 41, 5, tzinfo=UTC)
OWN = (
    "the incident was opened by this engine itself, to call for help: it starts no runbook, or the engine would answer "
    "its own call"
)


def sent(kind: str = "incident.triggered", at: str = "2026-05-11T07:41:02.118Z", **changes: Any) -> dict[str, Any]:
    """Return a payload like the documented one."""
    data = SENT["event"]["data"] | changes
    return {"event": SENT["event"] | {"event_type": kind, "occurred_at": at, "data": data}}


def parse(
    body: object,
    settings: SourceSettings | None = None,
    now: datetime = NOW,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = json.dumps(body).encode()
    request = Request("pd", "pagerduty", headers, raw, now)
    return pagerduty.SOURCE.parse(request, settings or SourceSettings())


def only(kind: str = "incident.triggered", at: str = "2026-05-11T07:41:02.118Z", **changes: Any) -> Alert:
    """Return the alert of one event, received when it happened or soon after."""
    (alert,) = parse(sent(kind, at, **changes), now=max(NOW, datetime.fromisoformat(at))).alerts
    return alert


def test_a_payload_is_read_whole() -> None:
    """Every field of the model, from the documented payload."""
    alert = only()

    assert alert == Alert(
        scope="pd",
        source="pagerduty",
        name="ledger-api burn rate",
        labels={
            "alertname": "ledger-api burn rate",
            "incident_id": "Q1LEDG3R",
            "incident_key": "ledger/burn/eu-blue",
            "service": "Ledger",
            "service_id": "PSVC9",
            "urgency": "high",
            "priority": "P1",
        },
        annotations={"summary": "ledger-api burn rate", "incident_number": "8812"},
        alert_key=alert.alert_key,
        received_at=NOW,
        status="firing",
        severity="critical",
        severity_raw="P1",
        starts_at=datetime(2026, 5, 11, 7, 41, 1, tzinfo=UTC),
        observed_at=datetime(2026, 5, 11, 7, 41, 2, 118_000, tzinfo=UTC),
        fingerprint=alert.fingerprint,
        delivery_id="01HX2Q7ZK4",
        links=Links(source="https://pd.example/incidents/Q1LEDG3R"),
    )


@pytest.mark.parametrize(
    ("kind", "status", "warnings"),
    [
        pytest.param("incident.triggered", "firing", (), id="triggered"),
        pytest.param("incident.reopened", "firing", (), id="reopened"),
        pytest.param("incident.unacknowledged", "firing", (), id="left alone again"),
        pytest.param("incident.acknowledged", "firing", ("acknowledged",), id="somebody has it"),
        pytest.param("incident.resolved", "resolved", (), id="resolved"),
    ],
)
def test_an_event_means_a_status(kind: str, status: str, warnings: tuple[str, ...]) -> None:
    """What somebody acknowledged goes on firing."""
    alert = only(kind)

    assert (status, warnings) == (alert.status, alert.warnings)


@pytest.mark.parametrize(
    "kind",
    [
        "pagey.ping",
        "incident.annotated",
        "incident.priority_updated",
        "incident.responder.added",
        "incident.escalated",
        "service.updated",
        "incident.unheard_of",
    ],
)
def test_other_events_are_ignored_and_taken(kind: str) -> None:
    """A sender that hears a refusal three times is switched off for a day."""
    request = Request("pd", "pagerduty", {}, json.dumps(sent(kind)).encode(), NOW)

    parsed = parse_request(request, Configuration(scopes=(Scope(name="pd", source="pagerduty"),)), Registry())

    assert Parsed(warnings=("ignored",)) == parsed


def test_an_incident_is_its_id_from_beginning_to_end() -> None:
    """Acknowledged, told again and resolved it is one episode; reopened it is a new one."""
    opened = observe_alert(only(), None)
    acknowledged = observe_alert(only("incident.acknowledged", "2026-05-11T07:50:00Z"), opened.episode)
    left_alone = observe_alert(only("incident.unacknowledged", "2026-05-11T08:20:00Z"), acknowledged.episode)
    resolved = observe_alert(only("incident.resolved", "2026-05-11T08:30:00Z", title="renamed"), left_alone.episode)
    late = observe_alert(only("incident.unacknowledged", "2026-05-11T08:31:00Z"), resolved.episode)
    reopened = observe_alert(only("incident.reopened", "2026-05-11T09:00:00Z"), resolved.episode)

    transitions = [opened, acknowledged, left_alone, resolved, late, reopened]
    assert ["opened", "repeat", "repeat", "resolved", "late", "opened"] == [each.kind for each in transitions]
    assert resolved.episode is not None
    assert datetime(2026, 5, 11, 8, 30, tzinfo=UTC) == resolved.episode.ends_at


def test_what_somebody_took_already_begins_nothing() -> None:
    """The first that is heard of it may be that a person has it."""
    assert "recorded" == observe_alert(only("incident.acknowledged"), None).kind


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        pytest.param({}, "critical", id="the priority"),
        pytest.param(
            {"priority": {"summary": "P3"}, "urgency": "high"}, "warning", id="the priority before the urgency"
        ),
        pytest.param({"priority": None}, "high", id="the urgency"),
        pytest.param({"priority": None, "urgency": "low"}, "low", id="a low one"),
        pytest.param({"priority": {"summary": "Kitchen"}}, "high", id="a priority of no meaning"),
        pytest.param({"priority": {"summary": "Kitchen"}, "urgency": None}, "unknown", id="neither means anything"),
        pytest.param({"priority": {"summary": "House"}}, "info", id="a word of the scope"),
        pytest.param({"priority": "P1", "urgency": 1}, "unknown", id="neither is there"),
    ],
)
def test_a_severity_is_the_priority_or_the_urgency(changes: dict[str, Any], severity: str) -> None:
    """A priority may be named anything; one that says nothing leaves the urgency."""
    parsed = parse(sent(**changes), SourceSettings(severities={"house": "info"}))

    assert severity == parsed.alerts[0].severity


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"incident_key": "runbook-engine/9cc95088e703"}, id="its key"),
        pytest.param({"client": {"name": "runbook-engine"}}, id="its client"),
        pytest.param({"client": "runbook-engine"}, id="its client as a text"),
    ],
)
def test_an_incident_of_our_own_is_refused_and_taken(told: dict[str, Any]) -> None:
    """Otherwise a call for help would start the next remedy, whose failure calls for help."""
    request = Request("pd", "pagerduty", {}, json.dumps(sent(**told)).encode(), NOW)

    parsed = parse_request(request, Configuration(scopes=(Scope(name="pd", source="pagerduty"),)), Registry())

    assert () == parsed.alerts
    assert [(0, OWN)] == [(each.index, each.reason) for each in parsed.rejected]
    assert ("ignored", "own_incident") == parsed.warnings


def test_an_incident_about_this_engine_is_none_of_its_own() -> None:
    """Somebody may well watch the engine."""
    assert "firing" == only(incident_key="runbook-engine-is-down").status


def test_a_delivery_is_known_by_its_header() -> None:
    """The same for every attempt; what is no id is not kept as one."""
    told: list[dict[str, str]] = [{"x-webhook-id": "d-1"}, {}, {"x-webhook-id": "x" * 200}]

    ids = [parse(sent(), headers=headers).alerts[0].delivery_id for headers in told]

    assert ["d-1", "01HX2Q7ZK4"] == ids[:2]
    assert 64 == len(ids[2])


def test_an_incident_without_an_id_is_refused() -> None:
    """Nobody could tell when it ends."""
    parsed = parse(sent(id=None))

    assert ["the incident has no id"] == [each.reason for each in parsed.rejected]


@pytest.mark.parametrize(
    "body", [{}, [], {"event": []}, {"event": {"event_type": "incident.triggered"}}, {"messages": [{"event": "x"}]}]
)
def test_another_body_is_refused_whole(body: object) -> None:
    """Version 2 had a list of messages."""
    with pytest.raises(InvalidAlert) as refused:
        parse(body)

    assert (
        'schema: the body is not a webhook of PagerDuty, version 3: an object with an "event" that has an "event_type" '
        'and "data" is expected (make a Generic Webhook of version 3)'
    ) == str(refused.value)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(
    st.sampled_from(sorted(pagerduty.STATUSES)), st.dictionaries(st.sampled_from(sorted(SENT["event"]["data"])), JSON)
)
def test_whatever_is_sent_is_read_or_refused(kind: str, changes: dict[str, Any]) -> None:
    """No JSON raises anything else, and one event is one alert at most."""
    event = sent(kind)["event"]
    parsed = parse({"event": event | {"data": event["data"] | changes}})

    assert 1 == len(parsed.alerts) + len(parsed.rejected)


@settings(max_examples=examples(40))
@given(JSON)
def test_any_json_is_read_or_refused(anything: Any) -> None:
    """Nothing but a refusal comes of what is no webhook."""
    for body in (anything, {"event": anything}, {"event": {"event_type": "incident.triggered", "data": anything}}):
        with suppress(InvalidAlert):
            parsed = parse(body)
            assert 1 >= len(parsed.alerts) + len(parsed.rejected)


def test_news_is_as_old_as_its_event() -> None:
    """What is older than it may be is told as late, and closes what it closes."""
    scope = Configuration(scopes=(Scope(name="pd", source="pagerduty"),))
    kinds = []
    for minutes, kind in ((14, "incident.triggered"), (16, "incident.triggered"), (16, "incident.resolved")):
        at = (NOW - timedelta(minutes=minutes)).isoformat()
        body = json.dumps(sent(kind, at)).encode()
        request = Request("pd", "pagerduty", {}, body, NOW, fresh_within=timedelta(minutes=15))
        parsed = parse_request(request, scope, Registry())
        kinds.append((observe_alert(parsed.alerts[0], None).kind, parsed.warnings))

    assert [("opened", ()), ("opened", ("told_late",)), ("tombstone", ())] == kinds
