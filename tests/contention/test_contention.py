"""Many at once on one journal: the budget holds, no step runs twice, one alert is one execution, nobody dies."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from runbook_engine.errors import StaleVersion
from runbook_engine.model.guardrail import BudgetRule
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contention.crowd import HOUR, drive_to_the_end, engine_over, open_journal, storm, together
from tests.contention.tally import Tally
from tests.crash.invariants import assert_sound, intents
from tests.length import LONG

CAP = BudgetRule(changes=5, per="fleet", window=HOUR)
JUDGED = r"5 of 5 changes per fleet in 1h"
COMMITTED = r"5 of 5 changes under fleet are used, the next is allowed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
PROCESSES, ALERTS = 8, 100 if LONG else 20


def storm_and_drive(folder: Path, number: int) -> None:
    """Post many alerts, one by one, and drive whatever is due until all that were posted by all have ended."""
    journal = open_journal(folder)
    engine = engine_over(journal, folder, CAP)
    for index in range(ALERTS):
        engine.ingest(storm(f"/victim/{number}-{index}"))
    drive_to_the_end(engine, f"process-{number}", PROCESSES * ALERTS)
    journal.close()


def drive_fifty(folder: Path, number: int) -> None:
    """Drive what is there."""
    journal = open_journal(folder)
    drive_to_the_end(engine_over(journal, folder), f"process-{number}", 50)
    journal.close()


def post_the_same(folder: Path, number: int) -> list[str]:
    """Post twenty alerts that everybody posts."""
    journal = open_journal(folder)
    engine = engine_over(journal, folder)
    receipts = [engine.ingest(storm(f"/victim/{index}")) for index in range(20)]
    journal.close()
    return [execution for receipt in receipts for execution in receipt.opened]


def post_ones_own(folder: Path, number: int) -> list[str]:
    """Post an alert of one's own about the victim of all."""
    journal = open_journal(folder)
    receipt = engine_over(journal, folder).ingest(storm("/victim/one", name=f"Storm{number}"))
    journal.close()
    return [*receipt.opened, *receipt.joined]


@pytest.mark.slow
def test_exactly_five_changes_are_made_when_eight_processes_bring_many_alerts_each(tmp_path: Path) -> None:
    """The cap is held by the commit: five lines at the target, and every other run says why it made none."""
    together(storm_and_drive, tmp_path, PROCESSES)

    assert 5 == len(Tally(tmp_path / "tally").lines)
    journal = open_journal(tmp_path)
    executions = journal.executions(limit=1000)
    assert {"succeeded": 5, "blocked": PROCESSES * ALERTS - 5} == Counter(execution.status for execution in executions)
    said = {execution.reason for execution in executions if execution.status == "blocked"}
    assert all(re.fullmatch(f"{JUDGED}|{COMMITTED}", reason) for reason in said), said
    assert_sound(journal)
    journal.close()


@pytest.mark.slow
def test_no_step_runs_twice_when_two_processes_drive_one_journal(tmp_path: Path) -> None:
    """Fifty executions, two drivers, an action that must never be repeated: fifty lines, each another."""
    journal = open_journal(tmp_path)
    engine = engine_over(journal, tmp_path)
    for index in range(50):
        engine.ingest(storm(f"/victim/{index}"))

    together(drive_fifty, tmp_path, 2)

    assert sorted(f"/victim/{index}" for index in range(50)) == sorted(Tally(tmp_path / "tally").lines)
    executions = journal.executions(limit=100)
    assert {"succeeded": 50} == Counter(execution.status for execution in executions)
    assert all([("tally", "do")] == intents(journal.audit(execution.id)) for execution in executions)
    assert_sound(journal)
    journal.close()


@pytest.mark.slow
def test_one_alert_is_one_execution_when_eight_processes_take_it_in_at_once(tmp_path: Path) -> None:
    """A sender in high availability posts everything several times at the same moment."""
    opened = together(post_the_same, tmp_path, PROCESSES)

    journal = open_journal(tmp_path)
    executions = journal.executions(limit=100)
    assert 20 == len(executions)
    assert all(1 == len(execution.members) for execution in executions)
    assert sorted(execution.id for execution in executions) == sorted(chain.from_iterable(opened))
    journal.close()


@pytest.mark.slow
def test_alerts_for_one_target_share_one_execution_when_eight_processes_take_them_in_at_once(tmp_path: Path) -> None:
    """Eight alerts, one runbook, one target: one opens, seven join, and all eight are members."""
    together(post_ones_own, tmp_path, PROCESSES)

    journal = open_journal(tmp_path)
    drive_to_the_end(engine_over(journal, tmp_path), "after", 1)
    (execution,) = journal.executions(limit=100)
    assert {f"Storm{number}" for number in range(PROCESSES)} == {member.name for member in execution.members}
    assert ["/victim/one"] == Tally(tmp_path / "tally").lines
    journal.close()


# --- threads over a journal in memory -------------------------------------------------------------------------


def in_threads(work: Callable[[int], None], threads: int) -> None:
    """Run in that many threads at once; raise what one of them raised."""
    start, problems = threading.Barrier(threads), list[Exception]()

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except (StaleVersion, AssertionError) as problem:
            problems.append(problem)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert [] == problems


def test_exactly_five_changes_are_made_when_eight_threads_bring_twenty_alerts_each(tmp_path: Path) -> None:
    """The same promise from the journal in memory."""
    journal = MemoryJournal()

    def work(number: int) -> None:
        engine = engine_over(journal, tmp_path, CAP)
        for index in range(20):
            engine.ingest(storm(f"/victim/{number}-{index}"))
        drive_to_the_end(engine, f"thread-{number}", 8 * 20)

    in_threads(work, 8)

    assert 5 == len(Tally(tmp_path / "tally").lines)
    statuses = Counter(execution.status for execution in journal.executions(limit=1000))
    assert {"succeeded": 5, "blocked": 155} == statuses
    assert_sound(journal)


def test_one_engine_serves_many_threads(tmp_path: Path) -> None:
    """The local runner has one engine and bounded threads; each thread has a name of its own."""
    journal = MemoryJournal()
    engine = engine_over(journal, tmp_path)

    def work(number: int) -> None:
        for index in range(10):
            engine.ingest(storm(f"/victim/{index}"))
        drive_to_the_end(engine, f"thread-{number}", 10)

    in_threads(work, 6)

    assert sorted(f"/victim/{index}" for index in range(10)) == sorted(Tally(tmp_path / "tally").lines)
    assert_sound(journal)
