"""Connections to the file: borrowed for one transaction, never shared across a fork.

gunicorn forks after the engine is built. A connection that crosses a fork breaks SQLite's locks, even by being
closed, so every process has a pool of its own and leaves the ones it inherited alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec

from runbook_adapters.sqlite.problems import explain, explain_folder
from runbook_adapters.sqlite.schema import check, create
from runbook_engine.errors import Unreadable


@dataclass(frozen=True, slots=True)
class _Pool:
    """One process's connections; `opened` keeps those alive that a fork has left behind."""

    idle: list[sqlite3.Connection] = field(default_factory=list)
    opened: list[sqlite3.Connection] = field(default_factory=list)


class Database:
    """One SQLite file, made when it is first used."""

    def __init__(self, path: Path, busy_timeout: timedelta) -> None:
        self.path = path.absolute()
        self.busy_timeout = busy_timeout
        self._pools: dict[int, _Pool] = {}
        self._opened_file: tuple[int, int] | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one statement, which sees one moment by itself: a transaction would triple its cost."""
        with self._explained(), self._borrowed() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection inside a transaction that is durable at the end, or undone by any exception."""
        with self._explained(), self._borrowed() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    def close(self) -> None:
        """Close this process's idle connections; a later call opens new ones."""
        pool = self._pool()
        while pool.idle:
            _discard(pool, pool.idle.pop())

    def _pool(self) -> _Pool:
        return self._pools.setdefault(os.getpid(), _Pool())

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        self._refuse_other_file()
        pool = self._pool()
        try:
            connection = pool.idle.pop()
        except IndexError:
            connection = self._open()
            pool.opened.append(connection)
        try:
            yield connection
        except sqlite3.Error:
            _discard(pool, connection)
            raise
        except BaseException:
            pool.idle.append(connection)
            raise
        pool.idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        if self._opened_file is None and not self.path.exists():  # one that was in use is never made anew
            create(self.path)
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw",
            uri=True,
            timeout=self.busy_timeout.total_seconds(),
            isolation_level=None,
            check_same_thread=False,  # one borrower at a time
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's own cache
            check(connection, self.path)
            self._refuse_other_file()
        except BaseException:
            connection.close()
            raise
        self._opened_file = _identity(self.path)
        return connection

    def _refuse_other_file(self) -> None:
        """Refuse to go on when the file was removed: what is written to it now, nobody would ever read."""
        if self._opened_file is not None and self._opened_file != _identity(self.path):
            raise Unreadable(
                f"journal {self.path} was moved, removed or replaced while in use "
                "(put it back, or restart every process that uses it)"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explain(error, self.path, self.busy_timeout) from error
        except OSError as error:
            raise explain_folder(error, self.path) from error
        except msgspec.MsgspecError as error:
            raise Unreadable(
                f"journal {self.path} holds a record that this release cannot read: {error} (upgrade runbook-engine)"
            ) from error


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _discard(pool: _Pool, connection: sqlite3.Connection) -> None:
    pool.opened.remove(connection)
    connection.close()
