"""Waking drivers under their task tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runbook_adapters.stepfunctions import ADAPTER
from runbook_engine.errors import NoAdapter, Permanent, Retryable
from tests.contract.aws.account import ACCOUNT, REGION, account, of_aws, refusal, serve, service
from tests.contract.http_service import HttpService, Told


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here that wants one."""
    with service() as running:
        yield running


@pytest.fixture
def told(server: HttpService) -> HttpService:
    """A service that says what the test wants."""
    server.asked.clear()
    server.tell(of_aws(b"{}"))
    return server


def test_driver_is_woken_when_it_waits(told: HttpService) -> None:
    """The answer carries nothing: a token in the wrong hands decides nothing."""
    woken = serve(ADAPTER, "callbacks").writer.wake("token")

    (asked,) = told.asked
    assert woken is True
    assert {"taskToken": "token", "output": "{}"} == json.loads(asked.body)
    assert "AWSStepFunctions.SendTaskSuccess" == asked.headers["X-Amz-Target"]


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_nobody_is_woken_when_the_token_is_stale(told: HttpService, code: str) -> None:
    """All three mean that it has been decided already."""
    told.tell(refusal(code))

    assert serve(ADAPTER, "callbacks").writer.wake("token") is False


@pytest.mark.parametrize("token", ["", "x" * 2049], ids=["empty", "longer than any"])
def test_nobody_is_woken_when_the_token_can_be_none(told: HttpService, token: str) -> None:
    """Nothing is asked for it."""
    assert serve(ADAPTER, "callbacks").writer.wake(token) is False
    assert [] == told.asked


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        pytest.param(
            refusal("ThrottlingException", message="Rate exceeded"),
            Retryable,
            "waking a driver: ThrottlingException: Rate exceeded",
            id="throttled",
        ),
        pytest.param(
            refusal("InternalFailure", 500),
            Retryable,
            "waking a driver: InternalFailure: so it is: it may be done or not",
            id="in doubt",
        ),
        pytest.param(
            refusal("AccessDeniedException", message="not authorized"),
            Permanent,
            "waking a driver: AccessDeniedException: not authorized "
            "(see `runbook permissions --format iam` for what the engine needs)",
            id="denied",
        ),
    ],
)
def test_waking_is_repeated_or_given_up_when(told: HttpService, answer: Told, kind: type[Exception], says: str) -> None:
    """One that is in doubt is done again: the second time nobody waits. No sentence shows the token."""
    told.tell(answer)

    with pytest.raises(kind) as caught:
        serve(ADAPTER, "callbacks").writer.wake("a-secret-token")

    assert says == str(caught.value)


def test_other_ports_are_refused_when_asked() -> None:
    """It wakes, and nothing else."""
    with pytest.raises(NoAdapter) as caught:
        serve(ADAPTER, "bus")

    assert "stepfunctions does not serve bus (it serves callbacks)" == str(caught.value)


def test_doctor_says_who_asks() -> None:
    """Nobody is woken for it."""
    with account():
        probe: Any = serve(ADAPTER, "callbacks").probe

        assert f"answers for account {ACCOUNT}, region {REGION}, as user/moto" == probe()
