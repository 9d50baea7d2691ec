"""A journal that was damaged: flipped bits, zeroed pages, cut off, without its log; while stopped, and while in use.

A journal in whose past a runner is at work is copied at a random moment, as a crash leaves it, damaged, and taken over
by another owner. Either it is refused in a sentence, or what is wrong is named, or all goes on soundly: no effect
is ever made twice, since the target of these tests must never be asked again.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.log import is_damaged
from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.model.directive import Next
from runbook_engine.proof.heads import compare_head, head_of
from runbook_engine.proof.trail import check_trail
from tests.chaos.tally import SEED, Tally, keep, tries
from tests.contention.crowd import engine_over, open_journal, storm
from tests.contention.tally import Tally as Lines

pytestmark = pytest.mark.slow

HOUR, LATER = timedelta(hours=1), timedelta(minutes=2)  # later than any lease
FILE, LOG, INDEX = "journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"
Damage = Callable[[bytearray, random.Random], None]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a damaged journal."""

    wanted: int
    doubled: int
    lost: int  # effects that nobody was told about
    refused: bool
    named: bool


def flip(content: bytearray, rng: random.Random) -> None:
    """Flip one to three bits."""
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def zero(content: bytearray, rng: random.Random) -> None:
    """Lose a block."""
    at = rng.randrange(0, len(content), 4096)
    content[at : at + 4096] = bytes(len(content[at : at + 4096]))


def cut(content: bytearray, rng: random.Random) -> None:
    """Lose the end."""
    del content[rng.randrange(len(content)) :]


def work(folder: Path, rng: random.Random, *, checkpoints: bool) -> int:
    """Be a runner that dies in the middle of its work; return how many effects are wanted of the next one."""
    journal = open_journal(folder)
    engine = engine_over(journal, folder)
    alerts = rng.randint(3, 8)
    for number in range(alerts):
        engine.ingest(storm(f"/victim/{number}"))
        for execution_id in engine.due(datetime.now(UTC), 50):
            for _ in range(rng.randrange(5)):
                engine.drive(execution_id, "first", datetime.now(UTC), HOUR)
        if checkpoints and rng.random() < 0.5:
            with journal.inbox._database.reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return alerts


def go_on(folder: Path) -> tuple[bool, bool]:
    """Be the next runner. Returns whether anything was refused, and whether what is wrong is named."""
    journal, now = open_journal(folder), datetime.now(UTC) + LATER
    refused = False
    try:
        engine = engine_over(journal, folder)
        for _ in range(40):
            due = engine.due(now, 50)
            for execution_id in due:
                refused = not _driven(engine, execution_id, now) or refused
            if not due or refused:
                break
        return refused, bool(_findings(journal))
    except RunbookError:
        return True, True
    finally:
        journal.close()


def _driven(engine: object, execution_id: str, now: datetime) -> bool:
    try:
        while isinstance(engine.drive(execution_id, "second", now, HOUR), Next):  # type: ignore[attr-defined]  # an Engine
            pass
    except RunbookError:
        return False
    return True


def _findings(journal: SqliteJournal) -> list[str]:
    runs = journal.executions(limit=1000)
    found = [finding.says for run in runs for finding in check_trail(run, journal).findings]
    with journal.inbox._database.reading() as connection:
        says = connection.execute("PRAGMA integrity_check").fetchone()[0]
    return found + ([] if says == "ok" else [says])


def taken_over(folder: Path, rng: random.Random, which: str, damage: Damage) -> Taken:
    """Damage what a dead runner left, and let the next one take it over."""
    first, second = folder / "first", folder / "second"
    first.mkdir(parents=True)
    second.mkdir()
    wanted = work(first, rng, checkpoints=which == FILE or rng.random() < 0.3)
    for name in (FILE, LOG, "tally"):
        if (first / name).exists():
            shutil.copy(first / name, second / name)
    content = bytearray((second / which).read_bytes())
    if content:
        damage(content, rng)
    (second / which).write_bytes(content)
    refused, named = go_on(second)
    lines = Counter(Lines(second / "tally").lines)
    silent = not refused and not named
    return Taken(
        wanted=wanted,
        doubled=sum(times > 1 for times in lines.values()),
        lost=max(0, wanted - len(lines)) if silent else 0,
        refused=refused,
        named=named,
    )


@pytest.mark.parametrize(
    ("which", "damage", "fault"),
    [
        pytest.param(FILE, flip, "flipped bits in the journal", id="flipped bits in the file"),
        pytest.param(FILE, zero, "a zeroed block in the journal", id="a zeroed block in the file"),
        pytest.param(FILE, cut, "a journal that was cut off", id="a file that was cut off"),
    ],
)
def test_a_damaged_journal_never_acts_twice(which: str, damage: Damage, fault: str, tmp_path: Path) -> None:
    """Refused, or named, or sound."""
    judge(fault, which, damage, tmp_path)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        pytest.param(flip, "flipped bits in the journal's log", id="flipped bits"),
        pytest.param(zero, "a zeroed block in the journal's log", id="a zeroed block"),
    ],
)
def test_a_log_that_was_damaged_never_acts_twice(damage: Damage, fault: str, tmp_path: Path) -> None:
    """SQLite would drop all that was committed behind the damage, without a word."""
    judge(fault, LOG, but_the_end(damage), tmp_path)


