"""Connections to the file: borrowed for one transaction, never shared across a fork.

gunicorn forks after the engine is built. A connection that crosses a fork breaks SQLite's locks, even by being
closed, so every process has a pool of its own and leaves the ones it inherited alone.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec

from runbook_adapters.sqlite.loans import Loan, Transaction
from runbook_adapters.sqlite.log import refuse_damaged, refuse_lost
from runbook_adapters.sqlite.mark import log_lost, mark_damaged, refuse_marked, spoiled
from runbook_adapters.sqlite.problems import REMEDIES, busy, explain, explain_folder, is_damage
from runbook_adapters.sqlite.schema import check, create
from runbook_engine.errors import RunbookError, Unreadable

CHECKPOINT = 16_384  # pages, 64 MiB: beyond it whoever commits moves the log into the file, as SQLite does at 1000
TIDY = 4 * 1024 * 1024  # bytes of the log that are worth being moved by somebody who has time
CACHE = 512  # KiB of each connection, and a worker has ten: more was not faster (measured), and grew for hours


@dataclass(frozen=True, slots=True)
class _Pool:
    """One process's connections, and whose turn it is; `opened` keeps those alive that a fork has left behind."""

    idle: list[sqlite3.Connection] = field(default_factory=list)
    opened: list[sqlite3.Connection] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)
    opening: threading.Lock = field(default_factory=threading.Lock)  # the first looks through the log, for all


class Database:
    """One SQLite file, made when it is first used."""

    def __init__(self, path: Path, busy_timeout: timedelta, why_keep_layout: Callable[[], str] = lambda: "") -> None:
        self.path = path.absolute()
        self.busy_timeout = busy_timeout
        self._why_keep_layout = why_keep_layout
        self._name = os.fspath(self.path)
        self._pools: dict[int, _Pool] = {}
        self._opened_file: tuple[int, int] | None = None
        self._opened_log: tuple[int, int] | None = None
        self._is_damaged = False  # as this process has found

    def reading(self) -> Loan:
        """Lend a connection for one statement, which sees one moment by itself: a transaction would triple its cost."""
        return Loan(self)

    def writing(self) -> Transaction:
        """Lend a connection inside a transaction that is durable at the end, or undone by any exception."""
        return Transaction(self)

    def take_turn(self) -> threading.Lock:
        """Wait until no other thread of this process writes, and return what to release then. Raises Overloaded."""
        turn = self._pool().turn
        if not turn.acquire(timeout=self.busy_timeout.total_seconds()):
            raise busy(self.path, self.busy_timeout)
        return turn

    def borrow(self) -> sqlite3.Connection:
        """Return a connection of this process that nobody else uses. Raises what `explained` explains."""
        self._refuse_other_file()
        self._refuse_damaged()
        pool = self._pool()
        if pool.opened:
            self._refuse_other_log()
        try:
            return pool.idle.pop()
        except IndexError:
            with pool.opening:
                connection = self._open()
            pool.opened.append(connection)
            return connection

    def give_back(self, connection: sqlite3.Connection, error: BaseException | None) -> None:
        """Take a borrowed connection back; one that failed is closed."""
        if isinstance(error, sqlite3.Error):
            _discard(self._pool(), connection)
        else:
            self._pool().idle.append(connection)

    def explained(self, error: BaseException) -> RunbookError | None:
        """Return what an error means for the caller; None for one that is not the file's."""
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            if is_damage(error):
                self._is_damaged = True
                mark_damaged(self.path)
            return explain(error, self.path, self.busy_timeout)
        if isinstance(error, OSError):
            return explain_folder(error, self.path)
        if isinstance(error, msgspec.MsgspecError):
            return Unreadable(
                f"journal {self.path} holds a record that this release cannot read: {error} (upgrade runbook-engine)"
            )
        return None

    def tidy(self) -> None:
        """Move the log into the file, when it has grown, so that no delivery has to wait for that."""
        try:
            size = os.stat(f"{self._name}-wal").st_size  # noqa: PTH116  # as above
        except FileNotFoundError:
            return
        if size > TIDY:
            with self.reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Close this process's idle connections; a later call opens new ones."""
        pool = self._pool()
        while pool.idle:
            _discard(pool, pool.idle.pop())

    def _pool(self) -> _Pool:
        pool = self._pools.get(os.getpid())
        return pool if pool is not None else self._pools.setdefault(os.getpid(), _Pool())

    def _open(self) -> sqlite3.Connection:
        if self._opened_file is None and not self.path.exists():  # one that was in use is never made anew
            create(self.path)
        if self._opened_file is None and self._why_keep_layout():  # a runner has it open, and has looked
            refuse_lost(self.path)
        elif self._opened_file is None:
            refuse_damaged(self.path)
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_timeout.total_seconds(),
            isolation_level=None,
            check_same_thread=False,  # one borrower at a time
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{CACHE}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's own cache
            check(connection, self.path, self._why_keep_layout)
            self._refuse_other_file()
        except BaseException:
            connection.close()
            raise
        self._opened_file = _identity(self._name)
        self._opened_log = _identity(f"{self._name}-wal")
        return connection

    def _refuse_damaged(self) -> None:
        """Refuse to go on with a journal that this process, or another one, has found damaged."""
        if self._is_damaged:
            raise spoiled(self.path, REMEDIES[sqlite3.SQLITE_CORRUPT])
        refuse_marked(self.path, self._name)

    def _refuse_other_log(self) -> None:
        """Refuse to go on when the log was removed: it is there for as long as anybody has the journal open."""
        if self._opened_log is not None and self._opened_log != _identity(f"{self._name}-wal"):
            raise log_lost(self.path)

    def _refuse_other_file(self) -> None:
        """Refuse to go on when the file was removed: what is written to it now, nobody would ever read."""
        if self._opened_file is not None and self._opened_file != _identity(self._name):
            raise spoiled(
                self.path,
                "was moved, removed or replaced while in use (put it back, or restart every process that uses it)",
            )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # asked at every loan: half the cost of a Path's
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _discard(pool: _Pool, connection: sqlite3.Connection) -> None:
    pool.opened.remove(connection)
    connection.close()
