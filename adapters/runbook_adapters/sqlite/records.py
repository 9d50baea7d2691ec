"""What is kept beside executions: the storm latch, how runs ended, and what happened in them."""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from runbook_adapters.sqlite.codec import pack, to_micros
from runbook_adapters.sqlite.versions import write_versions
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.standing import End
from runbook_engine.model.storm import Latch


def read_latch(connection: sqlite3.Connection) -> Latch:
    """Return the storm latch. Raises msgspec.MsgspecError."""
    row = connection.execute("SELECT body FROM latch").fetchone()
    return Latch() if row is None else from_msgpack(row[0], Latch)


def write_latch(connection: sqlite3.Connection, latch: Latch | None) -> None:
    """Store the latch on top of the version that it was read with. Raises StaleVersion."""
    if latch is None:
        return
    kept = replace(latch, version=latch.version + 1)
    insert = "INSERT OR IGNORE INTO latch (version, body, one) VALUES (?, ?, ?)"
    update = "UPDATE latch SET version = ?, body = ? WHERE one = ? AND version = ?"
    write_versions(connection, "the storm latch", [(kept.version, pack(kept), 1)], insert, update)


def write_end(connection: sqlite3.Connection, end: End | None) -> None:
    """Keep how an execution ended; the newest word counts."""
    if end is not None:
        row = (end.runbook, end.digest, end.execution_id, to_micros(end.at), pack(end), end.lowers_to)
        connection.execute("INSERT OR REPLACE INTO ends VALUES (?, ?, ?, ?, ?, ?)", row)


def lowers_to(body: bytes) -> str | None:
    """Return how far the runbook of a kept end is trusted after it, for its column. Raises msgspec.MsgspecError."""
    return from_msgpack(body, End).lowers_to


def write_trace(connection: sqlite3.Connection, execution_id: str, version: int, trace: bytes) -> None:
    """Keep what happened before a version was stored."""
    if trace:
        connection.execute("INSERT INTO traces VALUES (?, ?, ?)", (execution_id, version, trace))
