"""The HTTP API and the queues of the test bed hand over and take back as API Gateway and Lambda document."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulators.aws import REGION, Aws, Context


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account."""
    with Aws() as bed:
        yield bed


def event_of(aws: Aws, *arguments: Any, **more: Any) -> dict[str, Any]:
    """Return the event that a request becomes."""
    function = aws.function("echo", lambda event, context: None)
    aws.route("$default", "echo")
    aws.http(*arguments, **more)
    event: dict[str, Any] = function.invocations[-1].event
    return event


def test_request_reaches_the_function_of_its_route(aws: Aws) -> None:
    """The route with a name wins over the default; its parameters are told."""
    hooks = aws.function("hooks", lambda event, context: {"statusCode": 202, "body": "kept"})
    other = aws.function("other", lambda event, context: "other")
    aws.route("POST /hooks/{scope}", "hooks")
    aws.route("$default", "other")

    replies = [aws.http(method, "/hooks/team", body={"a": 1}) for method in ("POST", "GET")]

    (event,) = (each.event for each in hooks.invocations)
    assert ("2.0", "POST /hooks/{scope}", {"scope": "team"}) == (
        event["version"],
        event["routeKey"],
        event["pathParameters"],
    )
    assert '{"a": 1}' == event["body"]
    assert 1 == len(other.invocations)
    assert [(202, "kept"), (200, '"other"')] == [(reply.status, reply.text) for reply in replies]


def test_headers_and_query_are_joined(aws: Aws) -> None:
    """Names are lower case, several values one, cookies apart, the query raw as well."""
    headers = [("X-Sign", "a"), ("x-sign", "b"), ("Cookie", "k=1; l=2")]

    event = event_of(aws, "GET", "/x", headers=headers, query=[("a", "1 2"), ("a", "3")])

    assert {"x-sign": "a,b"} == event["headers"]
    assert ["k=1", "l=2"] == event["cookies"]
    assert ("a=1+2&a=3", {"a": "1 2,3"}) == (event["rawQueryString"], event["queryStringParameters"])
    assert "body" not in event


