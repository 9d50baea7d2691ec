"""The file of the SQLite journal: made once, kept, shared across forks, and its troubles told in sentences."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from runbook_adapters.sqlite import ADAPTER, SqliteJournal, SqliteSettings, database
from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.problems import explain
from runbook_engine.errors import Overloaded, Spoiled, StaleVersion, Unreadable
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.delivery import Request
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group
from runbook_engine.model.incident import Intake
from runbook_engine.model.standing import End
from runbook_engine.ports import AdapterContext, Committed
from tests.contract.journal.opening import FIRST_LAYOUT, THIRD_LAYOUT, open_sqlite
from tests.contract.journal.samples import NOON, after, audit_record, execution, opened, signal


class NoClock:
    """A clock that the adapter does not need."""

    def now(self) -> Any:
        """Return noon."""
        return NOON


def test_adapter_builds_a_journal_below_the_hosts_state_folder(tmp_path: Path) -> None:
    """One object looks and touches; the file appears at its first use, and only its owner may read it."""
    context = AdapterContext(
        clock=NoClock(), configuration=Configuration(), base=tmp_path, state=tmp_path / "state", secret=str
    )
    served = ADAPTER.build("journal", SqliteSettings(path="deep/j.sqlite3"), context)
    file = tmp_path / "state" / "deep" / "j.sqlite3"
    made_early = file.exists()

    opened(served.reader, "a")

    assert not made_early
    assert served.reader is served.writer
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    served.reader.close()
    assert ["j.sqlite3"] == [path.name for path in file.parent.iterdir()]


def test_settings_refuse_a_key_that_does_not_exist() -> None:
    """A misspelt setting is not silently the default."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `busyTime`"):
        msgspec.convert({"busyTime": 3}, SqliteSettings)


def test_journal_finds_everything_again_when_it_is_opened_anew(tmp_path: Path) -> None:
    """Durable means: another object on the same file reads it."""
    first = open_sqlite(tmp_path)
    stored = opened(first, "a")
    first.close()

    second = open_sqlite(tmp_path)

    assert stored == second.load("a")
    second.close()


def first_layout(file: Path) -> Execution:
    """Make a journal as the first release laid it out, with an execution in it."""
    journal = open_sqlite(file.parent)
    stored = opened(journal, "a", "k1")
    journal.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(FIRST_LAYOUT)
    return stored


def test_journal_of_an_older_release_is_brought_up_to_date_when_it_is_opened(tmp_path: Path) -> None:
    """What it holds stays, and it can keep groups from now on; another process finds it up to date."""
    file = tmp_path / "journal.sqlite3"
    stored = first_layout(file)

    first, second = open_sqlite(tmp_path), open_sqlite(tmp_path)
    found = first.load("a")
    group = Group(id="g", runbook="r", opened_at=NOON, closes_at=after(1))
    second.record(Intake(groups=(group,), opened=(execution("b", group_id="g"),)))

    assert (stored, {"k1": ("a",)}) == (found, first.followers(["k1"]))
    assert ["b"] == [part.execution_id for part in first.parts("g")]
    with closing(sqlite3.connect(file)) as connection:
        assert (4,) == connection.execute("PRAGMA user_version").fetchone()
    first.close()
    second.close()


def test_journal_of_an_older_release_is_brought_up_to_date_once_when_threads_open_it_together(tmp_path: Path) -> None:
    """The others wait, and find the work done."""
    first_layout(tmp_path / "journal.sqlite3")

    with ThreadPoolExecutor(8) as threads:
        journals = list(threads.map(lambda _: open_sqlite(tmp_path), range(8)))
        found = list(threads.map(lambda journal: journal.parts("g"), journals))

    assert [()] * 8 == found
    for journal in journals:
        journal.close()


def test_what_lowered_a_runbook_is_still_known_when_the_journal_is_of_the_third_layout(tmp_path: Path) -> None:
    """The column by which it is found is filled from what is kept."""
    journal = open_sqlite(tmp_path)
    fine = End(runbook="r", digest="d", execution_id="fine", at=after(9), status="succeeded", mode="auto")
    failed = replace(fine, execution_id="failed", at=NOON, status="failed")
    for end in (failed, fine):
        journal.commit(opened(journal, end.execution_id), expected_version=0, end=end, now=end.at)
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as connection:
        connection.executescript(THIRD_LAYOUT)

    again = open_sqlite(tmp_path)

    assert (fine, failed) == again.ends("r", "d", 1)
    again.close()


