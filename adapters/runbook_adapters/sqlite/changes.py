"""Recorded changes in the file: each once, the newest first, and none for longer than they are kept."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runbook_adapters.sqlite.codec import pack, to_micros, unpack_all
from runbook_engine.model.changes import KEPT_FOR, MOST_RECORDED, mark_of
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target

# As it stands in the file from layout 2 on.
CHANGES = """
CREATE TABLE IF NOT EXISTS changes (
    serial INTEGER PRIMARY KEY, target TEXT NOT NULL, mark TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (target, mark));
CREATE INDEX IF NOT EXISTS changes_newest ON changes (target, at, serial);
CREATE INDEX IF NOT EXISTS changes_age ON changes (at);
"""


def record_change(connection: sqlite3.Connection, target: Target, event: ChangeEvent) -> None:
    """Keep a change unless it is kept already, and drop what is too old."""
    connection.execute(
        "INSERT OR IGNORE INTO changes (target, mark, at, body) VALUES (?, ?, ?, ?)",
        (target.key, mark_of(target, event), to_micros(event.at), pack(event)),
    )
    connection.execute("DELETE FROM changes WHERE at < ?", (to_micros(event.at - KEPT_FOR),))


def recorded_changes(connection: sqlite3.Connection, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
    """Return the changes of a target since then, newest first."""
    query = "SELECT body FROM changes WHERE target = ? AND at >= ? ORDER BY at DESC, serial DESC LIMIT ?"
    return unpack_all(connection.execute(query, (target.key, to_micros(since), MOST_RECORDED)), ChangeEvent)
