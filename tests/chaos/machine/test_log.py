"""The journal's log after crashes: whatever was torn, and whatever lies behind it, is no damage.

A killed process leaves the beginning of what it was writing, over what older ones left: the next one goes on from the
last whole transaction, and what lies behind that may bear the same mark. To refuse such a log would keep a runner from
starting again after a crash.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from runbook_adapters.sqlite.log import is_damaged, refuse_damaged
from tests.chaos.tally import SEED, tries

pytestmark = pytest.mark.slow

PAGE, FRAME = 4096, 24
WRITER = """
import random, sqlite3, sys
rng = random.Random(int(sys.argv[2]))
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA cache_size = 4")
connection.execute("PRAGMA wal_autocheckpoint = 300")
connection.execute("CREATE TABLE IF NOT EXISTS t (body BLOB)")
print("writes", flush=True)
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t VALUES (zeroblob(?))", (rng.randrange(60_000),))
    connection.execute("ROLLBACK" if rng.random() < 0.1 else "COMMIT")
"""


def test_a_log_that_crashes_have_torn_one_after_the_other_is_no_damage(tmp_path: Path) -> None:
    """Wherever each write stopped, between the head of a frame and its page too."""
    rng = random.Random(SEED)
    for number in range(tries(2, 200)):
        log = b""
        folder = tmp_path / str(number)
        folder.mkdir()
        for crash in range(6):
            before, after = written(folder / "x", log, rng)
            log = torn(before, after, rng)
            assert not is_damaged(log), (SEED, number, crash)


def written(file: Path, log: bytes, rng: random.Random) -> tuple[bytes, bytes]:
    """Let the next process recover a log and write a transaction to it. Returns the log before and after that."""
    wal, index = file.with_name("x-wal"), file.with_name("x-shm")
    index.unlink(missing_ok=True)
    if log:
        wal.write_bytes(log)
    spare = file.with_name("spare")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE IF NOT EXISTS t (body BLOB)")
        connection.execute("INSERT INTO t VALUES (1)")
        before = wal.read_bytes()
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (rng.randrange(40_000),))
        after = wal.read_bytes()
        shutil.copy(file, spare)  # as it is without the log, which closing would move into it
    spare.replace(file)
    return before, after


def torn(before: bytes, after: bytes, rng: random.Random) -> bytes:
    """Return what a process leaves that was killed while it wrote: the beginning, often up to the last frame's head."""
    last = max((at for at in range(len(after)) if at >= len(before) or before[at] != after[at]), default=0)
    first = next((at for at in range(last) if at >= len(before) or before[at] != after[at]), 0)
    ends = 32 + (last - 32) // (PAGE + FRAME) * (PAGE + FRAME) + FRAME
    cut = ends if rng.random() < 0.7 and ends > first else rng.randint(first, last + 1)
    return after[:cut] + before[cut:]


def test_a_log_of_a_writer_that_was_killed_again_and_again_is_no_damage(tmp_path: Path) -> None:
    """With SIGKILL, at random moments; with transactions that spill, roll back, and begin the log anew."""
    file, rng = tmp_path / "x", random.Random(SEED)
    for number in range(tries(2, 200)):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file), str(number)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout:
            writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            writer.kill()
            writer.wait()
        refuse_damaged(file)


def test_a_log_without_a_transaction_in_its_middle_is_damaged(tmp_path: Path) -> None:
    """Wherever a bit is flipped in it: SQLite would leave out all that was committed behind it."""
    with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (body BLOB)")
        for _ in range(6):
            connection.execute("INSERT INTO t VALUES (zeroblob(100))")
        log = (tmp_path / "x-wal").read_bytes()
    rng, size = random.Random(SEED), PAGE + FRAME

    for _ in range(tries(40, 2000)):
        frame, flipped = rng.randrange((len(log) - 32) // size - 2), bytearray(log)
        at = rng.choice([place for place in range(size) if not 4 <= place < 8])  # where it says that it is an end
        flipped[32 + frame * size + at] ^= 1 << rng.randrange(8)
        assert is_damaged(bytes(flipped)), (SEED, frame, at)