def test_journal_of_an_older_release_is_left_as_it_is_while_somebody_says_why(tmp_path: Path) -> None:
    """Whoever reads the old layout would be cut off; once nobody does, it is brought up to date."""
    file = tmp_path / "journal.sqlite3"
    first_layout(file)
    reasons = ["an older process uses it (stop it)"]
    database = Database(file, timedelta(seconds=1), lambda: "".join(reasons))
    journal = SqliteJournal(database)

    with pytest.raises(Unreadable) as raised:
        journal.load("a")
    with closing(sqlite3.connect(file)) as connection:
        kept = connection.execute("PRAGMA user_version").fetchone()
    reasons.clear()
    found = journal.load("a")

    assert f"journal {file} has layout 1, and an older process uses it (stop it)" == str(raised.value)
    assert ((1,), "a") == (kept, found.id)
    journal.close()


def test_records_are_listed_though_their_execution_was_removed(tmp_path: Path) -> None:
    """Somebody wrote to the file."""
    journal = open_sqlite(tmp_path)
    stored = opened(journal, "a")
    journal.commit(stored, expected_version=0, records=(audit_record("a", 1),), now=NOON)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as connection:
        connection.execute("DELETE FROM executions")

    found = journal.audited(10)

    assert (("a",), ()) == (found, journal.executions(limit=10))
    journal.close()


def test_every_connection_syncs_every_commit(tmp_path: Path) -> None:
    """WAL with synchronous FULL: acknowledged is on the disk."""
    database = Database(tmp_path / "j.sqlite3", timedelta(seconds=1))

    with database.reading() as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert ["wal", 2] == found
    database.close()


def test_journal_works_in_parent_and_child_when_the_process_forks(tmp_path: Path) -> None:
    """gunicorn forks after the engine is built; the child never touches its parent's connection."""
    journal = open_sqlite(tmp_path)
    old = opened(journal, "a")
    child = os.fork()
    if child == 0:
        committed = journal.commit(old, expected_version=0, now=NOON)
        journal.close()
        os._exit(0 if committed == Committed(1) else 1)

    _, status = os.waitpid(child, 0)

    assert 0 == os.waitstatus_to_exitcode(status)
    assert Committed(2) == journal.commit(old, expected_version=1, now=NOON)
    journal.close()


def test_child_borrows_none_of_its_parents_connections_when_the_process_forks(tmp_path: Path) -> None:
    """SQLite's locks break when a connection crosses a fork, even when it seems to work."""
    database = Database(tmp_path / "j.sqlite3", timedelta(seconds=1))
    with database.reading() as inherited:
        pass
    child = os.fork()
    if child == 0:
        with database.reading() as borrowed:
            os._exit(0 if borrowed is not inherited else 1)

    _, status = os.waitpid(child, 0)

    assert 0 == os.waitstatus_to_exitcode(status)
    with database.reading() as again:
        assert inherited is again
    database.close()


def open_files() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_threads_share_few_connections_and_lose_no_signal(tmp_path: Path) -> None:
    """Connections are borrowed: two hundred calls of eight threads open at most eight."""
    database = Database(tmp_path / "j.sqlite3", timedelta(seconds=30))
    journal = SqliteJournal(database)
    opened(journal, "a")
    before = open_files()

    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: journal.signal("a", signal()), range(200)))

    assert list(range(1, 201)) == sorted(numbers)
    assert open_files() - before <= 8 * 3  # file, log, shared memory
    journal.close()


def test_connection_is_usable_when_a_commit_was_stale(tmp_path: Path) -> None:
    """A refused transaction is rolled back, not left open."""
    journal = open_sqlite(tmp_path, busy_timeout=0.1)
    old = opened(journal, "a")
    with pytest.raises(StaleVersion):
        journal.commit(old, expected_version=5, now=NOON)

    assert Committed(1) == open_sqlite(tmp_path, busy_timeout=0.1).commit(old, expected_version=0, now=NOON)


