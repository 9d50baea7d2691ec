"""Answers with 200 that are not of AWS: a look is unreadable, a change is in doubt, and no traceback tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from runbook_adapters import lambda_function, s3, sns
from runbook_adapters.ssm import ADAPTER
from runbook_engine.errors import EffectUnknown, Retryable, Unreadable
from runbook_engine.model.target import Target
from tests.contract.aws.account import ENDPOINT, KEYS, context, environment, of_aws, refusal, serve, service
from tests.contract.http_service import HttpService, Told
from tests.contract.test_receivers import MESSAGE

FLAG = Target("parameter", "", "", "/checkout/degraded_mode")
FUNCTION = Target("function", "", "", "orders")
JSON = (("Content-Type", "application/x-amz-json-1.1"),)


@pytest.fixture
def aws() -> Iterator[HttpService]:
    """Whatever answers instead of AWS."""
    with service() as running:
        yield running


@pytest.mark.parametrize("body", [b"{}", b'{"hello": ["world"]}'], ids=["nothing", "something else"])
def test_parameter_is_unreadable_when_something_else_answers(aws: HttpService, body: bytes) -> None:
    """It is neither a value nor the absence of one, and nothing is written on the strength of it."""
    aws.tell(Told(200, body, JSON))
    flags = serve(ADAPTER, "flags", context())

    with pytest.raises(Unreadable) as unread:
        flags.reader.flag(FLAG)
    with pytest.raises(Retryable):
        flags.writer.write(FLAG, "on", expected="off")

    says = f"Unable to parse the answer of {aws.url}/: it names no request, as every answer of AWS does"
    assert f"{FLAG} cannot be read: {says}" == str(unread.value)
    assert {"AmazonSSM.GetParameter"} == {asked.headers["X-Amz-Target"] for asked in aws.asked}


def test_parameter_is_unreadable_when_it_is_not_in_the_answer(aws: HttpService) -> None:
    """Whoever answers as AWS does, and says nothing, has not said that it is absent."""
    aws.tell(of_aws(b"{}", *JSON))

    with pytest.raises(Unreadable) as unread:
        serve(ADAPTER, "flags", context()).reader.flag(FLAG)

    says = "cannot be read: what answered is not AWS: there is no Parameter in it"
    assert f"{FLAG} {says}" == str(unread.value)


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>sign in</html>"], ids=["nothing", "an empty object", "a page"])
def test_brake_is_not_taken_for_released_when_something_else_answers(aws: HttpService, body: bytes) -> None:
    """The answer of Lambda about a function without a brake is empty too; boto3 takes a page for that."""
    aws.tell(Told(200, body, JSON))

    with pytest.raises(Retryable) as put_off:
        serve(lambda_function.ADAPTER, "functions", context()).writer.limit(FUNCTION, None, expected=5)

    says = "the reserved concurrency of function orders cannot be read: what answered is not AWS: it names no request"
    assert says == str(put_off.value)
    assert ["GET"] == [asked.method for asked in aws.asked]


def test_bundle_is_unreadable_when_its_bucket_is_said_to_be_elsewhere(aws: HttpService) -> None:
    """By a proxy that wants a sign-in, and not by S3: boto3 would ask it where, and be sent on, without end."""
    aws.tell(Told(302, b"", (("Location", "/login"),)))
    bundles = serve(s3.ADAPTER, "bundles", context(), bucket="runbooks", key="bundle", digest="0" * 64)

    with pytest.raises(Unreadable) as unread:
        bundles.reader.bundle()

    says = "the bundle s3://runbooks/bundle cannot be read: what answered is not AWS: it names no request"
    assert says == str(unread.value)
    assert 1 == len(aws.asked)


@pytest.mark.parametrize(
    "body", [b"", b"<html>sign in</html>", b"<a>"], ids=["nothing", "a page that is XML too", "half of something"]
)
def test_nobody_is_told_nor_known_when_something_else_answers(aws: HttpService, body: bytes) -> None:
    """Who asks is not said, and a message is sent again later: boto3 stumbles over other people's XML."""
    aws.tell(Told(200, body, (("Content-Type", "text/xml"),)))
    topic = serve(sns.ADAPTER, "receiver", context(), topic="arn:aws:sns:eu-central-1:123456789012:oncall")
    assert topic.probe is not None

    with pytest.raises(Unreadable) as unknown:
        topic.probe()
    with pytest.raises(Retryable) as untold:
        topic.writer.send("oncall", MESSAGE)

    assert "who asks at AWS cannot be read: what answered is not AWS: it names no request" == str(unknown.value)
    assert str(untold.value).endswith("what answered is not AWS: it names no request: it may be done or not")


@pytest.mark.parametrize(
    "told", [Told(200, b"{}", JSON), Told(302, b"", (("Location", "/login"),))], ids=["something else", "a redirect"]
)
def test_write_is_in_doubt_when_something_else_answers_it(aws: HttpService, told: Told) -> None:
    """Whoever answered may have passed it on."""
    aws.tell(refusal("ParameterNotFound"), told)

    with pytest.raises(EffectUnknown):
        serve(ADAPTER, "flags", context()).writer.write(FLAG, "on", expected=None)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        pytest.param(Told(200, b"<html>sign in</html>", (("Content-Type", "text/html"),)), 2, id="a page"),
        pytest.param(of_aws(b"{}", *JSON), 3, id="a yes, and it is still there"),
    ],
)
def test_removal_is_in_doubt_when_it_is_not_seen(aws: HttpService, told: Told, asked: int) -> None:
    """The answer to a removal is empty; the parameter itself tells."""
    held = {"Name": FLAG.name, "Value": "on", "Version": 1, "Type": "String"}
    there = of_aws(json.dumps({"Parameter": held}).encode(), *JSON)
    aws.tell(there, told, there)

    with environment(**KEYS, **{ENDPOINT: aws.url}, RUNBOOK_AWS_CLIENT="boto3"), pytest.raises(EffectUnknown):
        serve(ADAPTER, "flags", context()).writer.write(FLAG, None, expected="on")

    assert asked == len(aws.asked)
