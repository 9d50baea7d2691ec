"""The functions of the zip, killed from outside at random: real processes, and effects counted at their targets."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_engine.testing.clock import SimulatedClock
from tests.chaos.cloud.killing import Reaper
from tests.chaos.cloud.orders import CALL, SHED, CountingServer, Found, Order, Shop, config, new_orders
from tests.chaos.tally import LONG, SEED, keep, tries
from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation
from tests.pipeline.rie.deployed import Deployed

KILLS = tries(2, 1000)
BATCH = tries(2, 20)  # orders of one account
SHARE = tries(60, 50) / 100
SWEEP = "runbook-engine-sweep"
ROLES = ("ingest", "drive", "sweep")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not LONG, reason="the long form (make chaos); tests/pipeline/rie/test_deaths.py is the short one")
def test_no_effect_is_lost_or_doubled_when_functions_are_killed_at_random(zip_folder: Path, tmp_path: Path) -> None:
    """Whoever takes alerts in, drives, or sweeps: it dies before, in and after its calls, and at any moment between."""
    found, kills, dice, orders = Found(), Counter[str](), random.Random(SEED), 0
    with CountingServer() as target:
        while kills.total() < KILLS:
            batch = new_orders(BATCH, orders, dice)
            orders += BATCH
            kills += _play(zip_folder, tmp_path / str(orders), dice, target, batch, found)
            row = keep(found.tally("AWS Lambda", "SIGKILL of a function at work", kills.total(), _remark(kills)))
            assert row.sound, f"seed {SEED}: {found.says} after {dict(kills)}"
            assert not found.says, f"seed {SEED}: {found.says} after {dict(kills)}"


def _play(
    folder: Path, scratch: Path, dice: random.Random, target: CountingServer, orders: list[Order], found: Found
) -> Counter[str]:
    """Let a batch of alerts come and go in an account of its own, whose functions are killed; return how."""
    (scratch / "installation").mkdir(parents=True)
    with Aws(clock=SimulatedClock(datetime.now(UTC))) as aws:
        installed = Installation(aws, scratch / "installation", runbooks=(SHED, CALL), config=config(target.url))
        with Deployed(aws, folder, scratch, installed) as deployed:
            deployed.run_mortal(*ROLES)
            reaper = Reaper(deployed, dice, SHARE)
            reaper.hunt(*ROLES)
            aws.schedule(SWEEP, every=timedelta(minutes=1))
            shop = Shop(installed, target.counted)
            while orders:
                some, orders = orders[:4], orders[4:]
                shop.place(some)
                shop.pass_time(1)
            shop.pass_time(3)
            shop.resolve()
            shop.rest()
            shop.judge(found)
            return reaper.kills


def _remark(kills: Counter[str]) -> str:
    by_role = Counter[str]()
    for how, times in kills.items():
        by_role[how.rpartition(" ")[2]] += times
    return ", ".join(f"{by_role[role]} of {role}" for role in ROLES)