def test_write_raises_overloaded_and_reads_go_on_when_another_process_keeps_writing(tmp_path: Path) -> None:
    """The caller waits for busy_timeout and no longer."""
    journal, file = open_sqlite(tmp_path, busy_timeout=0.1), tmp_path / "journal.sqlite3"
    old = opened(journal, "a")

    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Overloaded) as caught:
            journal.commit(old, expected_version=0, now=NOON)
        seen = journal.load("a")
        other.execute("ROLLBACK")

    assert f"journal {file} was busy for 0.1 s: others keep writing (raise busyTimeout)" == str(caught.value)
    assert old == seen
    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    journal.close()


def test_write_raises_overloaded_when_another_thread_keeps_writing(tmp_path: Path) -> None:
    """Threads of one process queue for their turn, with the same patience and the same sentence; reads go on."""
    database = Database(tmp_path / "journal.sqlite3", timedelta(seconds=0.1))
    journal = SqliteJournal(database)
    old = opened(journal, "a")

    with database.writing(), ThreadPoolExecutor(1) as pool:
        late = pool.submit(journal.commit, old, expected_version=0, now=NOON)
        with pytest.raises(Overloaded) as caught:
            late.result(60)
        seen = pool.submit(journal.load, "a").result(60)

    sentence = f"journal {database.path} was busy for 0.1 s: others keep writing (raise busyTimeout)"
    assert (sentence, old) == (str(caught.value), seen)
    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    journal.close()


@pytest.mark.parametrize("fails", ["the body", "the begin"])
def test_the_turn_to_write_is_given_back_when_a_transaction_fails(tmp_path: Path, fails: str) -> None:
    """Whatever went wrong, the next thread is not kept waiting."""
    database = Database(tmp_path / "journal.sqlite3", timedelta(seconds=0.1))
    journal = SqliteJournal(database)
    old = opened(journal, "a")
    moved = tmp_path / "elsewhere"

    if fails == "the body":
        with pytest.raises(ZeroDivisionError), database.writing():
            _ = 1 / 0
    else:
        database.path.rename(moved)
        with pytest.raises(Unreadable), database.writing():
            pass
        moved.rename(database.path)

    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    journal.close()


def test_journal_refuses_to_go_on_when_its_file_was_removed(tmp_path: Path) -> None:
    """A fresh file would have forgotten every lock, and the removed one is read by nobody."""
    journal, file = open_sqlite(tmp_path), tmp_path / "journal.sqlite3"
    old = opened(journal, "a")
    file.rename(tmp_path / "elsewhere")

    with pytest.raises(Unreadable) as caught:
        journal.commit(old, expected_version=0, now=NOON)

    remedy = "(put it back, or restart every process that uses it)"
    assert f"journal {file} was moved, removed or replaced while in use {remedy}" == str(caught.value)
    (tmp_path / "elsewhere").rename(file)
    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    journal.close()


def test_journal_refuses_to_go_on_when_its_log_was_removed(tmp_path: Path) -> None:
    """What is committed to it then is gone with the last process; an orderly end moves it into the file."""
    journal, file = open_sqlite(tmp_path), tmp_path / "journal.sqlite3"
    old = opened(journal, "a")
    Path(f"{file}-wal").unlink()

    with pytest.raises(Unreadable) as caught:
        journal.commit(old, expected_version=0, now=NOON)

    assert str(caught.value) == (
        f"journal {file} has lost its log, journal.sqlite3-wal, while in use (stop what uses it with SIGTERM, "
        "which moves what it still holds into the journal, then start again)"
    )
    journal.close()
    assert old == open_sqlite(tmp_path).load("a")


@pytest.mark.parametrize("emptied", [False, True], ids=["it is away", "somebody else has made an empty one"])
def test_who_opens_a_journal_in_use_is_told_when_its_log_was_removed(emptied: bool, tmp_path: Path) -> None:
    """A command beside the runner, that has not used it before: no disk is at fault."""
    journal, file = open_sqlite(tmp_path), tmp_path / "journal.sqlite3"
    opened(journal, "a")
    log = Path(f"{file}-wal")
    log.unlink()
    if emptied:
        log.touch()
    command = SqliteJournal(Database(file, timedelta(seconds=1), lambda: "a runner has it open"))

    with pytest.raises(Spoiled) as caught:
        command.load("a")

    says = (
        "has lost its log, journal.sqlite3-wal, while in use (stop what uses it with SIGTERM, "
        "which moves what it still holds into the journal, then start again)"
    )
    assert f"journal {file} {says}" == str(caught.value)
    assert f"journal journal.sqlite3 {says}" == caught.value.told
    assert log.exists() is emptied
    journal.close()


