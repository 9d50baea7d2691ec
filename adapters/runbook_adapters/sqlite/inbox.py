"""The Inbox port on the journal's own file: a delivery leaves in the transaction that stores what it means."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runbook_adapters.sqlite.codec import from_micros, pack, to_micros
from runbook_adapters.sqlite.database import Database
from runbook_engine.errors import Conflict
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.delivery import Request
from runbook_engine.model.inbox import Fill, SetAside, Waiting

KEEP = "INSERT INTO inbox (received_at, alerts, body) VALUES (?, ?, ?)"


class SqliteInbox:
    """The deliveries of one machine that wait; see `Inbox` for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, request: Request, alerts: int) -> int:
        """Store a delivery of so many alerts, and return its number."""
        row = (to_micros(request.received_at), alerts, pack(request))
        with self._database.writing() as connection:
            return _number(connection.execute(KEEP, row))

    def oldest(self) -> Waiting | None:
        """Return the delivery that comes next; None when nothing waits."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT number, body FROM inbox ORDER BY number LIMIT 1").fetchone()
            return None if row is None else Waiting(number=row[0], request=from_msgpack(row[1], Request))

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM inbox LIMIT 1").fetchone() is None

    def fill(self) -> Fill:
        """Return how much waits."""
        query = (
            "SELECT count(*), coalesce(sum(alerts), 0), coalesce(sum(length(body)), 0),"
            " (SELECT received_at FROM inbox ORDER BY number LIMIT 1), (SELECT count(*) FROM aside),"
            " (SELECT coalesce(sum(length(body)), 0) FROM aside) FROM inbox"
        )
        with self._database.reading() as connection:
            deliveries, alerts, size, since, aside, aside_size = connection.execute(query).fetchone()
        return Fill(
            deliveries=deliveries,
            alerts=alerts,
            bytes=size,
            since=None if since is None else from_micros(since),
            set_aside=aside,
            set_aside_bytes=aside_size,
        )

    def tried(self, number: int) -> int:
        """Count one more try to decide what waits, and return how many there were; 0 = it no longer waits."""
        count = "UPDATE inbox SET tries = tries + 1 WHERE number = ? RETURNING tries"
        with self._database.writing() as connection:
            row = connection.execute(count, (number,)).fetchone()
        return 0 if row is None else int(row[0])

    def spare(self, number: int) -> None:
        """Take one counted try back: what ended it had nothing to do with what waits."""
        with self._database.writing() as connection:
            connection.execute("UPDATE inbox SET tries = max(0, tries - 1) WHERE number = ?", (number,))

    def tidy(self) -> None:
        """Move the file's log into it, when it has grown."""
        self._database.tidy()

    def set_aside(self, number: int, *, reason: str, at: datetime) -> None:
        """Let the others pass a delivery that cannot be decided. Raises Conflict when it no longer waits."""
        move = "INSERT INTO aside SELECT number, ?, ?, alerts, body FROM inbox WHERE number = ?"
        with self._database.writing() as connection:
            if connection.execute(move, (to_micros(at), reason, number)).rowcount != 1:
                raise Conflict(f"delivery {number} does not wait any more")
            connection.execute("DELETE FROM inbox WHERE number = ?", (number,))

    def aside(self, limit: int, after: int = 0) -> tuple[SetAside, ...]:
        """Return what was set aside, oldest first; of all with a number above `after`."""
        query = "SELECT number, at, reason, body FROM aside WHERE number > ? ORDER BY number LIMIT ?"
        with self._database.reading() as connection:
            return tuple(
                SetAside.of(number, from_msgpack(body, Request), at=from_micros(at), reason=reason)
                for number, at, reason, body in connection.execute(query, (after, limit))  # one body at a time
            )

    def give_back(self, number: int, at: datetime) -> int:
        """Put what was set aside behind all that waits, under a new number. Raises Conflict when it is not there."""
        with self._database.writing() as connection:
            row = connection.execute("SELECT alerts, body FROM aside WHERE number = ?", (number,)).fetchone()
            _discard(connection, number)
            return _number(connection.execute(KEEP, (to_micros(at), *row)))

    def discard(self, number: int) -> None:
        """Throw away what was set aside. Raises Conflict when it is not there."""
        with self._database.writing() as connection:
            _discard(connection, number)


def leave(connection: sqlite3.Connection, number: int) -> None:
    """Take a delivery out of the inbox, if it is the oldest one. Raises Conflict."""
    if not number:
        return
    query = "DELETE FROM inbox WHERE number = ? AND number = (SELECT min(number) FROM inbox)"
    if connection.execute(query, (number,)).rowcount != 1:
        raise Conflict(f"delivery {number} was decided by somebody else")


def _discard(connection: sqlite3.Connection, number: int) -> None:
    if connection.execute("DELETE FROM aside WHERE number = ?", (number,)).rowcount != 1:
        raise Conflict(f"no delivery {number} was set aside")


def _number(cursor: sqlite3.Cursor) -> int:
    number = cursor.lastrowid
    assert number is not None
    return number
