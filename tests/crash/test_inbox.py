"""SIGKILL while the inbox is worked off: what was answered is decided once, and in order, whoever comes after.

One process stores and decides, and dies at one place between a look into the inbox and the end of a commit. The next
one goes on. What is stored in the end is what somebody has who was never killed.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_adapters.sqlite import SqliteJournal
from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.ports import Journal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.contract.journal.opening import open_sqlite
from tests.crash.mortality import Mortality, kill
from tests.lab import bundle_in, simulated_engine, webhook
from tests.length import LONG

pytestmark = pytest.mark.slow

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)
DELIVERIES = (
    webhook("a", "b"),
    webhook("a"),
    webhook("c"),
    webhook("a", status="resolved"),
    webhook("a", "c"),
    webhook("b", "c", status="resolved"),
)
STATEMENTS = ("BEGIN", "DELETE", "INSERT", "UPDATE", "COMMIT")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The lab's installation."""
    return bundle_in(tmp_path_factory.mktemp("inbox"))


def watched(journal: SqliteJournal, mortality: Mortality) -> SqliteJournal:
    """Let every statement that writes be a place to die, just before it runs."""
    database = journal.inbox._database
    with database.writing() as connection:  # the one connection of this process
        connection.set_trace_callback(lambda sql: mortality(sql) if sql.startswith(STATEMENTS) else None)
    return journal


def live(bundle: Bundle, folder: Path, mortality: Mortality) -> None:
    """Store what was not stored yet, and decide all of it."""
    journal = watched(open_sqlite(folder), mortality)
    engine = simulated_engine(bundle, SimulatedWorld(start=NOON), journal=journal)
    for number, body in enumerate(DELIVERIES):
        if (folder / f"answered-{number}").exists():
            continue
        engine.accept(request(body, number))
        (folder / f"answered-{number}").touch()
        if number % 2:
            work_off(engine)
    work_off(engine)


def work_off(engine: Engine) -> None:
    """Decide what waits."""
    while (waiting := engine.oldest_waiting()) is not None:
        engine.decide(waiting)


def request(body: bytes, number: int) -> Request:
    """A delivery; sent again, it comes at the same time, so that the ends can be compared."""
    headers = {"content-type": "application/json"}
    return Request("lab", "alertmanager", headers, body, NOON + timedelta(minutes=number))


def in_a_process(work: Callable[[], None]) -> int:
    """Do it in a process of its own; return its exit code, negative for a signal."""
    process = os.fork()
    if not process:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def decided(journal: Journal) -> object:
    """All that was decided."""
    incidents = sorted(journal.incidents(limit=100), key=lambda one: one.id)
    runs = sorted(journal.executions(limit=100), key=lambda one: one.id)
    return (
        [(one.id, one.open_alerts, one.resolved_at, journal.arrivals(one.id)) for one in incidents],
        [(one.id, one.slot, one.members, journal.signals(one.id, 0)) for one in runs],
    )


def test_what_was_answered_is_decided_once_and_in_order_wherever_the_process_is_killed(
    bundle: Bundle, tmp_path: Path
) -> None:
    """Before every statement that writes: of storing a delivery, and of storing what it means."""
    reference = tmp_path / "undisturbed"
    reference.mkdir()
    mortality = Mortality(by=kill)
    live(bundle, reference, mortality)
    journal = open_sqlite(reference)
    expected, places = decided(journal), len(mortality.passed)
    assert places > 60

    for death in range(1, places + 1, 1 if LONG else 4):
        folder = tmp_path / str(death)
        folder.mkdir()

        first = in_a_process(lambda: live(bundle, folder, Mortality(death, by=kill)))  # noqa: B023 - at once
        second = in_a_process(lambda: live(bundle, folder, Mortality(by=kill)))  # noqa: B023 - at once

        assert (-signal.SIGKILL, 0) == (first, second), death
        journal = open_sqlite(folder)
        assert expected == decided(journal), mortality.passed[death - 1]
        assert journal.inbox.is_empty()
        journal.close()
        with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection:
            assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
