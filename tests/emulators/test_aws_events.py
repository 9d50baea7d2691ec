"""The envelopes of the test bed are those that our front door takes apart: each arrives as what was sent."""

import json
from typing import Any

import pytest

from runbook_engine.sources.envelope import HttpDelivery, PlatformDelivery, unwrap
from tests.emulators.aws import ACCOUNT, REGION, events

BODY = {"version": "4", "who": "Änne"}
TEXT = json.dumps(BODY).encode()
PACKED = b"\x1f\x8b\x00\xff"
HEADERS = [("Content-Type", "application/json"), ("X-Sign", "a"), ("X-Sign", "b")]
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:alerts"
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:hot"


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        pytest.param(
            "http_api",
            events.http_api(
                "POST", "/hooks/am", HEADERS, BODY, route="POST /hooks/{scope}", parameters={"scope": "am"}
            ),
            id="an HTTP API",
        ),
        pytest.param("http_api", events.http_api("POST", "/hooks/am", HEADERS, BODY), id="an HTTP API without routes"),
        pytest.param("function_url", events.function_url("POST", "/hooks/am", HEADERS, BODY), id="a function URL"),
        pytest.param("rest", events.rest("POST", "/hooks/am", HEADERS, BODY), id="a REST API"),
        pytest.param("alb", events.alb("POST", "/hooks/am", HEADERS, BODY), id="a load balancer"),
        pytest.param("alb", events.alb("POST", "/hooks/am", HEADERS, BODY, several=True), id="one with every value"),
    ],
)
def test_request_arrives_as_it_was_sent(kind: str, event: dict[str, Any]) -> None:
    """Method, scope and body, whichever door it came through."""
    envelope = unwrap(event)

    (delivery,) = envelope.deliveries
    assert isinstance(delivery, HttpDelivery)
    assert (kind, "POST", "/hooks/am", "am") == (envelope.kind, delivery.method, delivery.path, delivery.scope)
    assert BODY == json.loads(delivery.read())


@pytest.mark.parametrize("builder", [events.http_api, events.function_url, events.rest, events.alb])
def test_bytes_arrive_as_they_were_sent(builder: Any) -> None:
    """What is no text is in base64."""
    (delivery,) = unwrap(builder("POST", "/hooks/am", {"Content-Encoding": "gzip"}, PACKED)).deliveries

    assert PACKED == delivery.read()


@pytest.mark.parametrize(
    ("kind", "event", "content"),
    [
        pytest.param("sns", events.sns(TOPIC, BODY), [TEXT], id="a topic"),
        pytest.param("sqs", events.sqs(QUEUE, BODY, BODY), [TEXT, TEXT], id="a queue"),
        pytest.param(
            "sqs",
            events.sqs(QUEUE, events.sns(TOPIC, BODY)["Records"][0]["Sns"]),
            [TEXT],
            id="a queue that subscribes to a topic",
        ),
    ],
)
def test_message_arrives_as_it_was_published(kind: str, event: dict[str, Any], content: list[bytes]) -> None:
    """The innermost message counts."""
    envelope = unwrap(event)

    assert kind == envelope.kind
    assert [json.loads(text) for text in content] == [json.loads(each.read()) for each in envelope.deliveries]


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        pytest.param("events", events.alarm_change(ALARM, "ALARM"), id="an alarm over the bus"),
        pytest.param("alarm", events.alarm_action(ALARM, "ALARM"), id="an alarm that calls"),
        pytest.param("events", events.event("runbook-engine.deploys", "Deployed", {"a": 1}), id="an event of ours"),
    ],
)
def test_platform_events_are_known(kind: str, event: dict[str, Any]) -> None:
    """They arrive whole."""
    envelope = unwrap(event)

    (delivery,) = envelope.deliveries
    assert isinstance(delivery, PlatformDelivery)
    assert (kind, ACCOUNT) == (envelope.kind, delivery.origin.account)
    assert event == json.loads(delivery.read())


def test_replayed_event_is_known_as_one() -> None:
    """By the name of its replay."""
    (delivery,) = unwrap(events.event("runbook-engine", "Deployed", {}, replay_name="again")).deliveries

    assert isinstance(delivery, PlatformDelivery)
    assert delivery.replayed


def test_log_lines_arrive_and_control_messages_ask_for_nothing() -> None:
    """A control message only asks whether we can be reached."""
    lines, control = unwrap(events.logs("/app", "boom", "bang")), unwrap(events.logs("/app", control=True))

    (delivery,) = lines.deliveries
    assert ("logs", "/app") == (lines.kind, delivery.origin.name)
    assert b"boom" in delivery.read()
    assert () == control.deliveries
    assert 1 == len(control.ignored)


def test_count_of_receives_is_told() -> None:
    """A message that comes again is known as one."""
    (delivery,) = unwrap(events.sqs(QUEUE, BODY, receives=3)).deliveries

    assert isinstance(delivery, PlatformDelivery)
    assert 3 == delivery.attempt
