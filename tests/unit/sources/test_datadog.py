"""Datadog's webhook means what its monitor means, through the payload that we ship and no other."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.correlation import observe_alert
from runbook_engine.errors import InvalidAlert, RunbookError
from runbook_engine.model.alert import Alert, Links
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.sources import datadog

SENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "alerts" / "datadog-re-triggered.json").read_text()
)
NOW = datetime(2026, 5, 11, 7, 41, 5, tzinfo=UTC)


def parse(body: object, settings: SourceSettings | None = None, now: datetime = NOW, **headers: str) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return datadog.SOURCE.parse(Request("dd", "datadog", headers, raw, now), settings or SourceSettings())


def only(now: datetime = NOW, **changes: Any) -> Alert:
    """Return the alert of the documented payload with some fields changed."""
    parsed = parse(SENT | changes, now=now)
    assert () == parsed.rejected
    (alert,) = parsed.alerts
    return alert


def test_a_payload_is_read_whole() -> None:
    """Every field of the model, from the documented payload."""
    alert = only()

    assert alert == Alert(
        scope="dd",
        source="datadog",
        name="p99 above 2s",
        labels={
            "alertname": "p99 above 2s",
            "monitor_id": "48120",
            "env": "prod",
            "service": "ledger-api",
            "team": "payments",
            "url": "https://x.example:8443/a",
        },
        annotations={"summary": "[Re-Triggered] p99 above 2s", "description": "p99 is 2.7s"},
        alert_key=alert.alert_key,
        received_at=NOW,
        status="firing",
        severity="high",
        severity_raw="P2",
        starts_at=datetime(2026, 5, 11, 7, 40, 12, tzinfo=UTC),
        observed_at=datetime(2026, 5, 11, 7, 41, 0, tzinfo=UTC),
        fingerprint=alert.fingerprint,
        cycle="7718999000112",
        group_key="c0ffee12",
        delivery_id="7719003344",
        links=Links(source="https://dd.example/event/7719003344"),
    )


@pytest.mark.parametrize(
    ("changes", "status", "severity"),
    [
        pytest.param({"transition": "Triggered"}, "firing", "high", id="triggered"),
        pytest.param({"transition": "Renotify"}, "firing", "high", id="told again, of an error"),
        pytest.param(
            {"transition": "Renotify", "alert_type": "warning"}, "firing", "warning", id="again, of a warning"
        ),
        pytest.param({"transition": "Renotify", "alert_type": "success"}, "unknown", "high", id="again, of no fault"),
        pytest.param({"transition": "Warn"}, "firing", "warning", id="a warning of a P2 monitor"),
        pytest.param({"transition": "Re-Warn", "priority": "P5"}, "firing", "info", id="a warning that is less"),
        pytest.param({"transition": "No Data"}, "nodata", "high", id="no data"),
        pytest.param({"transition": "Re-No Data"}, "nodata", "high", id="no data still"),
        pytest.param({"transition": "Recovered"}, "resolved", "high", id="recovered"),
        pytest.param({"transition": "Muted"}, "suppressed", "high", id="muted"),
        pytest.param({"transition": "Null"}, "unknown", "high", id="null"),
        pytest.param({"transition": "$ALERT_TRANSITION"}, "unknown", "high", id="not filled in"),
        pytest.param({"priority": "$ALERT_PRIORITY"}, "firing", "high", id="no priority: the type says error"),
        pytest.param({"priority": "", "alert_type": "warning"}, "firing", "warning", id="the type says warning"),
        pytest.param({"priority": "", "alert_type": "info"}, "firing", "info", id="the type says info"),
        pytest.param({"priority": "", "alert_type": "$ALERT_TYPE"}, "firing", "info", id="nothing says how severe"),
    ],
)
def test_a_transition_means_a_status_and_how_severe(changes: dict[str, Any], status: str, severity: str) -> None:
    """The priority is the monitor's, and a warning is never more than a warning."""
    alert = only(**changes)

    assert (status, severity) == (alert.status, alert.severity)


def test_an_alert_is_its_monitor_and_its_scope_in_any_order() -> None:
    """Datadog does not keep the order of a scope."""
    keys: list[str] = [
        only(NOW, **told).alert_key
        for told in (
            {},
            {"scope": "env:prod, service:ledger-api"},
            {"title": "[Recovered] another title", "tags": ""},
            {"scope": "env:prod"},
            {"scope": "env:prodservice:ledger-api"},
            {"monitor_id": "48121"},
        )
    ]

    assert [True, True, True, False, False, False] == [key == keys[0] for key in keys]


def test_a_cycle_is_one_episode_however_long_it_takes() -> None:
    """Every notification has a date of its own; the cycle key says that nothing began anew."""
    opened = observe_alert(only(), None, cycle=only().cycle).episode
    later = only(now=NOW + timedelta(hours=4), date_ms="1778499612000", updated_ms="$LAST_UPDATED")
    next_cycle = only(now=NOW + timedelta(hours=4), date_ms="1778499612000", cycle_key="9")

    assert "repeat" == observe_alert(later, opened, cycle=later.cycle).kind
    assert "superseded" == observe_alert(next_cycle, opened, cycle=next_cycle.cycle).kind