def test_the_threads_that_come_first_look_through_the_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 64 MiB costs seconds and its size in memory: each thread of a start would take as much."""
    looked: list[Path] = []

    def look(path: Path) -> None:
        looked.append(path)
        time.sleep(0.05)  # long enough for the others to come

    monkeypatch.setattr(database, "refuse_damaged", look)
    journal = open_sqlite(tmp_path / "journal.sqlite3")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: journal.counts(), range(8)))

    assert ([{}] * 8, 1) == ([{key: value for key, value in each.items() if value} for each in found], len(looked))
    journal.close()


def test_nobody_goes_on_when_one_has_found_the_journal_damaged(tmp_path: Path) -> None:
    """A change whose outcome cannot be stored would be made again and again by those who do not notice."""
    first, other, file = open_sqlite(tmp_path), open_sqlite(tmp_path), tmp_path / "journal.sqlite3"
    old = opened(first, "a")
    assert old == other.load("a")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = bytearray(file.read_bytes())
    damaged[4096:] = bytes(len(damaged) - 4096)
    file.write_bytes(damaged)

    with pytest.raises(Unreadable, match="is damaged"):
        first.executions(limit=10)
    with pytest.raises(Spoiled) as same:
        first.latch()
    with pytest.raises(Spoiled) as others:
        other.commit(old, expected_version=0, now=NOON)
    with pytest.raises(Spoiled) as later:
        open_sqlite(tmp_path).load("a")

    remedy = "stop every process that uses it, keep a copy"
    assert f"journal {file} is damaged ({remedy}, restore it from a backup)" == str(same.value)
    assert f"journal {file} was found damaged, as journal.sqlite3.damaged beside it says ({remedy} of its files, " + (
        "restore it from a backup, then remove the mark)"
    ) == str(others.value)
    assert str(others.value) == str(later.value)
    for each in (same, others):
        assert str(each.value).replace(f"{tmp_path}/", "") == each.value.told
    assert (tmp_path / "journal.sqlite3.damaged").read_text().startswith("found damaged at 20")


def no_sqlite_file(file: Path) -> None:
    """Some text."""
    file.write_text("apiVersion: runbook-engine/v1\n" * 100)


def empty_file(file: Path) -> None:
    """Nothing in it."""
    file.touch()


def other_database(file: Path) -> None:
    """Somebody else's tables."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def newer_journal(file: Path) -> None:
    """A journal that a later release has changed."""
    opened(open_sqlite(file.parent), "a")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 9")


def damaged_journal(file: Path) -> None:
    """A journal with a page of noise in every table and index."""
    journal = open_sqlite(file.parent)
    opened(journal, "a")
    journal.close()
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa7" * (len(content) - 4096)
    file.write_bytes(content)


def damaged_schema(file: Path) -> None:
    """A journal whose list of tables holds a byte that is no text, so that SQLite cannot even say what is wrong."""
    journal = open_sqlite(file.parent)
    opened(journal, "a")
    journal.close()
    broken = file.read_bytes().replace(b"INDEX executions_due", b"INDEZ executions_due")
    file.write_bytes(broken.replace(b"executions_due", b"\xf8xecutions_due"))


def unreadable_record(file: Path) -> None:
    """A body that no release has written."""
    journal = open_sqlite(file.parent)
    opened(journal, "a")
    journal.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE executions SET body = x'80'")


TROUBLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no SQLite file": (no_sqlite_file, "journal FILE is not a SQLite file (set another path, or move the file away)"),
    "an empty file": (
        empty_file,
        "FILE is not a journal of runbook-engine (set another path, or move the file away)",
    ),
    "another program's database": (
        other_database,
        "FILE is not a journal of runbook-engine (set another path, or move the file away)",
    ),
    "a newer journal": (
        newer_journal,
        "journal FILE has layout 9, this release reads up to 4 (upgrade runbook-engine, or set another path)",
    ),
    "a damaged journal": (
        damaged_journal,
        "journal FILE is damaged (stop every process that uses it, keep a copy, restore it from a backup)",
    ),
    "a journal with a damaged schema": (
        damaged_schema,
        "journal FILE is damaged (stop every process that uses it, keep a copy, restore it from a backup)",
    ),
    "a record that cannot be read": (
        unreadable_record,
        "journal FILE holds a record that this release cannot read: Object missing required field `id` "
        "(upgrade runbook-engine)",
    ),
    "a folder": (
        lambda file: file.mkdir(),
        "journal FILE cannot be opened (check that the file is there and that this process may write to it)",
    ),
}


@pytest.mark.parametrize(("make", "says"), TROUBLES.values(), ids=TROUBLES)
def test_load_raises_unreadable_when_the_file_is(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    """The sentence says which file and what to do."""
    file = tmp_path / "journal.sqlite3"
    make(file)

    with pytest.raises(Unreadable) as caught:
        open_sqlite(tmp_path).load("a")

    assert says.replace("FILE", str(file)) == str(caught.value)


def test_first_use_raises_unreadable_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "state").write_text("")

    with pytest.raises(Unreadable) as caught:
        open_sqlite(tmp_path / "state").load("a")

    file = tmp_path / "state" / "journal.sqlite3"
    assert f"journal {file} cannot be made: File exists (check the folder and who may write to it)" == str(caught.value)


def full_disk(file: Path) -> None:
    """Write more than SQLite may store."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (body BLOB)")
        connection.execute("INSERT INTO t VALUES (zeroblob(1000000))")


def read_only_file(file: Path) -> None:
    """Write through a connection that may only read."""
    sqlite3.connect(file).close()
    file.touch()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("CREATE TABLE t (body BLOB)")


@pytest.mark.parametrize(
    ("provoke", "kind", "says"),
    [
        (full_disk, Overloaded, "journal FILE cannot grow: the disk is full (free space in FOLDER)"),
        (
            read_only_file,
            Unreadable,
            "journal FILE is read-only (let the user of this process write to the file and to its folder)",
        ),
        (
            lambda file: sqlite3.connect(":memory:").execute("SELECT missing"),
            Unreadable,
            "journal FILE failed: no such column: missing",
        ),
    ],
    ids=["a full disk", "a read-only file", "anything else"],
)
def test_explain_names_the_remedy_when_sqlite_reports(
    tmp_path: Path, provoke: Callable[[Path], Any], kind: type[Exception], says: str
) -> None:
    """Real errors of SQLite, as callers of the port see them."""
    file = tmp_path / "j.sqlite3"
    with pytest.raises(sqlite3.Error) as caught:
        provoke(file)

    error = explain(caught.value, file, timedelta(seconds=5))

    assert kind is type(error)
    assert says.replace("FILE", str(file)).replace("FOLDER", str(tmp_path)) == str(error)


def test_a_journal_that_is_moved_while_a_connection_is_opened_is_not_made_anew(tmp_path: Path) -> None:
    """Between the look and the opening it may go away: an empty one in its place would hide what is in it."""
    path = tmp_path / "journal.sqlite3"
    database = Database(path, timedelta(seconds=1))
    with database.reading():
        path.rename(tmp_path / "away.sqlite3")

        with pytest.raises(sqlite3.OperationalError):
            database._open()

    assert not path.exists()


def test_the_log_is_moved_into_the_file_by_whoever_has_time(tmp_path: Path) -> None:
    """A front door never waits for it, and the log does not grow for ever."""
    journal = open_sqlite(tmp_path)
    request = Request("main", "alertmanager", {}, b"x" * 1024 * 1024, NOON)
    for _ in range(6):
        journal.inbox.keep(request, 1)
    [log] = tmp_path.glob("*-wal")
    grown, file = log.stat().st_size, log.with_name(log.name.removesuffix("-wal"))
    before = file.stat().st_size

    journal.inbox.tidy()
    for _ in range(6):
        journal.inbox.keep(request, 1)

    assert grown > 6 * 1024 * 1024
    assert file.stat().st_size >= before + 6 * 1024 * 1024
    assert log.stat().st_size <= grown + 8192  # it is written from its beginning again
    journal.close()
