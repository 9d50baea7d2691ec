"""The whole loop when things go wrong around it: two services at once, everything told twice, a death, a lost store.

Real Prometheus, two real Alertmanagers, checkouts under gunicorn, `runbook serve`. The happy path with its demo is in
`test_loop.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import runbook_engine
from runbook_adapters import disk
from runbook_engine.entrypoints.cli.demo import find_shipped
from runbook_engine.entrypoints.demo.alerting import PROGRAMS
from runbook_engine.entrypoints.demo.stage import installed
from runbook_engine.entrypoints.demo.story import FAULT, GOAL
from runbook_engine.model.execution import IN_FLIGHT, Execution
from tests.crash.invariants import assert_sound
from tests.e2e.lap import Lap
from tests.e2e.shops import Shops
from tests.lab import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("whole-loop")]  # one stage for all of them

RUNBOOKS, SHOP = find_shipped(Path(runbook_engine.__file__).parent)
NORTH, SOUTH = "north", "south"
SET_AND_RESTORED = ("false", 3)  # written twice: set, and put back


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    """Two shops with everything around them; stopped at the end, whatever happened."""
    if not installed(*PROGRAMS):
        missing = f"{' and '.join(PROGRAMS)} are not installed"
        pytest.fail(f"CI must install what this test is about: {missing}") if os.environ.get("CI") else None
        pytest.skip(missing)
    made = Shops(tmp_path_factory.mktemp("shops"), RUNBOOKS, SHOP, (NORTH, SOUTH))
    try:
        made.open()
        yield made
    finally:
        made.close()
    assert made.runner is not None
    assert [] == made.runner.left()


@pytest.fixture
def shops(stage: Shops) -> Iterator[Shops]:
    """The stage, calm, with its flags as they were: nothing of another test is left."""
    if stage.runner is None or not stage.runner.left():
        stage.start_runner()
    stage.calm_down()
    stage.reset_flags()
    yield stage
    assert_sound(stage.engine.journal)


@pytest.fixture
def lap(record_property: Callable[[str, object], None]) -> Lap:
    """What measures and tells."""
    return Lap(record_property)


def waited(shops: Shops, name: str, since: datetime, holds: Callable[[Execution], bool], what: str) -> Execution:
    """Wait until something holds of the only run for a shop since, and return that run."""

    def held() -> bool:
        run = shops.run(name, since)
        return run is not None and holds(run)

    try:
        wait_until(held, what)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *map(shops.says, shops.runs(name, since))])) from error
    found = shops.run(name, since)
    assert found is not None
    return found


def undone(shops: Shops, name: str, since: datetime) -> Execution:
    """Wait until what was changed for a shop is put back, and nothing is left to do."""
    return waited(shops, name, since, lambda run: run.compensation == "undone" and run.finished, "it is undone")


def healed(shops: Shops, name: str) -> None:
    """Wait until customers of a shop, which is broken still, have met no error for a second; then end its fault."""
    wait_until(lambda: shops.flag(name)[0] == "true", "its flag is set")
    set_at = time.time()
    wait_until(lambda: time.time() > set_at + 1 and served(shops, name), "its customers meet no error")
    shops.inject(0.0, name)


def served(shops: Shops, name: str) -> bool:
    """Whether the customers of the last second were served."""
    ratio = shops.traffic[name].error_ratio(time.time() - 1)
    return ratio is not None and ratio < GOAL


def changed(shops: Shops, run: Execution) -> list[tuple[str, str]]:
    """Return what a run set out to do, in order: which way, and to what."""
    records = shops.engine.journal.audit(run.id)
    return [(one.direction, one.change.target.name) for one in records if one.event == "intended" and one.change]


def test_each_of_two_services_has_a_run_of_its_own_when_both_break_and_all_is_told_twice(
    shops: Shops, lap: Lap
) -> None:
    """Two faults at once, two Alertmanagers that both tell of them: one effect each, and none on the other."""
    began, sent, accepted = datetime.now(UTC), shops.delivered(), shops.accepted()

    lap.start()
    shops.inject(FAULT, NORTH, SOUTH)
    for name in (NORTH, SOUTH):
        healed(shops, name)
    lap.lap("two faults to no customer meets an error")
    verified = [
        waited(shops, name, began, lambda run: run.ended, f"the run of {name} has ended") for name in (NORTH, SOUTH)
    ]
    lap.lap("to both verified")
    runs = [undone(shops, name, began) for name in (NORTH, SOUTH)]
    lap.lap("to both flags restored")
    # 2 groups, each fires and resolves: 4 notifications of each Alertmanager, none of which a second one knows of
    told = [after - before for before, after in zip(sent, shops.delivered(), strict=True)]

    assert ["succeeded", "succeeded"] == [run.status for run in verified], "\n".join(map(shops.says, verified))
    assert min(told) >= 4, told
    assert shops.accepted() - accepted >= 8
    for name, run in zip((NORTH, SOUTH), runs, strict=True):
        flag = f"/{name}/degraded_mode"
        assert [("do", flag), ("undo", flag)] == changed(shops, run), shops.says(run)
        assert SET_AND_RESTORED == shops.flag(name)
        arrivals = shops.engine.journal.arrivals(run.incident_id)
        assert ["opened", "resolved"] == [arrival.transition for arrival in arrivals]
        assert {name} == {arrival.alert.labels["service"] for arrival in arrivals}
    assert runs[0].incident_id != runs[1].incident_id


def test_one_effect_is_made_verified_and_undone_when_worker_and_runner_are_killed(shops: Shops, lap: Lap) -> None:
    """The worker dies between intent and effect; then the whole runner dies while it verifies, and stays away."""
    began = datetime.now(UTC)
    with disk.locked(shops.flags):  # the store is slow: so a change has a middle in which one can die
        shops.inject(FAULT, NORTH)
        waited(shops, NORTH, began, is_changing, "the change is under way")
        shops.kill_worker()
        untouched = shops.flag(NORTH)
        lap.start()

    waited(shops, NORTH, began, lambda run: run.verification is not None, "verification has begun")
    lap.lap("worker killed in the middle of the change, to the change done and verification begun")
    set_once = shops.flag(NORTH)
    shops.kill_runner()
    cut_off = shops.run(NORTH, began)
    lap.start()
    healed(shops, NORTH)
    time.sleep(1)  # nobody is there: what Alertmanager tells now is lost, and it tells it again
    shops.start_runner()
    verified = waited(shops, NORTH, began, lambda run: run.ended, "it is verified")
    lap.lap("runner killed in the middle of the verification, some seconds away, to verified")
    run = undone(shops, NORTH, began)
    lap.lap("verified to flag restored")

    flag = f"/{NORTH}/degraded_mode"
    assert (("false", 1), ("true", 2)) == (untouched, set_once)
    assert cut_off is not None
    assert not cut_off.ended
    assert "succeeded" == verified.status, shops.says(verified)
    assert [("do", flag), ("undo", flag)] == changed(shops, run), shops.says(run)
    assert SET_AND_RESTORED == shops.flag(NORTH)
    assert ("false", 1) == shops.flag(SOUTH)
    assert [] == shops.runs(SOUTH, began)


def is_changing(run: Execution) -> bool:
    """Whether a change is on its way."""
    return any(step.effect is not None and step.effect.status in IN_FLIGHT for step in run.steps)


def test_nothing_is_half_done_and_it_succeeds_later_when_the_flag_store_is_down(shops: Shops, lap: Lap) -> None:
    """First the store is garbage, so nothing is begun; then nobody may write it, so the write is tried again."""
    began, pages = datetime.now(UTC), shops.told("paged.log", "is corrupt")
    whole = shops.flags.read_bytes()
    lock = shops.flags.with_name(f"{shops.flags.name}.lock")

    disk.replace(shops.flags, whole[: len(whole) // 2])
    shops.inject(FAULT, SOUTH)
    lap.start()
    waiting = waited(shops, SOUTH, began, lambda run: "is corrupt" in run.waits_for, "it says what it waits for")
    lap.lap("fault to told that the store is corrupt")
    wait_until(lambda: shops.told("paged.log", "is corrupt") > pages, "the on-call is told why")
    lap.lap("to the on-call told")

    lock.unlink(missing_ok=True)
    lock.mkdir()
    disk.replace(shops.flags, whole)
    retrying = waited(shops, SOUTH, began, lambda run: "cannot be written" in run.waits_for, "its write was refused")
    refused = shops.flag(SOUTH)
    lock.rmdir()
    lap.start()
    healed(shops, SOUTH)
    lap.lap("store back to no customer meets an error")
    verified = waited(shops, SOUTH, began, lambda run: run.ended, "it is verified")
    lap.lap("to verified")
    run = undone(shops, SOUTH, began)
    lap.lap("to flag restored")

    assert [] == [step.effects for step in waiting.steps if step.effects]
    assert ("retrying", 1) == (retrying.steps[0].effects[-1].status, len(retrying.steps[0].effects))
    assert ("false", 1) == refused
    assert "succeeded" == verified.status, shops.says(verified)
    flag = f"/{SOUTH}/degraded_mode"
    assert [("do", flag), ("do", flag), ("undo", flag)] == changed(shops, run), shops.says(run)  # refused, then done
    assert SET_AND_RESTORED == shops.flag(SOUTH)
