"""An alarm of CloudWatch means one thing, however AWS spells it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.correlation import observe_alert
from runbook_engine.errors import InvalidAlert, RunbookError
from runbook_engine.model.alert import Alert, Resource
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.target import Target
from runbook_engine.sources import cloudwatch
from tests.length import examples

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
EVENT: dict[str, Any] = json.loads((ALERTS / "cloudwatch-events-alarm.json").read_text())
MESSAGE: dict[str, Any] = json.loads((ALERTS / "cloudwatch-message-alarm.json").read_text())
ACTION: dict[str, Any] = json.loads((ALERTS / "cloudwatch-action-alarm.json").read_text())
ARN = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:ledger-dlq-depth"
ALARMED = datetime(2026, 5, 11, 7, 40, 12, 318000, tzinfo=UTC)
NOW = ALARMED + timedelta(seconds=5)


def parse(
    body: object, settings: SourceSettings | None = None, *, origin: str = "topic t", now: datetime = NOW
) -> Parsed:
    """Hand a body to the source as a host would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("alarms", "cloudwatch", {}, raw, now, delivery_id="d1", origin=origin)
    return cloudwatch.SOURCE.parse(request, settings or SourceSettings())


def only(body: object, settings: SourceSettings | None = None, now: datetime = NOW) -> Alert:
    """Return the one alert of a body."""
    parsed = parse(body, settings, now=now)
    assert () == parsed.rejected
    (alert,) = parsed.alerts
    return alert


def event(state: str = "ALARM", before: str | None = "OK", **detail: Any) -> dict[str, Any]:
    """Return an event of EventBridge with another state."""
    changed = copy.deepcopy(EVENT)
    changed["detail"]["state"]["value"] = state
    if before is None:
        del changed["detail"]["previousState"]
    else:
        changed["detail"]["previousState"]["value"] = before
    changed["detail"]["state"] |= detail.pop("more", {})
    changed["detail"] |= detail
    return changed


def test_an_event_is_read_whole() -> None:
    """Every field of the model, from the documented event."""
    alert = only(EVENT)

    assert alert == Alert(
        scope="alarms",
        source="cloudwatch",
        name="ledger-dlq-depth",
        labels={
            "alertname": "ledger-dlq-depth",
            "arn": ARN,
            "account_id": "210987654321",
            "region": "eu-west-1",
            "metric_namespace": "AWS/SQS",
            "metric_name": "ApproximateNumberOfMessagesVisible",
            "dimension_QueueName": "ledger-dlq",
        },
        annotations={"summary": "Threshold Crossed: 2 datapoints were greater than the threshold (0.0)."},
        alert_key=alert.alert_key,
        received_at=NOW,
        starts_at=ALARMED,
        observed_at=ALARMED,
        fingerprint=alert.fingerprint,
        delivery_id="d1",
        resource=Resource(account="210987654321", region="eu-west-1", arn=ARN),
    )


def test_three_spellings_are_one_alert() -> None:
    """The same alarm over two roads at once is one episode."""
    alerts = [only(body) for body in (EVENT, MESSAGE, ACTION)]

    assert 1 == len({(alert.alert_key, alert.starts_at, alert.status, alert.resource) for alert in alerts})
    assert only(EVENT).labels == only(MESSAGE).labels
    assert {"threshold": 0.0} == only(MESSAGE).values


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        pytest.param(event("ALARM"), "firing", "alert", id="an alarm"),
        pytest.param(event("OK", "ALARM"), "resolved", "alert", id="well again"),
        pytest.param(event("OK", "INSUFFICIENT_DATA"), "resolved", "alert", id="data is there again and is well"),
        pytest.param(event("OK", "OK"), "resolved", "control", id="set up"),
        pytest.param(event("INSUFFICIENT_DATA", "ALARM"), "nodata", "alert", id="data stopped"),
        pytest.param(event("BROKEN"), "unknown", "alert", id="a state that nobody knows"),
        pytest.param(
            event("ALARM", more={"actionsSuppressedBy": "WaitPeriod"}),
            "suppressed",
            "alert",
            id="suppressed for a while",
        ),
        pytest.param(event("ALARM", muteDetail={"muteRuleArn": "arn"}), "suppressed", "alert", id="muted by a rule"),
        pytest.param(event("OK", "ALARM", muteDetail={"a": 1}), "resolved", "alert", id="well again while muted"),
        pytest.param(
            MESSAGE | {"NewStateValue": "OK", "OldStateValue": "ALARM"}, "resolved", "alert", id="a message: well"
        ),
        pytest.param(MESSAGE | {"ActionsSuppressedBy": "Alarm"}, "suppressed", "alert", id="a message: suppressed"),
        pytest.param(event("ALARM") | {"replay-name": "r"}, "firing", "event", id="out of an archive"),
    ],
)
def test_a_state_means_a_status(body: object, status: str, kind: str) -> None:
    """Only an alarm that nobody suppresses fires, and what is told again begins nothing."""
    alert = only(body)

    assert (status, kind) == (alert.status, alert.kind)


