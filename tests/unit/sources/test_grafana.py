"""Grafana's webhook means what its rules mean, whatever Grafana hides of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.correlation import observe_alert
from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import Alert, Links
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.registry import Registry
from runbook_engine.sources import grafana
from tests.length import examples
from tests.unit.sources.anything import JSON

SENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "alerts" / "grafana-firing.json").read_text())
NOW = datetime(2026, 5, 11, 7, 16, 5, tzinfo=UTC)
EXPECTED = (
    'schema: the body is not a webhook of Grafana\'s unified alerting: an object with a list "alerts" and version "1" '
    "is expected (leave the contact point's custom payload empty)"
)


def parse(body: object, settings: SourceSettings | None = None) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return grafana.SOURCE.parse(Request("graf", "grafana", {}, raw, NOW), settings or SourceSettings())


def only(**changes: Any) -> Alert:
    """Return the alert of the documented payload with some of its fields changed."""
    parsed = parse(SENT | {"alerts": [SENT["alerts"][0] | changes]})
    assert () == parsed.rejected
    (alert,) = parsed.alerts
    return alert


def test_a_payload_is_read_whole() -> None:
    """Every field of the model, from the documented payload."""
    alert = only()

    assert alert == Alert(
        scope="graf",
        source="grafana",
        name="QueueAge",
        labels={
            "alertname": "QueueAge",
            "queue": "invoices",
            "grafana_folder": "billing",
            "severity": "warning",
            "grafana_org_id": "3",
        },
        annotations={
            "summary": "oldest invoice message is 19 min old",
            "value_string": "[ var='A' value=1140.5 ]",
        },
        alert_key=alert.alert_key,
        received_at=NOW,
        status="firing",
        severity="warning",
        severity_raw="warning",
        starts_at=datetime(2026, 5, 11, 7, 15, tzinfo=UTC),
        fingerprint="1f0c9a77be03d2e4",
        fingerprint_kind="native",
        group_key='{}/{grp="a"}:{alertname="QueueAge"}',
        delivery_id=alert.delivery_id,
        values={"A": 1140.5, "C": 1.0},
        links=Links(
            generator="https://graf.example/alerting/grafana/x1/view",
            silence="https://graf.example/alerting/silence/new",
            source="https://graf.example/",
        ),
    )


@pytest.mark.parametrize(
    ("labels", "status", "expected"),
    [
        pytest.param({"alertname": "QueueAge"}, "firing", ("QueueAge", "firing"), id="fires"),
        pytest.param({"alertname": "QueueAge"}, "resolved", ("QueueAge", "resolved"), id="is over"),
        pytest.param({"alertname": "QueueAge"}, "alerting", ("QueueAge", "unknown"), id="another word"),
        pytest.param(
            {"alertname": "DatasourceNoData", "rulename": "QueueAge"}, "firing", ("QueueAge", "nodata"), id="no data"
        ),
        pytest.param(
            {"alertname": "DatasourceError", "rulename": "QueueAge"}, "firing", ("QueueAge", "nodata"), id="an error"
        ),
        pytest.param(
            {"alertname": "DatasourceError", "rulename": "QueueAge"}, "resolved", ("QueueAge", "resolved"), id="is well"
        ),
        pytest.param({"alertname": "DatasourceNoData"}, "firing", ("DatasourceNoData", "nodata"), id="of no rule"),
        pytest.param({"alertname": "A", "rulename": "B"}, "firing", ("A", "firing"), id="a label like the rule's"),
    ],
)
def test_a_status_is_the_alerts_own_and_never_the_groups(
    labels: dict[str, str], status: str, expected: tuple[str, str]
) -> None:
    """A rule without data says nothing about what it watches."""
    alert = only(labels=labels, status=status)

    assert expected == (alert.name, alert.status)
    assert labels.items() <= alert.labels.items()


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        pytest.param("NoData", "firing", "nodata", id="set to fire without data"),
        pytest.param("Error", "firing", "nodata", id="set to fire with an error"),
        pytest.param("NoData, KeepLast", "firing", "nodata", id="set to stay as it was"),
        pytest.param("NoDataAtAll", "firing", "firing", id="another word"),
        pytest.param("Updated", "resolved", "resolved", id="over, because somebody changed the rule"),
        pytest.param("NoData", "resolved", "resolved", id="over, and set to be well without data"),
    ],
)
def test_a_rule_that_fires_for_want_of_data_says_nothing_of_what_it_watches(
    reason: str, status: str, expected: str
) -> None:
    """It fires under its own name; Grafana writes the reason beside it."""
    alert = only(status=status, annotations={"grafana_state_reason": reason})

    assert (expected, "QueueAge") == (alert.status, alert.name)


def test_labels_that_grafana_hides_tell_alerts_apart() -> None:
    """They are counted in the fingerprint alone; without one the labels that can be seen are all there is."""
    told: tuple[dict[str, Any], ...] = (
        {},
        {"values": None, "annotations": {}},
        {"fingerprint": "1f0c9a77be03d2e5"},
        {"fingerprint": ""},
        {"fingerprint": "", "startsAt": "2026-05-11T07:15:00Z"},
    )

    keys = [only(**changes).alert_key for changes in told]

    assert keys[0] == keys[1]
    assert keys[3] == keys[4]
    assert 3 == len(set(keys))


def test_the_same_labels_in_another_organisation_are_another_alert() -> None:
    """One Grafana may serve several; without a number there is no label for it."""
    entry = SENT["alerts"][0] | {"fingerprint": ""}
    alerts = [parse(SENT | {"alerts": [entry], "orgId": number}).alerts[0] for number in (3, 4, "3", 0)]

    assert ["3", "4", None, None] == [alert.labels.get("grafana_org_id") for alert in alerts]
    assert 3 == len({alert.alert_key for alert in alerts})


def test_an_alert_without_labels_is_refused() -> None:
    """The organisation alone would make one alert of all those."""
    parsed = parse(SENT | {"alerts": [{"status": "firing", "labels": {}}, {"status": "firing"}]})

    assert [(0, "no labels"), (1, "no labels")] == [(each.index, each.reason) for each in parsed.rejected]


@pytest.mark.parametrize("source", ["grafana", "alertmanager"])
def test_a_group_key_beyond_all_measure_is_not_kept_with_every_alert(source: str) -> None:
    """Ten thousand alerts of one body would each carry it into the journal."""
    keys = ["g" * 4096, "g" * 4097, "h" * 4097]
    version = {"grafana": "1", "alertmanager": "4"}[source]
    bodies = [SENT | {"groupKey": key, "version": version} for key in keys]
    requests = [Request("g", source, {}, json.dumps(body).encode(), NOW) for body in bodies]

    found = [Registry().source(source).parse(request, SourceSettings()).alerts[0].group_key for request in requests]

    assert [keys[0], 71, 71] == [found[0], *(len(each or "") for each in found[1:])]
    assert 3 == len(set(found))


def test_a_repeat_carries_the_episode_on() -> None:
    """Grafana sends the group again for as long as it fires."""
    opened = observe_alert(only(), None).episode

    assert "repeat" == observe_alert(only(values={"A": 1200}), opened).kind
    assert "resolved" == observe_alert(only(status="resolved", endsAt="2026-05-11T07:16:00Z"), opened).kind


@pytest.mark.parametrize(
    ("changes", "links"),
    [
        pytest.param({"dashboardURL": "https://g.example/d/1"}, {"dashboard": "https://g.example/d/1"}, id="dashboard"),
        pytest.param({"panelURL": "https://g.example/d/1?p=2"}, {"dashboard": "https://g.example/d/1?p=2"}, id="panel"),
        pytest.param(
            {"dashboardURL": "https://g.example/d/1", "panelURL": "https://g.example/d/1?p=2"},
            {"dashboard": "https://g.example/d/1"},
            id="both",
        ),
        pytest.param({"generatorURL": "javascript:alert(1)"}, {"generator": None}, id="no link at all"),
        pytest.param({"silenceURL": 7}, {"silence": None}, id="no text"),
    ],
)
def test_links_are_shown_and_nothing_else(changes: dict[str, Any], links: dict[str, str | None]) -> None:
    """They are data: what is no plain address is dropped."""
    alert = only(**changes)

    assert links == {name: getattr(alert.links, name) for name in links}
    assert changes.get("panelURL") == alert.annotations.get("panel_url")


def test_one_bad_alert_leaves_the_others() -> None:
    """Its reason is told, and the batch says what was cut."""
    entries = [SENT["alerts"][0], 7, {"status": "firing", "labels": {"a": []}}, {"labels": {}}]

    parsed = parse({"alerts": entries, "truncatedAlerts": 2, "orgId": True})

    assert ["QueueAge"] == [alert.name for alert in parsed.alerts]
    assert [
        (1, "an alert is not an object"),
        (2, "a label value is an array or an object; only text, numbers and booleans are values"),
        (3, "no labels"),
    ] == [(each.index, each.reason) for each in parsed.rejected]
    assert (("truncated",), ("truncated",)) == (parsed.warnings, parsed.alerts[0].warnings)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({"version": "2", "alerts": []}, EXPECTED, id="another version"),
        pytest.param({"text": "custom"}, EXPECTED, id="a payload of somebody's own"),
        pytest.param([], EXPECTED, id="a list"),
        pytest.param({"alerts": {}}, EXPECTED, id="alerts that are none"),
        pytest.param(
            {"evalMatches": [], "ruleName": "x", "state": "alerting"},
            "schema: the body is a legacy dashboard alert of Grafana (it has evalMatches), which tells of no labels: "
            'move the rule to unified alerting, whose webhook has version "1"',
            id="a legacy alert",
        ),
        pytest.param(
            {"alerts": [SENT["alerts"][0]] * 3}, "too_large: 3 alerts in one body, at most 2 are taken", id="too many"
        ),
    ],
)
def test_another_body_is_refused_whole(body: object, message: str) -> None:
    """The sentence says what to do about it."""
    with pytest.raises(InvalidAlert) as refused:
        parse(body, SourceSettings(max_alerts=2))

    assert message == str(refused.value)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(JSON, st.lists(st.dictionaries(st.sampled_from(sorted(SENT["alerts"][0])), JSON, max_size=6), max_size=3))
def test_whatever_is_sent_is_read_or_refused(anything: Any, entries: list[dict[str, Any]]) -> None:
    """No JSON raises anything else, and every alert that is read has its place."""
    for body in (anything, {"alerts": anything, "orgId": anything}, {"alerts": entries, "truncatedAlerts": anything}):
        try:
            parsed = parse(body)
        except InvalidAlert:
            continue
        assert len(parsed.alerts) + len(parsed.rejected) == len(body["alerts"])
