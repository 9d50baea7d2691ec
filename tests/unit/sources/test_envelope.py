"""Envelopes come off by what the platform set, whatever a body pretends to be."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.errors import InvalidAlert, Overloaded, RunbookError
from runbook_engine.model.configuration import Scope
from runbook_engine.model.delivery import Headers
from runbook_engine.sources.envelope import HttpDelivery, Origin, http_reply, settle, to_request, unwrap

ALERTS = Path(__file__).parents[2] / "data" / "alerts"
NOW = datetime(2026, 5, 11, 7, 41, tzinfo=UTC)
QUEUE = "arn:aws:sqs:eu-west-1:210987654321:rb"
TOPIC = "arn:aws:sns:eu-west-1:210987654321:ops-alarms"


def sent(name: str) -> Any:
    """Return a recorded event."""
    return json.loads((ALERTS / f"{name}.json").read_text())


def posted(event: object) -> HttpDelivery:
    """Return the one request of an event."""
    delivery = unwrap(event).posted
    assert delivery is not None
    return delivery


def record(message_id: str, body: str, queue: str = QUEUE) -> dict[str, Any]:
    """Return one message of a queue."""
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs", "eventSourceARN": queue}


BROUGHT = {
    "sns": ("envelope-sns", "sns", Origin("topic", TOPIC, "210987654321"), "m1"),
    "sqs": ("envelope-sqs", "sqs", Origin("queue", QUEUE, "210987654321"), "q-1"),
    "an event of the bus": (
        "cloudwatch-events-alarm",
        "events",
        Origin("events", "aws.cloudwatch", "210987654321"),
        "0b5e7a10-44c1-7d0e-9a55-2c1d8f6a7e01",
    ),
    "an alarm's own call": (
        "cloudwatch-action-alarm",
        "alarm",
        Origin("alarm", "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:ledger-dlq-depth", "210987654321"),
        "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:ledger-dlq-depth 2026-05-11T07:40:12.318+0000",
    ),
    "a log group's subscription": (
        "envelope-logs",
        "logs",
        Origin("logs", "/eks/ledger", "210987654321"),
        "/eks/ledger api-1 e1",
    ),
    "a state machine's task": (
        "envelope-task",
        "task",
        Origin("task", "arn:aws:states:eu-west-1:210987654321:execution:rb:ep-1", "210987654321"),
        "arn:aws:states:eu-west-1:210987654321:execution:rb:ep-1",
    ),
}


@pytest.mark.parametrize(("name", "kind", "origin", "delivery_id"), BROUGHT.values(), ids=BROUGHT.keys())
def test_what_the_platform_brings_says_who_brought_it(name: str, kind: str, origin: Origin, delivery_id: str) -> None:
    """The origin is what the platform set, and it is what a scope admits."""
    envelope = unwrap(sent(name))

    assert (kind, False) == (envelope.kind, envelope.is_http)
    assert [(delivery_id, origin)] == [(delivery.id, delivery.origin) for delivery in envelope.brought]


@pytest.mark.parametrize(
    ("name", "kind", "request_id"),
    [
        pytest.param("envelope-rest", "rest", "r1", id="a REST API"),
        pytest.param("envelope-http-api", "http_api", "r2", id="an HTTP API"),
        pytest.param("envelope-alb", "alb", "", id="a load balancer"),
    ],
)
def test_what_is_posted_says_where(name: str, kind: str, request_id: str) -> None:
    """The route names the scope; nothing says yet that whoever posted may do so."""
    envelope, delivery = unwrap(sent(name)), posted(sent(name))

    assert (kind, True) == (envelope.kind, envelope.is_http)
    assert (request_id, "POST", "/hooks/am-eu", "am-eu") == (
        delivery.id,
        delivery.method,
        delivery.path,
        delivery.scope,
    )


def test_a_function_url_is_told_from_an_http_api_by_its_host() -> None:
    """It has no route parameters, so the path names the scope."""
    event = sent("envelope-http-api") | {"routeKey": "$default"}
    del event["pathParameters"]
    event["requestContext"]["domainName"] = "x.lambda-url.eu-west-1.on.aws"

    assert ("function_url", "am-eu") == (unwrap(event).kind, posted(event).scope)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        pytest.param("/hooks/lab", "lab", id="the plain path"),
        pytest.param("/hooks/lab/", "lab", id="a slash at the end"),
        pytest.param("/prod/hooks/lab", "lab", id="a stage before it"),
        pytest.param("/a/b/hooks/lab", "", id="more before it"),
        pytest.param("/hooks/lab/more", "", id="more behind it"),
        pytest.param("/hooks/", "", id="no name"),
        pytest.param("/hooks", "", id="nothing"),
        pytest.param("/HOOKS/lab", "", id="another spelling"),
    ],
)
def test_a_path_names_a_scope_only_as_one_segment_behind_hooks(path: str, scope: str) -> None:
    """What names none is answered like an unknown scope."""
    event = sent("envelope-alb") | {"path": path}

    assert scope == posted(event).scope


def test_headers_keep_every_value_in_any_spelling() -> None:
    """A header that comes twice must be seen to come twice."""
    event = sent("envelope-rest")
    event["multiValueHeaders"] = {"Authorization": ["Bearer a"], "authorization": ["Bearer b"], "X-One": ["1"]}

    headers = posted(event).headers

    assert (("Bearer a", "Bearer b"), None, "1") == (
        headers.all("AUTHORIZATION"),
        headers.one("Authorization"),
        headers.one("x-one"),
    )


def test_a_source_never_sees_credentials() -> None:
    """Neither those that everybody knows nor those that engine.yaml names."""
    headers = Headers.of([("Authorization", "a"), ("Cookie", "b"), ("X-Key", "c"), ("X-Hub", "d"), ("Accept", "e")])

    assert {"x-hub": "d", "accept": "e"} == headers.plain({"x-key"})


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Access-Token",
        "X-Amzn-Oidc-Data",
        "Cf-Access-Jwt-Assertion",
        "X-Api-Key",
        "X-Auth-Request-Access-Token",
        "X-Hub-Signature-256",
        "X-Ms-Client-Principal",
        "X-Csrf-Token",
        "Set-Cookie",
    ],
)
def test_a_source_never_sees_what_a_proxy_adds_to_say_who_somebody_is(name: str) -> None:
    """What a source sees may be stored until it is decided, and such a header is worth as much as a password."""
    assert {"x-github-event": "x"} == Headers.of([(name, "eyJ"), ("X-GitHub-Event", "x")]).plain()


@pytest.mark.parametrize(
    ("event", "query"),
    [
        pytest.param(
            {"rawQueryString": "a=1%202&a=3&b="}, {"a": ("1 2", "3"), "b": ("",)}, id="an HTTP API's raw query"
        ),
        pytest.param({"multiValueQueryStringParameters": {"a": ["1 2", "3"]}}, {"a": ("1 2", "3")}, id="a REST API's"),
        pytest.param({"queryStringParameters": {"a": "1%202"}}, {"a": ("1%202",)}, id="decoded already"),
        pytest.param({"queryStringParameters": None}, {}, id="none"),
    ],
)
def test_a_query_is_decoded_once(event: dict[str, Any], query: dict[str, tuple[str, ...]]) -> None:
    """Twice would turn text into structure."""
    assert query == posted({"httpMethod": "GET", "requestContext": {}, "path": "/", **event}).query


def test_a_balancers_query_comes_undecoded() -> None:
    """It is decoded here, once."""
    event = sent("envelope-alb") | {"queryStringParameters": {"token": "a%2Bb+c"}}

    assert {"token": ("a+b c",)} == posted(event).query


@pytest.mark.parametrize(
    ("body", "encoded", "raw"),
    [
        pytest.param("eyJhIjoxfQ==", True, b'{"a":1}', id="base64"),
        pytest.param("eyJhIjoxfQ==", False, b"eyJhIjoxfQ==", id="text that looks like base64"),
        pytest.param("eyJhIjoxfQ==", "true", b"eyJhIjoxfQ==", id="a flag that is no truth value"),
        pytest.param("é", False, b"\xc3\xa9", id="text"),
        pytest.param(None, False, b"", id="none"),
    ],
)
def test_a_body_is_decoded_only_when_the_platform_says_so(body: str | None, encoded: object, raw: bytes) -> None:
    """The bytes are those that were signed."""
    assert raw == posted(sent("envelope-rest") | {"body": body, "isBase64Encoded": encoded}).read()


@pytest.mark.parametrize("body", ['{"version":"4"}', "eyJh*", "eyJ", "é"])
def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_refused(body: str) -> None:
    """Half of a body must never pass for all of it."""
    delivery = posted(sent("envelope-rest") | {"body": body, "isBase64Encoded": True})

    with pytest.raises(InvalidAlert) as caught:
        delivery.read()

    assert "bad_encoding: the body is said to be base64 and is not" == str(caught.value)


def test_a_topics_message_in_a_queue_comes_from_the_queue() -> None:
    """Whoever may write to the queue can name any topic, so the topic counts for nothing."""
    inner = json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": '{"AlarmName": "é"}'})

    (delivery,) = unwrap({"Records": [record("q-7", inner)]}).brought

    assert ("q-7", QUEUE, '{"AlarmName": "é"}'.encode()) == (delivery.id, delivery.origin.name, delivery.read())


@pytest.mark.parametrize("body", ["plain", '{"TopicArn": 1', '{"Type": "Notification", "TopicArn": "t"}', "{}", "[]"])
def test_a_queues_message_that_is_no_topics_is_left_as_it_is(body: str) -> None:
    """Its source says what is wrong with it, and only that message fails."""
    assert [body.encode()] == [delivery.read() for delivery in unwrap({"Records": [record("q", body)]}).brought]


def test_a_subscription_is_never_confirmed_by_a_look_at_its_address() -> None:
    """Nothing of a payload is fetched, and the message is done with."""
    inner = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "m",
        "TopicArn": TOPIC,
        "SubscribeURL": "http://evil.example",
    }

    envelope = unwrap({"Records": [record("q-1", json.dumps(inner)), record("q-2", "{}")]})

    assert ["q-2"] == [delivery.id for delivery in envelope.brought]
    assert (
        "message 'q-1' asks to confirm a subscription: nothing is fetched "
        "(confirm it with the token, as the topic's owner)",
    ) == envelope.ignored


def test_a_retry_is_told_by_the_queue() -> None:
    """A message that comes the second time is known to be one."""
    assert [2] == [delivery.attempt for delivery in unwrap(sent("envelope-sqs")).brought]


def test_a_replayed_event_is_marked() -> None:
    """What an archive tells again is history."""
    event = sent("cloudwatch-events-alarm")

    told = [unwrap(event | more).brought[0].replayed for more in ({}, {"replay-name": "last-week"})]

    assert [False, True] == told


def test_a_log_subscriptions_test_needs_nothing_done() -> None:
    """It asks whether we can be reached."""
    control = json.dumps({"messageType": "CONTROL_MESSAGE", "logGroup": "", "logEvents": []}).encode()

    envelope = unwrap({"awslogs": {"data": base64.b64encode(gzip.compress(control)).decode()}})

    assert ((), ("a log subscription asks whether it can be delivered",)) == (envelope.brought, envelope.ignored)


REFUSED: dict[str, tuple[object, str]] = {
    "no object": ([], "unknown_event: the event is no object"),
    "nothing known": (
        {"a": 1},
        "unknown_event: the event is none of those that are taken: a request of API Gateway, a function URL or a load "
        "balancer, records of SNS or SQS, an event of EventBridge, an alarm, a log subscription",
    ),
    "a CodePipeline job": (
        {"CodePipeline.job": {"data": {"artifactCredentials": {"secretAccessKey": "hunter2hunter2"}}}},
        "unknown_event: a CodePipeline job asks to act for the pipeline, with its credentials: it is refused, and "
        "nothing of it is kept (send the pipeline's events through an EventBridge rule)",
    ),
    "a record of another kind in between": (
        {"Records": [record("a", "{}"), {"eventSource": "aws:s3"}]},
        "unknown_event: a record of the event is no message of an SQS queue",
    ),
    "a message that cannot be answered for": (
        {"Records": [record("", "{}")]},
        "unknown_event: a record of the event is no message of an SQS queue",
    ),
    "a topic's record without its topic": (
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}", "MessageId": "m"}}]},
        "unknown_event: a record of the event is no message of an SNS topic",
    ),
    "logs that are not base64": (
        {"awslogs": {"data": "*"}},
        "bad_encoding: the body is said to be base64 and is not",
    ),
    "logs that are a bomb": (
        {"awslogs": {"data": base64.b64encode(gzip.compress(b" " * (21 * 1024 * 1024))).decode()}},
        "too_large: the inflated body is larger than 20971520 bytes",
    ),
    "logs of no known kind": (
        {"awslogs": {"data": base64.b64encode(gzip.compress(b"{}")).decode()}},
        "unknown_event: a log subscription's batch is neither a data nor a control message",
    ),
    "a body that is no text": (
        {"httpMethod": "POST", "requestContext": {}, "body": {"a": 1}},
        "unknown_event: the body of the request is no text",
    ),
    "a header that is no text": (
        {"httpMethod": "POST", "requestContext": {}, "headers": {"authorization": 1}},
        "unknown_event: a header or a query field of the request is no text",
    ),
}


@pytest.mark.parametrize(("event", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_an_event_that_is_not_known_is_refused_without_an_echo(event: object, sentence: str) -> None:
    """What is not known may hold credentials; none of it reaches a log."""
    with pytest.raises(InvalidAlert) as caught:
        unwrap(event)

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    "inner", ["envelope-sqs", "envelope-sns", "cloudwatch-events-alarm", "cloudwatch-action-alarm"]
)
@pytest.mark.parametrize("outer", ["envelope-rest", "envelope-http-api", "envelope-alb"])
def test_a_posted_body_never_passes_for_what_the_platform_brings(outer: str, inner: str) -> None:
    """Anybody can post what looks like a queue's message."""
    event = sent(outer) | {"body": json.dumps(sent(inner)), "isBase64Encoded": False}

    envelope = unwrap(event)

    assert (True, ()) == (envelope.is_http, envelope.brought)
    assert "" == to_request(posted(event), Scope(name="am-eu"), received_at=NOW).origin