def test_a_recovery_ends_the_episode_at_its_date() -> None:
    """It tells no start, and needs none."""
    opened = observe_alert(only(), None, cycle="7718999000112").episode
    recovered = only(now=NOW + timedelta(minutes=9), transition="Recovered", date_ms="1778485800000")

    closed = observe_alert(recovered, opened, cycle=recovered.cycle)

    assert ((), None, "resolved") == (recovered.warnings, recovered.starts_at, closed.kind)
    assert closed.episode is not None
    assert datetime(2026, 5, 11, 7, 50, tzinfo=UTC) == closed.episode.ends_at


@pytest.mark.parametrize(
    ("tags", "labels"),
    [
        pytest.param("a:b:c", {"a": "b:c"}, id="split at the first colon"),
        pytest.param("monitor, prod", {"monitor": "true", "prod": "true"}, id="bare tags"),
        pytest.param("a:2, a:1,a:2", {"a": "1,2"}, id="a key that comes twice"),
        pytest.param(" , :x,, ", {}, id="nothing in it"),
        pytest.param("alertname:fake,monitor_id:1", {}, id="what only the monitor says"),
        pytest.param("$TAGS", {}, id="not filled in"),
    ],
)
def test_tags_become_labels(tags: str, labels: dict[str, str]) -> None:
    """Verbatim, and never in place of what the monitor is."""
    alert = only(tags=tags, scope="")

    assert {"alertname": "p99 above 2s", "monitor_id": "48120", **labels} == alert.labels


@pytest.mark.parametrize(
    ("title", "name"),
    [
        pytest.param("[P2] [Triggered on {env:prod}] p99 above 2s", "p99 above 2s", id="a priority and a scope"),
        pytest.param("[Recovered] [checkout] errors", "[checkout] errors", id="brackets of its own"),
        pytest.param("p99", "p99", id="a plain title"),
        pytest.param("$ALERT_TITLE", "unnamed", id="no title"),
    ],
)
def test_a_name_is_the_title_without_its_transition(title: str, name: str) -> None:
    """Otherwise a recovery would be another alert to matchers."""
    assert name == only(title=title).name


NO_MONITOR = "monitor_id is not filled in: only notifications of monitors are alerts"
NOT_OURS = (
    'schema: the payload is not ours: "schema" must be "rb.datadog.v1" (paste the payload of docs/senders.md into the '
    "webhook, unchanged, and leave Encode as form off)"
)


@pytest.mark.parametrize(
    ("body", "headers", "sentence"),
    [
        pytest.param({"id": "$ID", "title": "$EVENT_TITLE"}, {}, NOT_OURS, id="Datadog's own example"),
        pytest.param([], {}, NOT_OURS, id="no object"),
        pytest.param(SENT | {"schema": "rb.datadog.v2"}, {}, NOT_OURS, id="another version"),
        pytest.param(
            b"schema=rb.datadog.v1",
            {"content-type": "application/x-www-form-urlencoded"},
            "unsupported_media_type: the Content-Type is not one of: application/json, application/*+json",
            id="a form",
        ),
        pytest.param(
            b'{"schema": "rb.datadog.v1", "title": }',
            {},
            "invalid_json: the body is not valid JSON: JSON is malformed: invalid character (byte 37)",
            id="a variable that broke the JSON",
        ),
    ],
)
def test_any_other_payload_is_refused_with_the_way_out(body: object, headers: dict[str, Any], sentence: str) -> None:
    """Guessing at what somebody typed would start the wrong runbook some day."""
    with pytest.raises(InvalidAlert) as caught:
        parse(body, **{name.replace("_", "-"): value for name, value in headers.items()})

    assert sentence == str(caught.value)


@pytest.mark.parametrize("monitor", ["", "$ALERT_ID", None, 48120])
def test_an_event_without_a_monitor_is_rejected(monitor: object) -> None:
    """A webhook can be called from comments and events too."""
    parsed = parse(SENT | {"monitor_id": monitor})

    assert [NO_MONITOR] == [rejected.reason for rejected in parsed.rejected]


def test_the_payload_that_people_paste_is_the_one_that_is_read() -> None:
    """The documentation ships the payload, and a variable that is not filled in is known by it."""
    page = (Path(__file__).parents[3] / "docs" / "senders.md").read_text()
    (pasted,) = re.findall(r"```json file=template\.json\n(.*?)```", page, re.DOTALL)

    assert datadog.TEMPLATE == json.loads(pasted)
    rejected = parse(json.loads(pasted)).rejected
    assert ["monitor_id is not filled in: only notifications of monitors are alerts"] == [
        one.reason for one in rejected
    ]


VALUE = st.none() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=5), max_size=2)


@given(st.dictionaries(st.sampled_from([*SENT, "other"]), VALUE))
def test_no_payload_breaks_the_source(changes: dict[str, Any]) -> None:
    """Any value in any field is read, rejected or refused."""
    try:
        parsed = parse(SENT | changes)
    except RunbookError:
        return

    assert {"dd"} >= {alert.scope for alert in parsed.alerts}
