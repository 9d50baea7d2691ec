"""DynamoDB throttles, fails, and loses answers: effects are counted at their targets, and a 202 is always kept."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from runbook_engine.testing.clock import SimulatedClock
from tests.chaos.cloud.orders import ASK, CALL, SHED, CountingServer, Found, Kind, Order, Shop, config, new_orders
from tests.chaos.cloud.throttling import Throttled
from tests.chaos.tally import SEED, keep, tries
from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

FAULTS = tries(10, 1000)
BATCH = tries(2, 20)  # orders of one account
SHARE = 0.08
SWEEP = "runbook-engine-sweep"
FUNCTIONS = (SWEEP, "runbook-engine-alert-ingest", "runbook-engine-runbook-action")
KINDS: tuple[Kind, ...] = ("shed", "ask", "call")
CLIENT = "RUNBOOK_AWS_CLIENT"  # the bed asks for boto3's, which moto serves without a socket
HURRY = 50  # how much shorter pauses are than in production
SHORT = 0.01  # seconds; what sleeps less does not wait for DynamoDB


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_acknowledged_alert_is_lost_when_dynamodb_throttles(tmp_path: Path) -> None:
    """A sender hears 202 or 503 and nothing else; what was taken in is done once, however often the table says no."""
    found, done, answers, dice, orders = Found(), Counter[str](), Counter[int](), random.Random(SEED), 0
    with CountingServer() as target, _hurrying():
        while done.total() < FAULTS:
            batch = new_orders(BATCH, orders, dice, KINDS)
            orders += BATCH
            faults, shop = _play(tmp_path / str(orders), dice, target, batch, found)
            done, answers = done + faults, answers + shop.answers
            told = ", ".join(f"{code}: {answers[code]}" for code in sorted(answers))
            remark = f"{orders} alerts in deliveries answered {told}"
            row = keep(found.tally("AWS DynamoDB", "throttled, failing, answers lost", done.total(), remark))
            assert set(answers) <= {202, 503}, f"seed {SEED}: {answers}"
            assert row.sound, f"seed {SEED}: {found.says} after {dict(done)}"
            assert not found.says, f"seed {SEED}: {found.says} after {dict(done)}"


def _play(
    scratch: Path, dice: random.Random, target: CountingServer, orders: list[Order], found: Found
) -> tuple[Counter[str], Shop]:
    """Let a batch of alerts come and go in an account of its own, whose table is in trouble; return what went wrong."""
    scratch.mkdir()
    with Aws(clock=SimulatedClock(datetime.now(UTC))) as aws, _asked_over_http(aws.serve()):
        installed = Installation(aws, scratch, runbooks=(SHED, ASK, CALL), config=config(target.url))
        throttled = Throttled(aws, dice, SHARE)
        throttled.install(*FUNCTIONS)
        aws.schedule(SWEEP, every=timedelta(minutes=1))
        shop = Shop(installed, target.counted)
        for start in range(0, len(orders), 2):
            shop.place(orders[start : start + 2])
            shop.pass_time(1)
        shop.pass_time(5)
        shop.resolve()
        shop.rest()
        shop.judge(found)
        return throttled.done, shop


@contextmanager
def _asked_over_http(url: str) -> Iterator[None]:
    """Let the product's own clients ask the account at its address, as they do in a function."""
    with mock.patch.dict("os.environ", {"AWS_ENDPOINT_URL": url}):
        os.environ.pop(CLIENT, None)
        yield


@contextmanager
def _hurrying() -> Iterator[None]:
    """Let nobody wait as long for the table as in production."""
    sleep = time.sleep
    with mock.patch("time.sleep", lambda seconds: sleep(seconds if seconds < SHORT else seconds / HURRY)):
        yield
