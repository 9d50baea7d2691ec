"""The tables of the journal, and how a new file comes to be.

Bodies are the model's own values in msgpack; columns beside them exist only to be searched. Times are integers,
microseconds since 1970 UTC. The file says what it is (`application_id`) and how it is laid out (`user_version`).

A commit writes every page that it touches to the disk. What arrives in storms under random keys is kept in the order
of arrival, so that bodies share pages (measured: 6 pages an incident instead of 10); what is appended to one
execution at a time lies under its key, in one tree.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from runbook_adapters.sqlite.changes import CHANGES
from runbook_adapters.sqlite.records import lowers_to
from runbook_engine.errors import Unreadable

APPLICATION_ID = 0x52424A31  # "RBJ1"
SCHEMA_VERSION = 4

GROUPS = """
CREATE TABLE groups (
    id TEXT PRIMARY KEY, runbook TEXT NOT NULL, opened_at INTEGER NOT NULL, version INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX groups_runbook ON groups (runbook, opened_at DESC, id);
CREATE TABLE parts (
    group_id TEXT NOT NULL, opened_at INTEGER NOT NULL, execution_id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (group_id, opened_at, execution_id)) WITHOUT ROWID;
"""
RECORDS = """
CREATE TABLE latch (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE ends (
    runbook TEXT NOT NULL, digest TEXT NOT NULL, execution_id TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (runbook, digest, execution_id)) WITHOUT ROWID;
CREATE INDEX ends_newest ON ends (runbook, digest, at DESC, execution_id DESC);
CREATE TABLE traces (
    execution_id TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (execution_id, version)) WITHOUT ROWID;
"""
INBOX = """
CREATE TABLE inbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER NOT NULL, alerts INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
CREATE TABLE aside (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, alerts INTEGER NOT NULL,
    body BLOB NOT NULL);
"""
FAULTS = """
ALTER TABLE ends ADD COLUMN lowers_to TEXT;
CREATE INDEX ends_lowering ON ends (runbook, digest, lowers_to, at DESC, execution_id DESC)
    WHERE lowers_to IS NOT NULL;
"""
KNOWN_FAULTS = "UPDATE ends SET lowers_to = lowers_to(body);"
# layout -> what makes the next one of it
UPGRADES = {1: GROUPS + CHANGES, 2: RECORDS, 3: INBOX + FAULTS + KNOWN_FAULTS}

TABLES = f"""
CREATE TABLE executions (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL, absorbing INTEGER NOT NULL,
    finished INTEGER NOT NULL, due INTEGER, lease_until INTEGER, slot TEXT NOT NULL, incident_id TEXT NOT NULL,
    runbook TEXT NOT NULL, opened_at INTEGER NOT NULL, signals INTEGER NOT NULL DEFAULT 0,
    consumed INTEGER NOT NULL DEFAULT 0, audited INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
CREATE INDEX executions_due ON executions (due, id) WHERE due IS NOT NULL;
CREATE INDEX executions_waiting ON executions (signals, consumed) WHERE signals > consumed;
CREATE INDEX executions_newest ON executions (opened_at DESC, id);
CREATE INDEX executions_active ON executions (opened_at DESC, id) WHERE finished = 0;
CREATE INDEX executions_incident ON executions (incident_id, opened_at DESC, id);
CREATE INDEX executions_runbook ON executions (runbook, opened_at DESC, id);

CREATE TABLE statuses (status TEXT PRIMARY KEY, executions INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE slots (slot TEXT PRIMARY KEY, execution_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE followers (
    alert_key TEXT NOT NULL, execution_id TEXT NOT NULL, PRIMARY KEY (alert_key, execution_id)) WITHOUT ROWID;
CREATE INDEX followers_execution ON followers (execution_id);

CREATE TABLE signals (
    execution_id TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (execution_id, number)) WITHOUT ROWID;
CREATE TABLE audit (
    execution_id TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (execution_id, number)) WITHOUT ROWID;
CREATE TABLE evidence (serial INTEGER PRIMARY KEY, execution_id TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX evidence_execution ON evidence (execution_id, at, serial);

CREATE TABLE locks (key TEXT PRIMARY KEY, execution_id TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX locks_execution ON locks (execution_id);
CREATE TABLE cooldowns (key TEXT PRIMARY KEY, execution_id TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE budget_entries (key TEXT NOT NULL, at INTEGER NOT NULL, execution_id TEXT NOT NULL);
CREATE INDEX budget_entries_key ON budget_entries (key, at, execution_id);
CREATE TABLE budget_windows (key TEXT PRIMARY KEY, longest INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE episodes (
    alert_key TEXT PRIMARY KEY, version INTEGER NOT NULL, open INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX episodes_open ON episodes (last_seen, alert_key) WHERE open = 1;
CREATE TABLE incidents (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, key TEXT NOT NULL, open INTEGER NOT NULL,
    opened_at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX incidents_key ON incidents (key, opened_at DESC, id);
CREATE INDEX incidents_page ON incidents (open DESC, opened_at DESC, id);
CREATE TABLE arrivals (
    serial INTEGER PRIMARY KEY, incident_id TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX arrivals_incident ON arrivals (incident_id, at, serial);

CREATE TABLE runbooks (digest TEXT PRIMARY KEY, body BLOB NOT NULL);
{GROUPS}
{CHANGES}
{RECORDS}
{INBOX}
{FAULTS}

PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


def create(path: Path) -> None:
    """Make a new journal, readable by its owner only; harmless when another process makes it at the same time.

    It is made whole under another name and then linked to its own, so nobody ever opens half a journal, and
    processes that start together need not agree on who switches to WAL. Raises Unreadable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    unfinished = Path(name)
    try:
        _build(unfinished, path)
        if not path.exists():
            _link(unfinished, path)
    finally:
        for each in (unfinished, *_aside(unfinished)):
            each.unlink(missing_ok=True)


def check(connection: sqlite3.Connection, path: Path, why_keep_layout: Callable[[], str]) -> None:
    """Refuse a file that is no journal, or that a newer release has written; bring an older one up to date.

    That is refused too while somebody says why the layout must stay. Raises Unreadable.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise Unreadable(f"{path} is not a journal of runbook-engine (set another path, or move the file away)")
    if version > SCHEMA_VERSION:
        raise Unreadable(
            f"journal {path} has layout {version}, this release reads up to {SCHEMA_VERSION} "
            "(upgrade runbook-engine, or set another path)"
        )
    if version < SCHEMA_VERSION:
        if why := why_keep_layout():
            raise Unreadable(f"journal {path} has layout {version}, and {why}")
        _upgrade(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file to the present layout, in one transaction; of several processes, the first one does it."""
    connection.create_function("lowers_to", 1, lowers_to, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for layout in range(version, SCHEMA_VERSION):
            for statement in filter(str.strip, UPGRADES[layout].split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _build(unfinished: Path, path: Path) -> None:
    """Fill a new file with the tables, and with all of them: a log of its own would be left behind by the link.

    To a log they are written twice, and on a full disk SQLite leaves them there without a word when it closes. So
    they go straight into the file; what would undo them is kept in memory, for half a file is thrown away.
    """
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(f"BEGIN;{TABLES}COMMIT;")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":  # it is not refused, it just stays as it was
        raise Unreadable(
            f"journal {path} cannot be made: SQLite can keep no log there, for want of shared memory "
            "(set a path on a disk of this machine)"
        )
    if any(each.exists() for each in _aside(unfinished)):
        raise Unreadable(
            f"journal {path} cannot be made: a part of it did not get into the file (check the disk and its mount)"
        )


def _aside(file: Path) -> list[Path]:
    """Return what SQLite may keep beside a file."""
    return [file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal")]


def _link(unfinished: Path, path: Path) -> None:
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else a power cut may lose the name of a file whose content is safe
    finally:
        os.close(folder)
