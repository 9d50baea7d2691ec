"""What the processes of the contention tests do; importable by a fresh interpreter."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import msgspec

from runbook_engine.errors import StaleVersion
from runbook_engine.model.guardrail import Budget
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Committed, Refused
from tests.contract.journal.opening import Where, open_journal, open_sqlite
from tests.contract.journal.samples import NOON, after, audit_record, execution, lease, minutes

BUDGET = Budget("service/checkout", minutes(60), limit=5)
LONGEST = 240.0  # seconds: eight interpreters start and write at once, on a busy machine
Work = Callable[[Any, int], Any]


def run_together(work: Work, where: Where, processes: int) -> list[Any]:
    """Start that many processes, let them begin at one moment, and return what each returned."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(processes), context.Queue()
    running = [
        context.Process(target=_run, args=(work, where, number, start, results), daemon=True)
        for number in range(processes)
    ]
    for process in running:
        process.start()
    found = [results.get(timeout=LONGEST) for _ in running]
    for process in running:
        process.join(timeout=60)
    return found


def _run(work: Work, where: Where, number: int, start: Barrier, results: "Queue[Any]") -> None:
    start.wait(timeout=LONGEST / 2)
    results.put(work(where, number))


def spend_budget(where: Where, number: int, times: int = 100) -> dict[str, int]:
    """Open so many executions, each of which wants one change of the same budget."""
    journal = open_journal(where)
    results: list[Committed | Refused] = []
    for index in range(times):
        new = execution(f"{number}-{index}")
        journal.record(Intake(opened=(new,)))
        results.append(journal.commit(new, expected_version=0, claims=[BUDGET], now=NOON))
    return {kind.__name__: sum(isinstance(result, kind) for result in results) for kind in (Committed, Refused)}


def name_one_slot(folder: Path, number: int) -> dict[str, int]:
    """Open fifty executions, each of which finds that it is about the one target."""
    journal = open_sqlite(folder, busy_timeout=LONGEST)
    results: list[Committed | Refused] = []
    for index in range(50):
        new = execution(f"{number}-{index}")
        journal.record(Intake(opened=(new,)))
        named = msgspec.structs.replace(new, slot="the one")
        results.append(journal.commit(named, expected_version=0, now=NOON))
    return {kind.__name__: sum(isinstance(result, kind) for result in results) for kind in (Committed, Refused)}


def race_for_versions(where: Where, number: int, wins: int = 150) -> list[int]:
    """Lease one execution again and again, and return the versions that were won."""
    journal = open_journal(where)
    won: list[int] = []
    while len(won) < wins:
        current = journal.load("contested")
        mine = msgspec.structs.replace(
            current, lease=lease(f"worker-{number}", until=5), audit_length=current.audit_length + 1
        )
        record = audit_record("contested", mine.audit_length)
        try:
            journal.commit(mine, expected_version=current.version, records=[record], now=NOON)
        except StaleVersion:
            continue
        won.append(current.version + 1)
    return won


def commit_until_killed(folder: Path, acknowledge: int) -> None:
    """Commit version after version, each with a record and a budget entry, and say so after each."""
    journal = open_sqlite(folder)
    unlimited = Budget("x", minutes(60), limit=1_000_000)
    while True:
        current = journal.load("victim")
        number = current.version + 1
        journal.commit(
            current,
            expected_version=current.version,
            records=[audit_record("victim", number)],
            claims=[unlimited],
            now=after(0),
        )
        os.write(acknowledge, f"{number}\n".encode())