def test_a_brought_message_is_a_request_of_its_scope() -> None:
    """Its id is the platform's, so that a repeat is known."""
    (delivery,) = unwrap(sent("envelope-sns")).brought

    request = to_request(delivery, Scope(name="alarms", source="cloudwatch"), received_at=NOW)

    assert ("alarms", "cloudwatch", {}, b"{}", NOW, "m1", f"topic {TOPIC}") == (
        request.scope,
        request.source,
        request.headers,
        request.body,
        request.received_at,
        request.delivery_id,
        request.origin,
    )


def test_an_answer_has_the_form_that_its_caller_reads() -> None:
    """A balancer that sends lists of headers wants lists."""
    plain = http_reply(unwrap(sent("envelope-rest")), 202, "{}")
    lists = http_reply(unwrap(sent("envelope-alb")), 401, "", {"www-authenticate": "Bearer"})

    headers = {"content-type": "application/json"}
    assert {"statusCode": 202, "headers": headers, "body": "{}", "isBase64Encoded": False} == plain
    several = {"www-authenticate": ["Bearer"]}
    assert {"statusCode": 401, "multiValueHeaders": several, "body": "", "isBase64Encoded": False} == lists


@pytest.mark.parametrize(
    ("queue", "failed", "again"),
    [
        pytest.param(QUEUE, {}, [], id="all taken"),
        pytest.param(QUEUE, {"b": "no"}, ["b"], id="one of three"),
        pytest.param(QUEUE, {"a": "no", "c": "no"}, ["a", "c"], id="two of three"),
        pytest.param(QUEUE + ".fifo", {"b": "no"}, ["b", "c"], id="in order: it and all behind it"),
        pytest.param(QUEUE + ".fifo", {}, [], id="in order, all taken"),
    ],
)
def test_a_queue_is_told_which_messages_must_come_again(queue: str, failed: dict[str, str], again: list[str]) -> None:
    """The others are done with; where there is an order, nothing may overtake what failed."""
    envelope = unwrap({"Records": [record(name, "{}", queue) for name in "abc"]})

    assert queue.endswith(".fifo") == envelope.in_order
    assert {"batchItemFailures": [{"itemIdentifier": name} for name in again]} == settle(envelope, failed)


