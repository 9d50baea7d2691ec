"""How the file of the SQLite journal comes to be: whole or not at all, however little room its disk has."""

import errno
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runbook_adapters.sqlite import schema
from runbook_adapters.sqlite.problems import explain_folder
from runbook_engine.errors import Overloaded, Unreadable
from runbook_engine.ports import Committed
from tests.chaos.machine.faults import limited, small_disk
from tests.contract.journal.opening import open_sqlite
from tests.contract.journal.samples import NOON, opened

KIB = 1024
NEEDED = (208 + 32) * KIB  # a new journal, and the index of its log while it is open


@contextmanager
def full_but_for(disk: Path, room: int) -> Iterator[None]:
    """Let no more than so many bytes fit on a disk."""
    filler, found = disk / f"all but {room}", os.statvfs(disk)
    try:
        with filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, found.f_bfree * found.f_frsize - room)
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own, most of it filled once: that takes longer than a test."""
    folder = tmp_path_factory.mktemp("creation") / "disk"
    with small_disk(folder) as mounted:
        if not mounted:
            pytest.skip("no disk may be mounted here")
        with full_but_for(folder, 12 * 1024 * KIB):
            yield folder


def full_sentence(folder: Path) -> str:
    """What somebody is told who uses the journal of a folder whose disk is full."""
    return f"journal {folder}/journal.sqlite3 cannot grow: the disk is full (free space in {folder})"


def first_use(folder: Path) -> str:
    """Return what the first use of a journal is refused with; nothing when it works."""
    journal = open_sqlite(folder)
    try:
        journal.executions(limit=1)
    except Overloaded as error:
        return str(error)
    finally:
        journal.close()
    return ""


@pytest.mark.parametrize("room", range(0, 601, 20), ids="{} KiB".format)
def test_a_first_start_on_an_almost_full_disk_works_or_says_so_and_tears_nothing(disk: Path, room: int) -> None:
    """Whatever was refused, nothing is to be repaired: once the disk is freed the next start works."""
    folder = disk / str(room)
    folder.mkdir()

    with full_but_for(disk, room * KIB):
        said = first_use(folder)
        hidden = list(folder.glob(".*"))
    journal = open_sqlite(folder)
    stored = opened(journal, "a")
    journal.close()
    again = open_sqlite(folder)
    found = again.load("a")
    again.close()

    assert ("" if room * KIB >= NEEDED else full_sentence(folder)) == said
    assert [] == hidden
    assert stored == found
    assert ["journal.sqlite3"] == [path.name for path in folder.iterdir()]  # and no mark of damage


def test_a_journal_that_has_no_room_for_the_index_of_its_log_says_that_the_disk_is_full(disk: Path) -> None:
    """SQLite calls that an error of the disk, and a person would look for a broken one."""
    folder = disk / "index"
    folder.mkdir()
    journal = open_sqlite(folder)
    stored = opened(journal, "a")
    journal.close()

    with full_but_for(disk, 8 * KIB):
        said = first_use(folder)

    assert full_sentence(folder) == said
    again = open_sqlite(folder)
    assert Committed(1) == again.commit(stored, expected_version=0, now=NOON)
    again.close()


def test_an_error_of_a_disk_that_has_room_is_not_taken_for_a_full_one(tmp_path: Path) -> None:
    """This process may write no more than it has."""
    journal = open_sqlite(tmp_path)
    stored = opened(journal, "a")

    with limited([os.getpid()], resource.RLIMIT_FSIZE, 4096), pytest.raises(Unreadable) as caught:
        journal.commit(stored, expected_version=0, now=NOON)

    says = "cannot be read or written: the disk reports an error (check the disk and its mount)"
    assert f"journal {tmp_path}/journal.sqlite3 {says}" == str(caught.value)
    assert Committed(1) == journal.commit(stored, expected_version=0, now=NOON)
    journal.close()


def test_a_folder_that_takes_no_new_file_because_its_disk_is_full_is_told_as_that(tmp_path: Path) -> None:
    """A name takes room, too."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = explain_folder(error, tmp_path / "journal.sqlite3")

    assert (Overloaded, full_sentence(tmp_path)) == (type(told), str(told))


def test_a_journal_is_not_made_where_its_log_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without shared memory, which SQLite's own locks by file names stand for."""
    connect = sqlite3.connect

    def without_shared_memory(file: Path, **settings: Any) -> sqlite3.Connection:
        return connect(f"{file.as_uri()}?vfs=unix-dotfile", uri=True, **settings)

    monkeypatch.setattr(schema.sqlite3, "connect", without_shared_memory)
    with pytest.raises(Unreadable) as caught:
        open_sqlite(tmp_path).load("a")

    assert str(caught.value) == (
        f"journal {tmp_path}/journal.sqlite3 cannot be made: SQLite can keep no log there, for want of shared memory "
        "(set a path on a disk of this machine)"
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("aside", ["-wal", "-journal"])
def test_a_journal_is_not_made_when_a_part_of_it_is_elsewhere(
    aside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite keeps silent about what it could not move into the file when that was closed."""
    connect = sqlite3.connect

    class Leaving(sqlite3.Connection):
        """Leaves something beside the file."""

        def close(self) -> None:
            [(_, _, file)] = self.execute("PRAGMA database_list")
            super().close()
            Path(f"{file}{aside}").write_text("pages")

    monkeypatch.setattr(schema.sqlite3, "connect", lambda file, **settings: connect(file, factory=Leaving, **settings))
    with pytest.raises(Unreadable) as caught:
        open_sqlite(tmp_path).load("a")

    assert str(caught.value) == (
        f"journal {tmp_path}/journal.sqlite3 cannot be made: a part of it did not get into the file "
        "(check the disk and its mount)"
    )
    assert [] == list(tmp_path.iterdir())