def test_a_replayed_alarm_is_marked_and_opens_no_episode() -> None:
    """History is recorded, and nobody acts on it."""
    alert = only(event() | {"replay-name": "last-week"})

    assert ("replayed",) == alert.warnings
    assert "recorded" == observe_alert(alert, None).kind


def test_an_alarm_whose_suppression_changes_is_no_new_episode() -> None:
    """A composite alarm goes from ALARM to ALARM, and hours later too."""
    opened = observe_alert(only(event()), None).episode
    hours_later = event("ALARM", "ALARM", more={"timestamp": "2026-05-11T11:40:12.000+0000"})

    again = observe_alert(only(hours_later, now=NOW + timedelta(hours=4)), opened)

    assert "repeat" == again.kind


def test_an_alarm_is_over_when_it_is_well_again_whatever_was_in_between() -> None:
    """From alarm to no data to well closes the episode that the alarm opened."""
    opened = observe_alert(only(event()), None).episode
    nodata = observe_alert(only(event("INSUFFICIENT_DATA", "ALARM")), opened)
    well = event("OK", "INSUFFICIENT_DATA", more={"timestamp": "2026-05-11T08:40:12.000+0000"})

    closed = observe_alert(only(well, now=NOW + timedelta(hours=1)), nodata.episode)

    assert ("recorded", "resolved") == (nodata.kind, closed.kind)
    assert closed.episode is not None
    assert ALARMED + timedelta(hours=1) - timedelta(microseconds=318000) == closed.episode.ends_at


def test_each_contributor_is_an_alert_of_its_own() -> None:
    """One alarm over many series fires for each, and tells no earlier state."""
    body = event("ALARM", None, alarmContributor={"id": "c1", "attributes": {"InstanceId": "i-1"}})
    body["detail-type"] = "CloudWatch Alarm Contributor State Change"
    other = copy.deepcopy(body)
    other["detail"]["alarmContributor"]["id"] = "c2"

    alerts = [only(each) for each in (EVENT, body, other)]

    assert 3 == len({alert.alert_key for alert in alerts})
    assert ("i-1", "firing", ALARMED) == (
        alerts[1].labels["attribute_InstanceId"],
        alerts[1].status,
        alerts[1].starts_at,
    )


def test_a_sum_over_metrics_names_only_what_they_share() -> None:
    """Metric maths has several metrics; a label must be true of all of them."""
    stats = [
        {"id": name, "metricStat": {"metric": {"namespace": "AWS/Lambda", "name": metric, "dimensions": dimensions}}}
        for name, metric, dimensions in (
            ("m1", "Errors", {"FunctionName": "orders", "Resource": "orders:live"}),
            ("m2", "Invocations", {"FunctionName": "orders", "Resource": "orders:7"}),
        )
    ]
    expression = {"id": "e1", "expression": "m1 / m2", "returnData": True}

    labels = only(event(configuration={"metrics": [*stats, expression]})).labels

    assert {"metric_namespace": "AWS/Lambda", "dimension_FunctionName": "orders"} == {
        name: value for name, value in labels.items() if name.startswith(("metric_", "dimension_"))
    }


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param({"metrics": [{"id": "q", "expression": "SELECT AVG(x) FROM y"}]}, id="a query"),
        pytest.param({"alarmRule": "ALARM(a) AND ALARM(b)"}, id="a composite alarm"),
        pytest.param({}, id="nothing"),
    ],
)
def test_an_alarm_without_metrics_of_its_own_is_an_alert_too(configuration: dict[str, Any]) -> None:
    """Queries and composite alarms name no dimension."""
    assert {"alertname", "arn", "account_id", "region"} == set(only(event(configuration=configuration)).labels)


