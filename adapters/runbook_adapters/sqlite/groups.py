"""Groups in the file: what was decided about them, and every execution as its group sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from runbook_adapters.sqlite.codec import pack, to_micros
from runbook_adapters.sqlite.versions import write_versions
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group, part_of


def write_groups(connection: sqlite3.Connection, groups: Sequence[Group]) -> None:
    """Store groups on top of the versions that they were read with. Raises StaleVersion."""
    if not groups:
        return
    rows = [
        (kept.version, kept.runbook, to_micros(kept.opened_at), pack(kept), kept.id)
        for kept in (msgspec.structs.replace(group, version=group.version + 1) for group in groups)
    ]
    insert = "INSERT OR IGNORE INTO groups (version, runbook, opened_at, body, id) VALUES (?, ?, ?, ?, ?)"
    update = "UPDATE groups SET version = ?, runbook = ?, opened_at = ?, body = ? WHERE id = ? AND version = ?"
    write_versions(connection, "a group", rows, insert, update)


def add_parts(connection: sqlite3.Connection, executions: Iterable[Execution]) -> None:
    """Store what groups see of executions that have just been opened."""
    rows = [
        (execution.group_id, to_micros(execution.opened_at), execution.id, pack(part_of(execution)))
        for execution in executions
        if execution.group_id
    ]
    if rows:
        connection.executemany("INSERT INTO parts VALUES (?, ?, ?, ?)", rows)


def write_part(connection: sqlite3.Connection, execution: Execution) -> None:
    """Store what a group sees of an execution now, if that is news."""
    if not execution.group_id:
        return
    body = pack(part_of(execution))
    connection.execute(
        "UPDATE parts SET body = ?1 WHERE group_id = ?2 AND opened_at = ?3 AND execution_id = ?4 AND body <> ?1",
        (body, execution.group_id, to_micros(execution.opened_at), execution.id),
    )
