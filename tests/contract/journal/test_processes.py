"""Several processes on one SQLite file: nothing is done twice, nothing acknowledged is lost."""

import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.journal.opening import open_sqlite
from tests.contract.journal.samples import after, opened
from tests.contract.journal.workers import (
    BUDGET,
    commit_until_killed,
    name_one_slot,
    race_for_versions,
    run_together,
    spend_budget,
)
from tests.length import LONG

KILLS = 100 if LONG else 30


@pytest.mark.slow
def test_exactly_five_of_eight_hundred_changes_are_made_when_the_budget_is_five(tmp_path: Path) -> None:
    """Eight processes, a hundred executions each, one budget; the file is made by whoever comes first."""
    results = run_together(spend_budget, tmp_path, processes=8)

    assert 5 == sum(result["Committed"] for result in results)
    assert 795 == sum(result["Refused"] for result in results)
    journal = open_sqlite(tmp_path)
    assert 5 == journal.changes_within(BUDGET.key, after(-60), other_than="")
    assert 800 == journal.counts()["executions.pending"]
    journal.close()


@pytest.mark.slow
def test_one_of_four_hundred_executions_has_the_slot_when_all_of_them_name_it_at_once(tmp_path: Path) -> None:
    """Eight processes, fifty executions each, all of which lead to one target."""
    results = run_together(name_one_slot, tmp_path, processes=8)

    assert 1 == sum(result["Committed"] for result in results)
    assert 399 == sum(result["Refused"] for result in results)
    journal = open_sqlite(tmp_path)
    holder = journal.holders(["the one"])["the one"]
    assert ["the one"] == [each.slot for each in journal.executions(limit=400) if each.slot == "the one"]
    assert "the one" == journal.load(holder).slot
    journal.close()


@pytest.mark.slow
def test_no_version_is_stored_twice_when_two_processes_race_for_the_lease(tmp_path: Path) -> None:
    """The version is the fence: every one of them was won by one process, and none is missing."""
    journal = open_sqlite(tmp_path)
    opened(journal, "contested")

    first, second = run_together(race_for_versions, tmp_path, processes=2)

    assert list(range(1, 301)) == sorted(first + second)
    assert 300 == journal.load("contested").version
    assert list(range(1, 301)) == [record.number for record in journal.audit("contested")]
    journal.close()


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed_at_any_moment(tmp_path: Path) -> None:
    """Dozens of kills (by night a hundred): version, records and budget stand together, and the file stays whole."""
    journal = open_sqlite(tmp_path)
    opened(journal, "victim")
    chance = random.Random(7)

    for number in range(KILLS):
        acknowledged = _killed_writer(tmp_path, chance.uniform(0, 0.02), commits=1 if number else 2)

        version = journal.load("victim").version
        assert acknowledged <= version <= acknowledged + 1
        assert version == journal.changes_within("x", after(-60), other_than="")
    assert list(range(1, version + 1)) == [record.number for record in journal.audit("victim")]
    assert version > KILLS
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


def _killed_writer(folder: Path, lives: float, commits: int) -> int:
    """Let a process commit so often and for a while more, kill it, return the last version it has acknowledged."""
    read, write = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            commit_until_killed(folder, write)
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as acknowledgements:
        first = b"".join(acknowledgements.readline() for _ in range(commits))
        time.sleep(lives)
        os.kill(writer, signal.SIGKILL)
        said = first + acknowledgements.read()
    _, status = os.waitpid(writer, 0)
    assert signal.SIGKILL == os.WTERMSIG(status)
    return int(said.splitlines()[-1])
