"""A journal on disk: whatever byte of a stored record is flipped, and whatever record goes missing, it is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.journal import SqliteJournal
from runbook_engine.proof.trail import check_trail
from tests.length import LONG
from tests.scenario.rig import MINUTE, Rig

BODIES = "SELECT body FROM audit ORDER BY number"


class Kept:
    """A journal file with one run in it, which may be damaged and is mended after each look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = SqliteJournal(Database(path, timedelta(seconds=30)))
        rig = Rig(journal=self.journal)
        rig.healed_by_flag()
        rig.fire()
        rig.run(5 * MINUTE, MINUTE)
        rig.resolve()
        rig.run(60 * MINUTE, MINUTE)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA synchronous = OFF")
        self.bodies: list[bytes] = [body for (body,) in self._file.execute(BODIES)]

    def findings_after(self, change: str, *parameters: object) -> list[tuple[int, str]]:
        """Return what is found once a statement has damaged the journal."""
        self._file.execute(change, parameters)
        [execution] = self.journal.executions(limit=10)
        found = check_trail(execution, self.journal).findings
        self._file.execute("DELETE FROM audit")
        for number, body in enumerate(self.bodies, start=1):
            self._file.execute("INSERT INTO audit VALUES (?, ?, ?)", (execution.id, number, body))
        return [(finding.number, finding.says) for finding in found]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self.journal.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """The journal of a run that sheds load, is verified, resolves, and undoes."""
    made = Kept(tmp_path_factory.mktemp("trail") / "journal.sqlite3")
    yield made
    made.close()


def test_nothing_is_found_when_nothing_was_damaged(kept: Kept) -> None:
    """A whole trail of some length."""
    assert len(kept.bodies) > 10
    assert [] == kept.findings_after("SELECT 1")


@settings(max_examples=3000 if LONG else 250, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_any_record_is_found(kept: Kept, data: st.DataObject) -> None:
    """Whether the record can still be read or not."""
    number = data.draw(st.integers(1, len(kept.bodies)))
    body = bytearray(kept.bodies[number - 1])
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))

    found = kept.findings_after("UPDATE audit SET body = ? WHERE number = ?", bytes(body), number)

    assert number in {where for where, _ in found}, f"record {number} was damaged, found {found}"


def test_missing_record_is_found_wherever_it_was(kept: Kept) -> None:
    """The first, one in the middle, and the last, which leaves no gap."""
    last = len(kept.bodies)

    assert kept.findings_after("DELETE FROM audit WHERE number = 1")[:1] == [(1, "record 2 stands where 1 is due")]
    assert kept.findings_after("DELETE FROM audit WHERE number = 4")[:1] == [(4, "record 5 stands where 4 is due")]
    assert kept.findings_after("DELETE FROM audit WHERE number = ?", last) == [
        (last, f"the last 1 of {last} records are missing")
    ]
    assert kept.findings_after("DELETE FROM audit") == [(last, f"the last {last} of {last} records are missing")]


def test_record_of_another_place_is_found(kept: Kept) -> None:
    """Two records that changed places are each whole, and the chain is not."""
    found = kept.findings_after(
        "UPDATE audit SET body = CASE number WHEN 3 THEN ? ELSE ? END WHERE number IN (3, 4)",
        kept.bodies[3],
        kept.bodies[2],
    )

    assert {(3, "record 4 stands where 3 is due"), (4, "record 3 stands where 4 is due")} < set(found)


def test_record_too_many_is_found(kept: Kept) -> None:
    """The execution knows how many there are."""
    last = len(kept.bodies)

    found = kept.findings_after("INSERT INTO audit SELECT execution_id, ?, body FROM audit WHERE number = 1", last + 1)

    assert (last + 1, f"the execution knows of {last} records, and there are {last + 1}") in found
