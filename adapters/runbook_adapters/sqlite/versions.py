"""Versioned rows: stored only on top of the version that their writer has read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from runbook_engine.errors import StaleVersion

Row = tuple[Any, ...]


class Versioned(Protocol):
    """What carries the version that it was read with, 0 when it is new."""

    @property
    def version(self) -> int:
        """The version."""


Value = TypeVar("Value", bound=Versioned)


def write_versions(connection: sqlite3.Connection, what: str, rows: Sequence[Row], insert: str, update: str) -> None:
    """Insert first versions, update later ones only where the version before is stored; each key (last) once.

    A row begins with its version. Raises StaleVersion.
    """
    new = [row for row in rows if row[0] == 1]
    known = [(*row, row[0] - 1) for row in rows if row[0] > 1]
    once = len({row[-1] for row in rows}) == len(rows)
    stored = sum(
        [changed(connection, statement, found) for statement, found in ((insert, new), (update, known)) if found]
    )
    if not once or stored != len(rows):
        raise StaleVersion(f"{what} has moved since it was read: read it again")


def write_values(
    connection: sqlite3.Connection,
    what: str,
    values: Sequence[Value],
    row: Callable[[Value], Row],
    insert: str,
    update: str,
) -> None:
    """Store values on top of the versions that they were read with, as `write_versions` does with rows.

    Rows are made one at a time: a storm that is packed all at once would fill the memory. Raises StaleVersion.
    """
    keys: set[object] = set()

    def rows(wanted: Iterable[Value]) -> Iterator[Row]:
        for value in wanted:
            made = row(value)
            keys.add(made[-1])
            yield (*made, value.version) if value.version else made

    stored = 0
    for statement, found in ((insert, [each for each in values if not each.version]), (update, _known(values))):
        stored += changed(connection, statement, rows(found)) if found else 0
    if stored != len(values) or len(keys) != len(values):
        raise StaleVersion(f"{what} has moved since it was read: read it again")


def changed(connection: sqlite3.Connection, statement: str, rows: Iterable[Row]) -> int:
    """Return how many rows a statement changed in all."""
    return max(0, connection.executemany(statement, rows).rowcount)


def _known(values: Sequence[Value]) -> list[Value]:
    return [each for each in values if each.version]
