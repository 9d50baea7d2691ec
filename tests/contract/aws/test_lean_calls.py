"""Calls of the lean client beside the same calls of boto3: what they send, what they return, and what they raise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zlib import crc32

import pytest
from botocore.exceptions import ClientError

from runbook_adapters.aws.clients import AwsSettings, Sessions
from runbook_adapters.aws.lean.failures import CallRefused, LeanError, ResponseParserError
from runbook_adapters.aws.lean.retrying import THROTTLE_COST, Patience, Quota
from tests.contract.aws.account import BOTO3, ENDPOINT, KEYS, REGION, environment, of_aws, refusal
from tests.contract.http_service import Asked, HttpService, Told, http_service

MODELLED = ("ParameterNotFound", "TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
SETTINGS = AwsSettings(region=REGION)
BINARY = b"\x00\xff a body"
BATCH = {"RequestItems": {"t": {"Keys": [{"pk": {"S": "a"}, "sk": {"B": BINARY}}], "ConsistentRead": True}}}
WRITE = {"TransactItems": [{"Put": {"TableName": "t", "Item": {"b": {"B": BINARY}}}}], "ClientRequestToken": "x" * 24}
EVENT = {
    "Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}", "Time": datetime(2026, 3, 1, 3, 7, 1, 999, UTC)}]
}
PARAMETER = {"Parameter": {"Name": "/a", "Value": "\u00e9", "Version": 3, "Type": "String", "LastModifiedDate": 1.5e9}}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here, which both clients ask."""
    with http_service() as running:
        yield running


@pytest.fixture(scope="module")
def both(server: HttpService) -> tuple[Sessions, Sessions]:
    """The lean client's sessions, and boto3's."""
    named = {**KEYS, "AWS_SESSION_TOKEN": "the-token", ENDPOINT: server.url, "HOME": "/nonexistent"}
    with environment(**named, **BOTO3):
        theirs = Sessions(environment={**named, **BOTO3})
        for service in ("dynamodb", "events", "ssm", "stepfunctions"):
            theirs.client(service, SETTINGS, "touching")  # boto3 reads the environment itself
        theirs.client("ssm", SETTINGS, "looking")
    return Sessions(environment=named), theirs


def outcome(client: Any, call: str, arguments: dict[str, Any]) -> Any:
    """Return what a call returns, or the kind and content of its error."""
    try:
        return _comparable(getattr(client, call)(**arguments))
    except (CallRefused, ClientError) as error:
        modelled = [name for name in MODELLED if isinstance(error, getattr(client.exceptions, name, ()))]
        return modelled, str(error).replace(" (reached max retries: 0)", ""), _comparable(error.response)