@pytest.mark.parametrize(
    ("headers", "body", "encoded"),
    [
        pytest.param({"content-type": "application/json"}, b"{}", False, id="json"),
        pytest.param({"content-type": "text/plain"}, b"hi", False, id="text"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, b"a=1", True, id="a form"),
        pytest.param({"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b", True, id="packed"),
        pytest.param({"content-type": "application/json"}, b"\xff", True, id="json that is no text"),
    ],
)
def test_body_is_base64_unless_it_is_text(aws: Aws, headers: dict[str, str], body: bytes, encoded: bool) -> None:
    """What the media type promises, and what can be decoded, arrives as text."""
    event = event_of(aws, "POST", "/x", headers=headers, body=body)

    assert encoded == event["isBase64Encoded"]
    assert body == (base64.b64decode(event["body"]) if encoded else event["body"].encode())


def failing(event: Any, context: Context) -> None:
    """Fail."""
    raise ValueError("secret")


@pytest.mark.parametrize(
    ("handler", "hangs", "status", "body"),
    [
        pytest.param(failing, False, 500, {"message": "Internal Server Error"}, id="a function that fails"),
        pytest.param(lambda event, context: None, True, 503, {"message": "Service Unavailable"}, id="one that hangs"),
        pytest.param(lambda event, context: {"a": 1}, False, 200, {"a": 1}, id="a reply that is all body"),
    ],
)
def test_gateway_answers_for_the_function(aws: Aws, handler: Any, hangs: bool, status: int, body: Any) -> None:
    """Errors of the function are not shown to the client."""
    aws.function("f", handler)
    aws.route("ANY /f", "f")
    if hangs:
        aws.faults.hang("f")

    reply = aws.http("POST", "/f")

    assert (status, body) == (reply.status, reply.json())


@pytest.mark.parametrize(
    ("path", "size", "status", "text"),
    [("/nowhere", 0, 404, "Not Found"), ("/f", 11_000_000, 413, "Request Entity Too Large")],
    ids=["no route", "a body over 10 MB"],
)
def test_gateway_refuses_by_itself(aws: Aws, path: str, size: int, status: int, text: str) -> None:
    """The function never hears of it."""
    function = aws.function("f", lambda event, context: None)
    aws.route("POST /f", "f")

    reply = aws.http("POST", path, body="x" * size)

    assert (status, {"message": text}) == (reply.status, reply.json())
    assert [] == function.invocations


def test_reply_keeps_its_headers_and_bytes(aws: Aws) -> None:
    """Header names are lower case, a body in base64 is bytes."""
    packed = base64.b64encode(b"\x00\x01").decode()
    answer = {"statusCode": "201", "headers": {"Retry-After": 5}, "body": packed, "isBase64Encoded": True}
    aws.function("f", lambda event, context: answer)
    aws.route("$default", "f")

    reply = aws.http("POST", "/f")

    assert (201, b"\x00\x01", "5") == (reply.status, reply.body, reply.headers["retry-after"])


def bodies(aws: Aws, name: str) -> list[list[str]]:
    """Return the bodies that a function was given, batch by batch."""
    invocations = aws._functions.by_name[name].invocations
    return [[record["body"] for record in each.event["Records"]] for each in invocations]


def test_queue_is_drained_in_batches(aws: Aws) -> None:
    """What succeeded is gone."""
    queue = aws.queue("work")
    for n in range(5):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=str(n))
    function = aws.function("f", lambda event, context: None)

    aws.drain_queue(queue, "f", batch=2)

    assert [["0", "1"], ["2", "3"], ["4"]] == bodies(aws, "f")
    record = function.invocations[0].event["Records"][0]
    assert ("aws:sqs", queue.arn, REGION, "1") == (
        record["eventSource"],
        record["eventSourceARN"],
        record["awsRegion"],
        record["attributes"]["ApproximateReceiveCount"],
    )
    assert [] == aws.messages(queue)


@pytest.mark.parametrize(
    ("report", "left"),
    [
        pytest.param(lambda ids: {"batchItemFailures": [{"itemIdentifier": ids[1]}]}, ["1"], id="one that failed"),
        pytest.param(lambda ids: {"batchItemFailures": []}, [], id="none"),
        pytest.param(lambda ids: None, [], id="nothing at all"),
        pytest.param(lambda ids: {"batchItemFailures": [{"itemIdentifier": "?"}]}, ["0", "1", "2"], id="a stranger"),
        pytest.param(lambda ids: {"batchItemFailures": [{"id": ids[1]}]}, ["0", "1", "2"], id="a misspelt field"),
        pytest.param(lambda ids: {"batchItemFailures": [{"itemIdentifier": ""}]}, ["0", "1", "2"], id="no identifier"),
        pytest.param(lambda ids: "done", ["0", "1", "2"], id="no report"),
        pytest.param(lambda ids: 1 / 0, ["0", "1", "2"], id="an error"),
    ],
)
def test_messages_stay_when_the_report_says_they_failed(aws: Aws, report: Any, left: list[str]) -> None:
    """A report that cannot be read fails the whole batch."""
    queue = aws.queue("work")
    for n in range(3):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody=str(n))
    aws.function("f", lambda event, context: report([record["messageId"] for record in event["Records"]]))

    aws.drain_queue(queue, "f")

    assert left == sorted(message.body for message in aws.messages(queue))


def test_message_moves_to_the_dead_letters_when_it_failed_too_often(aws: Aws) -> None:
    """The count is told to the function each time."""
    dead = aws.queue("dead")
    queue = aws.queue("work", dead_letter=dead, receives=2)
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="poison")
    aws.function("f", failing)

    tried = aws.drain_queue(queue, "f", attempts=5)

    counts = [each.event["Records"][0]["attributes"]["ApproximateReceiveCount"] for each in tried]
    assert ["1", "2"] == counts
    assert ["poison"] == [message.body for message in aws.messages(dead)]
