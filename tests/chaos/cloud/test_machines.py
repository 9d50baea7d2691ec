"""The state machine that drives, ended and misled at random: effects are counted at their targets."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.cloud.machines import CALLINGS, ENDINGS, Unreliable
from tests.chaos.cloud.orders import ASK, CALL, SHED, CountingServer, Found, Kind, Order, Shop, config, new_orders
from tests.chaos.tally import LONG, SEED, keep, tries
from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

FAULTS = tries(2, 1000)
BATCH = tries(2, 15)  # orders of one account
SHARE = 0.4
SWEEP = "runbook-engine-sweep"
KINDS: tuple[Kind, ...] = ("shed", "ask", "call")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("fault", "ways"),
    [
        pytest.param("execution aborted or lost", ENDINGS, id="its execution ends anywhere"),
        pytest.param(
            "task called twice, late, in vain or not at all",
            CALLINGS,
            id="its task is called badly",
            marks=pytest.mark.skipif(not LONG, reason="the long form (make chaos)"),
        ),
    ],
)
def test_no_effect_is_lost_or_doubled_whatever_the_state_machine_does(
    fault: str, ways: tuple[str, ...], tmp_path: Path
) -> None:
    """The machine only calls: what was begun is in the journal, and the sweep asks for another driver."""
    found, done, dice, orders = Found(), Counter[str](), random.Random(SEED), 0
    with CountingServer() as target:
        while done.total() < FAULTS:
            batch = new_orders(BATCH, orders, dice, KINDS)
            orders += BATCH
            done += _play(tmp_path / str(orders), dice, target, batch, found, ways)
            remark = ", ".join(f"{times} {way}" for way, times in sorted(done.items()))
            row = keep(found.tally("AWS Step Functions", fault, done.total(), remark))
            assert row.sound, f"seed {SEED}: {found.says} after {dict(done)}"
            assert not found.says, f"seed {SEED}: {found.says} after {dict(done)}"


def _play(
    scratch: Path,
    dice: random.Random,
    target: CountingServer,
    orders: list[Order],
    found: Found,
    ways: tuple[str, ...],
) -> Counter[str]:
    """Let a batch of alerts come and go in an account of its own, whose machines go wrong; return how."""
    scratch.mkdir()
    with Aws() as aws:
        installed = Installation(aws, scratch, runbooks=(SHED, ASK, CALL), config=config(target.url))
        unreliable = Unreliable(installed, dice, SHARE, ways)
        unreliable.install()
        aws.schedule(SWEEP, every=timedelta(minutes=1))
        shop = Shop(installed, target.counted, between=unreliable.between)
        for start in range(0, len(orders), 4):
            shop.place(orders[start : start + 4])
            shop.pass_time(1)
        shop.pass_time(5)
        shop.resolve()
        shop.rest()
        shop.judge(found)
        return unreliable.done