def _comparable(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response without what differs with every answer."""
    metadata = {"HTTPStatusCode": response["ResponseMetadata"]["HTTPStatusCode"]}
    left_out = ("__type", "message", "Message")  # of the message botocore leaves a second copy
    return {**{name: each for name, each in response.items() if name not in left_out}, "ResponseMetadata": metadata}


CALLS = [
    pytest.param("dynamodb", "batch_get_item", BATCH, id="reading items"),
    pytest.param("dynamodb", "transact_write_items", WRITE, id="writing items"),
    pytest.param("events", "put_events", EVENT, id="publishing events"),
    pytest.param("ssm", "get_parameter", {"Name": "/a", "WithDecryption": True}, id="reading a parameter"),
    pytest.param("ssm", "put_parameter", {"Name": "/a", "Value": "{{\u00e9"}, id="writing a parameter"),
    pytest.param("stepfunctions", "send_task_success", {"taskToken": "t", "output": "{}"}, id="waking a driver"),
]
SENT = ("Host", "Content-Type", "X-Amz-Target", "X-Amz-Security-Token")


@pytest.mark.parametrize(("service", "call", "arguments"), CALLS)
def test_what_is_sent_is_what_boto3_sends(
    server: HttpService, both: tuple[Sessions, Sessions], service: str, call: str, arguments: dict[str, Any]
) -> None:
    """The same words to the same place, signed over the same headers."""
    server.asked.clear()
    server.tell(of_aws(b"{}"))

    for sessions in both:
        getattr(sessions.client(service, SETTINGS, "touching"), call)(**arguments)

    ours, theirs = server.asked
    assert json.loads(ours.body) == json.loads(theirs.body)
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert [ours.headers.get(name) for name in SENT] == [theirs.headers.get(name) for name in SENT]
    signs = [
        asked.headers["Authorization"].partition(" Signature=")[0].split(" SignedHeaders=") for asked in server.asked
    ]
    assert signs[0][0] == signs[1][0]
    assert set(signs[0][1].strip(",").split(";")) <= set(signs[1][1].strip(",").split(";"))


def body(told: Any, status: int = 200, **headers: str) -> Told:
    """Return an answer in JSON."""
    content = told if isinstance(told, bytes) else json.dumps(told).encode()
    return of_aws(content, *headers.items())._replace(status=status)


ITEM = {"pk": {"S": "a"}, "b": {"B": "AP8="}, "n": {"N": "1"}, "l": {"L": [{"B": ""}]}, "bs": {"BS": ["AA=="]}}
CANCELLED = {
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "Message": "cancelled",
    "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no"}],
}


@pytest.mark.parametrize(
    ("service", "call", "arguments", "told"),
    [
        pytest.param(
            "dynamodb",
            "batch_get_item",
            BATCH,
            body({"Responses": {"t": [ITEM]}, "UnprocessedKeys": {"t": {"Keys": [{"pk": {"B": "AP8="}}]}}}),
            id="items and what was not read",
        ),
        pytest.param("dynamodb", "transact_write_items", WRITE, body({}), id="done"),
        pytest.param("dynamodb", "transact_write_items", WRITE, body(CANCELLED, 400), id="cancelled, with reasons"),
        pytest.param("dynamodb", "transact_write_items", WRITE, refusal("ThrottlingException"), id="throttled"),
        pytest.param("dynamodb", "transact_write_items", WRITE, Told(503), id="no body"),
        pytest.param("dynamodb", "transact_write_items", WRITE, body(b"<html>x</html>", 502), id="a page of a proxy"),
        pytest.param("dynamodb", "transact_write_items", WRITE, body(b"tired", 500), id="plain text"),
        pytest.param("ssm", "get_parameter", {"Name": "/a"}, body(PARAMETER), id="a time"),
        pytest.param("ssm", "get_parameter", {"Name": "/a"}, body({"Parameter": None}), id="null"),
        pytest.param("ssm", "get_parameter", {"Name": "/a"}, refusal("ParameterNotFound"), id="a modelled error"),
        pytest.param("ssm", "get_parameter", {"Name": "/a"}, refusal("X:http://internal"), id="a code with more"),
        pytest.param(
            "stepfunctions", "send_task_success", {"taskToken": "t", "output": "{}"}, refusal("TaskTimedOut"), id="late"
        ),
        pytest.param("events", "put_events", EVENT, body({"FailedEntryCount": 0, "Entries": [{}]}), id="published"),
    ],
)
def test_what_comes_back_is_what_boto3_makes_of_it(
    server: HttpService,
    both: tuple[Sessions, Sessions],
    service: str,
    call: str,
    arguments: dict[str, Any],
    told: Told,
) -> None:
    """Values, error codes, messages and reasons alike; a write is asked once by both."""
    server.asked.clear()
    server.tell(told)

    ours, theirs = (outcome(sessions.client(service, SETTINGS, "touching"), call, arguments) for sessions in both)

    assert ours == theirs
    assert len(server.asked) == 2


def test_answer_is_refused_when_it_is_not_the_service_s(server: HttpService, both: tuple[Sessions, Sessions]) -> None:
    """boto3 takes any 200 for a yes; a write that something else answered may not be done."""
    client = both[0].client("dynamodb", SETTINGS, "touching")

    for told in (b"<html>", b"[]", b"[" * 99_999, b'{"x": {"B": "?"}}'):
        server.tell(of_aws(told))
        with pytest.raises(ResponseParserError):
            client.transact_write_items(**WRITE)


def test_answer_is_asked_for_again_when_its_checksum_is_another(
    server: HttpService, both: tuple[Sessions, Sessions]
) -> None:
    """As boto3 does for DynamoDB; a look harms nobody."""
    whole = b'{"Responses": {}}'
    server.asked.clear()
    server.tell(
        of_aws(b'{"Responses": {"t": []}}', ("x-amz-crc32", "1")),
        of_aws(whole, ("x-amz-crc32", str(crc32(whole)))),
    )

    answer = both[0].client("dynamodb", SETTINGS, "looking").batch_get_item(**BATCH)

    assert (answer["Responses"], answer["ResponseMetadata"]["RetryAttempts"]) == ({}, 1)
    assert len(server.asked) == 2


def test_request_is_signed_again_when_the_clock_is_wrong(server: HttpService, both: tuple[Sessions, Sessions]) -> None:
    """What was refused for its time was not done, so even a write is sent again; and from then on the time is right."""
    server.asked.clear()
    real = datetime.now(UTC) + timedelta(hours=3)
    told = refusal("InvalidSignatureException", message="Signature expired")
    early = told._replace(headers=(*told.headers, ("Date", format_datetime(real))))
    clock = Sessions(environment={**KEYS, ENDPOINT: server.url, "HOME": "/nonexistent"})

    def answer(asked: Asked) -> Told:
        return of_aws(b"{}") if asked.headers["X-Amz-Date"][:11] == f"{real:%Y%m%dT%H}" else early

    server.answer = answer
    client = clock.client("events", SETTINGS, "touching")

    for _ in range(2):
        client.put_events(**EVENT)

    assert len(server.asked) == 3


def test_request_is_not_signed_again_when_the_secret_is_wrong(
    server: HttpService, both: tuple[Sessions, Sessions]
) -> None:
    """The other reason for which a signature is refused."""
    server.asked.clear()
    server.tell(refusal("InvalidSignatureException"))

    with pytest.raises(CallRefused):
        both[0].client("events", SETTINGS, "touching").put_events(**EVENT)

    assert len(server.asked) == 1


def test_pages_are_asked_for_until_there_are_no_more(server: HttpService, both: tuple[Sessions, Sessions]) -> None:
    """With the size and the names that boto3's paginator has."""
    found = []
    for sessions in both:
        server.asked.clear()
        server.tell(body({"Parameters": [{"Name": "/a"}], "NextToken": "n"}), body({"Parameters": []}))
        pages = sessions.client("ssm", SETTINGS, "looking").get_paginator("get_parameter_history")
        names = [page["Parameters"] for page in pages.paginate(Name="/a", PaginationConfig={"PageSize": 50})]
        found.append((names, [json.loads(asked.body) for asked in server.asked]))

    assert found[0] == found[1]


def refused(code: str, status: int = 400, **headers: str) -> CallRefused:
    """Return a refusal as the client raises it."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers, "RetryAttempts": 0}
    return CallRefused({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}, "X")


@pytest.mark.parametrize(
    ("failure", "waits"),
    [
        pytest.param(refused("ThrottlingException"), [0.5, 1.0, 2.0], id="throttled"),
        pytest.param(refused("InternalServerError", 500), [0.0125, 0.025, 0.05], id="broken"),
        pytest.param(ResponseParserError("u"), [0.0125, 0.025, 0.05], id="garbage"),
        pytest.param(refused("X", 503, **{"x-amz-retry-after": "900"}), [0.9] * 3, id="told how long"),
        pytest.param(refused("X", 503, **{"x-amz-retry-after": "99000"}), [5.0125, 5.025, 5.05], id="told too long"),
        pytest.param(refused("ValidationException"), [], id="in vain"),
    ],
)
def test_waits_grow_when_a_look_fails(failure: LeanError, waits: list[float]) -> None:
    """As botocore's standard mode has them, with half of its random part."""
    slept: list[float] = []
    patience = Patience(4, 0.025, slept.append, lambda: 0.5)

    def once(retries: int) -> None:
        raise failure

    with pytest.raises(LeanError):
        patience.ask(once)

    assert slept == pytest.approx(waits)


def test_retries_end_when_nothing_works_for_anybody() -> None:
    """The quota of a client is shared by its threads, and comes back with what succeeds."""
    quota = Quota()
    patience = Patience(4, 0.0, lambda seconds: None, lambda: 0.0, quota)
    asked: list[int] = []

    def once(retries: int) -> None:
        asked.append(retries)
        raise refused("ThrottlingException")

    def fail() -> None:
        for _ in range(20):
            with pytest.raises(CallRefused):
                patience.ask(once)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(asked) == 80 + 500 // THROTTLE_COST
    assert (quota.left, patience.ask(lambda retries: "yes"), quota.left) == (0, "yes", 1)