def test_whoever_reads_no_answer_is_told_by_an_error() -> None:
    """The platform retries, and keeps what still fails."""
    envelope = unwrap(sent("cloudwatch-events-alarm"))

    assert settle(envelope, {}) is None
    with pytest.raises(Overloaded) as caught:
        settle(envelope, {"0b5e": "the journal is busy"})
    assert "1 of 1 not taken (0b5e: the journal is busy)" == str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "requestContext",
        "elb",
        "http",
        "httpMethod",
        "version",
        "Records",
        "eventSource",
        "EventSource",
        "Sns",
        "awslogs",
        "data",
        "detail-type",
        "source",
        "detail",
        "alarmData",
        "alarmArn",
        "CodePipeline.job",
        "op",
        "taskToken",
        "headers",
        "multiValueHeaders",
        "body",
        "isBase64Encoded",
        "path",
        "pathParameters",
        "scope",
        "queryStringParameters",
        "rawQueryString",
        "messageId",
        "eventSourceARN",
    ]
)
EVENT = st.recursive(
    JSON | st.sampled_from(["aws:sqs", "aws:sns", "2.0", "1.0"]),
    lambda inner: st.dictionaries(KEYS, inner, max_size=6) | st.lists(inner, max_size=2),
    max_leaves=20,
)


@given(EVENT)
def test_no_event_breaks_anything(event: object) -> None:
    """Whatever comes, it is unwrapped or refused in our own words, and so is every message in it."""
    try:
        deliveries = unwrap(event).deliveries
    except RunbookError:
        return
    for delivery in deliveries:
        try:
            delivery.read()
        except RunbookError:
            continue


@given(name=st.sampled_from(["envelope-rest", "envelope-http-api", "envelope-alb"]), body=JSON, header=st.text())
def test_nothing_but_the_route_names_a_scope(name: str, body: object, header: str) -> None:
    """Neither body nor headers move a delivery into another scope."""
    event = copy.deepcopy(sent(name))
    event["body"] = json.dumps({"scope": body, "pathParameters": {"scope": header}, "labels": {"__scope__": header}})
    event["isBase64Encoded"] = False
    event["multiValueHeaders"] = {"scope": [header], "x-scope": [header]}

    assert "am-eu" == posted(event).scope