def but_the_end(damage: Damage) -> Damage:
    """Damage what lies before the end of the last but one transaction: a damaged last one is as a crash leaves it."""

    def spoil(content: bytearray, rng: random.Random) -> None:
        end = last_transaction(bytes(content)) - 24 - int.from_bytes(content[8:12], "big")
        if end > 0:
            part = content[:end]
            damage(part, rng)
            content[:end] = part

    return spoil


def last_transaction(log: bytes) -> int:
    """Return where the last transaction of a log begins: behind the last but one frame that ends one."""
    size = 24 + int.from_bytes(log[8:12], "big")
    salt = log[16:24]
    frames = [at for at in range(32, len(log) - size + 1, size) if log[at + 8 : at + 16] == salt]
    ends = [at for at in frames if log[at + 4 : at + 8] != bytes(4)]
    return ends[-2] + size if len(ends) > 1 else 32


def judge(fault: str, which: str, damage: Damage, folder: Path) -> None:
    """Try it, keep the row, and hold it against the target."""
    times = tries(1, 1000)
    found = [taken_over(folder / str(number), random.Random(SEED + number), which, damage) for number in range(times)]
    refused, named = sum(one.refused for one in found), sum(one.named and not one.refused for one in found)
    kept = keep(
        Tally(
            fault=fault,
            host="local",
            tries=times,
            effects=sum(one.wanted for one in found),
            lost=sum(one.lost for one in found),
            doubled=sum(one.doubled for one in found),
            remark=f"refused {refused} times, named {named} times more, no matter {times - refused - named} times",
        )
    )
    assert kept.sound, ([number for number, one in enumerate(found) if one.lost or one.doubled], SEED)


def test_a_journal_without_its_log_is_refused_while_its_index_is_there(tmp_path: Path) -> None:
    """Somebody moved the log away from under it."""
    work(tmp_path, random.Random(SEED), checkpoints=False)
    away = tmp_path / "away"
    away.mkdir()
    for name in (FILE, INDEX):
        shutil.copy(tmp_path / name, away / name)

    with pytest.raises(Unreadable) as raised:
        open_journal(away).executions(limit=1)

    assert str(raised.value) == (
        f"journal {away / FILE} has lost its log, {LOG}: what was committed last is gone (put it back; or pause, "
        f"remove {INDEX}, and go on without what the log held)"
    )


def test_a_journal_whose_log_is_damaged_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """It says which, and what to do."""
    work(tmp_path, random.Random(SEED), checkpoints=False)
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(tmp_path / FILE, away / FILE)
    content = bytearray((tmp_path / LOG).read_bytes())
    content[32 + 24 + 100] ^= 1
    (away / LOG).write_bytes(content)

    with pytest.raises(Unreadable) as raised:
        open_journal(away).executions(limit=1)

    assert str(raised.value) == (
        f"journal {away / FILE} is damaged: its log, {LOG}, cannot be read to its end "
        "(stop every process that uses it, keep a copy of its files, restore it from a backup)"
    )


def test_a_log_that_a_crash_has_torn_is_no_damage(tmp_path: Path) -> None:
    """Whatever is missing of the last transaction, and whatever an older round left behind it."""
    with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (body BLOB)")
        for _ in range(20):
            connection.execute("INSERT INTO t VALUES (zeroblob(9000))")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        for _ in range(3):
            connection.execute("INSERT INTO t VALUES (zeroblob(9000))")
        log = (tmp_path / "x-wal").read_bytes()
    rng, begins = random.Random(SEED), last_transaction(log)

    assert not is_damaged(log)
    for _ in range(tries(20, 1000)):
        torn = bytearray(log)
        torn[rng.randrange(begins + 24, begins + 4000)] ^= 1  # what stands before the page is written first
        assert not is_damaged(bytes(torn)), SEED
        assert not is_damaged(log[: rng.randrange(len(log))]), SEED


def test_a_log_that_was_cut_off_is_found_by_heads_that_were_kept(tmp_path: Path) -> None:
    """A shorter log is an older journal, as an older backup is: heads that are kept elsewhere tell."""
    work(tmp_path, random.Random(SEED), checkpoints=False)
    journal = open_journal(tmp_path)
    heads = {run.id: head_of(check_trail(run, journal)) for run in journal.executions(limit=100)}
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(tmp_path / FILE, away / FILE)
    content = (tmp_path / LOG).read_bytes()
    (away / LOG).write_bytes(content[: last_transaction(content) * 2 // 3])

    older = open_journal(away)
    left = {run.id: check_trail(run, older) for run in older.executions(limit=100)}

    assert heads.keys() - left.keys() or any(compare_head(heads[key], trail) for key, trail in left.items())
