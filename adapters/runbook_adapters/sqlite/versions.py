"""Versioned rows: stored only on top of the version that their writer has read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from runbook_engine.errors import StaleVersion

Row = tuple[Any, ...]


def write_versions(connection: sqlite3.Connection, what: str, rows: Sequence[Row], insert: str, update: str) -> None:
    """Insert first versions, update later ones only where the version before is stored; each key (last) once.

    A row begins with its version. Raises StaleVersion.
    """
    new = [row for row in rows if row[0] == 1]
    known = [(*row, row[0] - 1) for row in rows if row[0] > 1]
    once = len({row[-1] for row in rows}) == len(rows)
    if not (once and changed(connection, insert, new) == len(new) and changed(connection, update, known) == len(known)):
        raise StaleVersion(f"{what} has moved since it was read: read it again")


def changed(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> int:
    """Return how many rows a statement changed in all."""
    return connection.executemany(statement, rows).rowcount if rows else 0
