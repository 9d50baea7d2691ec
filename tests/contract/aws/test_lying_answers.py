"""Answers with 200 that are not of AWS: a look is unreadable, a change is in doubt, and no traceback tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from runbook_adapters.ssm import ADAPTER
from runbook_engine.errors import EffectUnknown, Retryable, Unreadable
from runbook_engine.model.target import Target
from tests.contract.aws.account import ENDPOINT, KEYS, context, environment, refusal, serve, service
from tests.contract.http_service import HttpService, Told

FLAG = Target("parameter", "", "", "/checkout/degraded_mode")
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

    says = "cannot be read: what answered is not AWS: there is no Parameter in it"
    assert f"{FLAG} {says}" == str(unread.value)
    assert 2 == len(aws.asked)


@pytest.mark.parametrize(
    "told", [Told(200, b"{}", JSON), Told(302, b"", (("Location", "/login"),))], ids=["something else", "a redirect"]
)
def test_write_is_in_doubt_when_something_else_answers_it(aws: HttpService, told: Told) -> None:
    """Whoever answered may have passed it on."""
    aws.tell(refusal("ParameterNotFound"), told)

    with pytest.raises(EffectUnknown):
        serve(ADAPTER, "flags", context()).writer.write(FLAG, "on", expected=None)


def test_removal_is_in_doubt_when_a_page_answers_it(aws: HttpService) -> None:
    """The answer to a removal is empty, so that a page passes for one; the parameter itself tells."""
    held = {"Name": FLAG.name, "Value": "on", "Version": 1, "Type": "String"}
    there = Told(200, json.dumps({"Parameter": held}).encode(), JSON)
    aws.tell(there, Told(200, b"<html>sign in</html>", (("Content-Type", "text/html"),)), there)

    with environment(**KEYS, **{ENDPOINT: aws.url}, RUNBOOK_AWS_CLIENT="boto3"), pytest.raises(EffectUnknown):
        serve(ADAPTER, "flags", context()).writer.write(FLAG, None, expected="on")

    assert 3 == len(aws.asked)