@pytest.mark.parametrize(
    ("body", "severities", "severity"),
    [
        pytest.param(EVENT, {}, "unknown", id="nobody says one"),
        pytest.param(event(alarmTags={"Severity": "P1"}), {"ledger-*": "low"}, "critical", id="its tag"),
        pytest.param(event(alarmTags=[{"key": "severity", "value": "page"}]), {}, "critical", id="its tag, in a list"),
        pytest.param(EVENT, {"*-critical": "critical", "ledger-*": "high"}, "high", id="a pattern of its name"),
        pytest.param(EVENT, {"other-*": "high", "page": "low"}, "unknown", id="no pattern that fits"),
    ],
)
def test_a_severity_is_what_a_tag_or_the_scope_says(body: object, severities: dict[str, Any], severity: str) -> None:
    """CloudWatch knows none, and none is guessed."""
    assert severity == only(body, SourceSettings(severities=severities)).severity


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        pytest.param('{"recentDatapoints":[1.0,2.5],"threshold":2}', {"value": 2.5, "threshold": 2.0}, id="both"),
        pytest.param('{"threshold": 2, "recentDatapoints": []}', {"threshold": 2.0}, id="no data"),
        pytest.param('{"threshold": "2"}', {}, id="no number"),
        pytest.param('{"threshold"', {}, id="cut short"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_values_are_read_from_the_json_inside(reason: str, values: dict[str, float]) -> None:
    """What cannot be read is left out; the alert counts all the same."""
    assert values == only(event(more={"reasonData": reason})).values


def test_an_old_message_without_an_arn_is_known_by_account_and_name() -> None:
    """The region's display name is no region."""
    alert = only({key: value for key, value in MESSAGE.items() if key != "AlarmArn"})

    assert (("missing_arn",), None, None) == (alert.warnings, alert.resource.region, alert.resource.arn)
    assert "region" not in alert.labels


def test_a_change_of_the_alarm_itself_is_a_change() -> None:
    """Who moves a threshold wants to be found later."""
    body = copy.deepcopy(EVENT)
    body["detail-type"] = "CloudWatch Alarm Configuration Change"
    body["detail"] = {"alarmName": "ledger-dlq-depth", "operation": "update", "configuration": {}}

    parsed = parse(body)

    ((target, change),) = parsed.changes
    assert Target("alarm", "210987654321/eu-west-1", "", "ledger-dlq-depth") == target
    assert ("CloudWatch", "alarm ledger-dlq-depth: update of its configuration") == (change.who, change.what)
    assert () == parsed.alerts


def test_other_events_of_the_service_are_left_alone() -> None:
    """A rule may be wider than what is known."""
    assert Parsed(warnings=("ignored",)) == parse(EVENT | {"detail-type": "CloudWatch Something New"})


@pytest.mark.parametrize(
    ("body", "origin", "sentence"),
    [
        pytest.param(
            EVENT,
            "",
            "schema: alarms of CloudWatch come through AWS and are never posted (let a rule, a topic or a queue call "
            "the function, and name it in the scope's from)",
            id="posted",
        ),
        pytest.param(
            {"alerts": []},
            "topic t",
            "schema: the body is no alarm of CloudWatch: an event of EventBridge, a message of SNS or a direct action "
            "is expected, as AWS sends it (let no input transformer change it)",
            id="something else",
        ),
        pytest.param(b"\xff", "topic t", "bad_encoding: the body is not UTF-8 (byte 0)", id="no text"),
    ],
)
def test_what_is_no_alarm_of_aws_is_refused(body: object, origin: str, sentence: str) -> None:
    """Anybody with a token could post what looks like one."""
    with pytest.raises(InvalidAlert) as caught:
        parse(body, origin=origin)

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(event(alarmName=""), "the alarm has no name", id="no name"),
        pytest.param(
            EVENT | {"resources": [], "account": ""},
            "the alarm has neither an ARN nor an account, so it is nobody's",
            id="nobody's",
        ),
        pytest.param(event(alarmName="x" * 5000), "a label value is longer than 4096 bytes", id="an absurd name"),
    ],
)
def test_an_alarm_that_cannot_be_told_apart_is_rejected(body: object, reason: str) -> None:
    """An alert without an identity would hide others."""
    assert [reason] == [rejected.reason for rejected in parse(body).rejected]


TEXTS = st.text(max_size=20) | st.sampled_from(["ALARM", "OK", ARN, "2026-05-11T07:40:12.318+0000", "nan"])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(detail=st.dictionaries(st.sampled_from([*EVENT["detail"], "alarmTags", "alarmContributor"]), VALUE))
def test_no_event_breaks_the_source(detail: dict[str, Any]) -> None:
    """Any value in any place is read, rejected or refused, and the scope is always the request's."""
    bodies = (EVENT | {"detail": detail}, {"alarmData": detail, "alarmArn": ARN}, MESSAGE | {"Trigger": detail})
    for body in bodies:
        try:
            parsed = parse(body)
        except RunbookError:
            continue
        assert {"alarms"} >= {alert.scope for alert in parsed.alerts}
