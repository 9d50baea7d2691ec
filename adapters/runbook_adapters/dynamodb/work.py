"""Work: what one write has read, and what it makes of it. Stored, it is one transaction on exactly what was read.

Every item bears a revision. What was read and then changed is stored only on top of the revision that was read, so
two who decide on the same item cannot both succeed: the second reads again, and decides again. Nothing waits for
anybody, and no answer is ever given on what is no longer so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from runbook_adapters.dynamodb.items import DIGEST, Item, divided, piece_keys
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.problems import Moved
from runbook_adapters.dynamodb.table import Table
from runbook_adapters.dynamodb.writing import REVISION, Write, write
from runbook_engine.errors import Overloaded

TRIES = 24  # of a storm's writers on one item, all but one must look again each time

Answer = TypeVar("Answer")


class Work:
    """Items read from the table, and changed in memory."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._read: dict[Key, Item | None] = {}
        self._changed: dict[Key, Item | None] = {}
        self._blind: dict[Key, Write] = {}
        self._counted: dict[Key, dict[str, int]] = {}

    def read(self, keys: Iterable[Key]) -> None:
        """Read those of these items that were not read yet."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._read]
        found = self._table.read(missing) if missing else {}
        self._read |= {key: found.get(key) for key in missing}

    def get(self, key: Key) -> Item | None:
        """Return an item as this work would leave it, None when there is none. It is read now, if it was not yet."""
        if key in self._changed:
            return self._changed[key]
        self.read([key])
        return self._read[key]

    def put(self, key: Key, item: Item) -> None:
        """Replace an item, if it is still what was read."""
        self._changed[key] = item

    def delete(self, key: Key) -> None:
        """Remove an item, if it is still what was read."""
        self._changed[key] = None

    def add(self, key: Key, item: Item) -> None:
        """Store an item under a key that is nobody else's."""
        self._blind[key] = Write(key, item, "absent")

    def point(self, key: Key, item: Item | None) -> None:
        """Replace or remove an item that follows from another one of this work, whatever it was."""
        self._blind[key] = Write(key, item)

    def count(self, key: Key, name: str, number: int) -> None:
        """Add to a number."""
        counted = self._counted.setdefault(key, {})
        counted[name] = counted.get(name, 0) + number

    def writes(self) -> list[Write]:
        """Return all that this work changes; first of all, what others may want to change too."""
        found: list[Write] = []
        for key, item in self._changed.items():
            if item != self._read.get(key):
                found.extend(self._replaced(key, self._read.get(key), item))
        for each in self._blind.values():
            found.extend(_divided(each))
        counted = {
            key: tuple((name, number) for name, number in each.items() if number) for key, each in self._counted.items()
        }
        found.extend(Write(key, {}, added=added) for key, added in counted.items() if added)
        return found

    def store(self) -> None:
        """Store it, all or nothing. Raises Moved when something that was read is no longer so."""
        writes = self.writes()
        if writes:
            write(self._table, writes)

    def _replaced(self, key: Key, before: Item | None, after: Item | None) -> list[Write]:
        """Return what replaces an item, and the pieces of its body where that is another one."""
        read = Write(key, None, "absent") if before is None else Write(key, None, "revision", str(before[REVISION]))
        held, pieces = divided(key, after or {})
        old = set(piece_keys(key, before)) if before is not None else set()
        same = before is not None and before.get(DIGEST) == held.get(DIGEST)
        return [
            read._replace(item=held if after is not None else None),
            *(Write(place, piece) for place, piece in pieces.items() if not same),
            *(Write(place, None) for place in old - set(pieces)),
        ]


def settle(table: Table, change: Callable[[Work], Answer]) -> Answer:
    """Store what a change makes of the items that it reads; where somebody was faster, let it look again."""
    for attempt in range(TRIES):
        work = Work(table)
        answer = change(work)
        try:
            work.store()
        except Moved:
            table.pause(attempt)
            continue
        return answer
    raise Overloaded(f"table {table.name} was busy: others kept changing what was to be changed, {TRIES} times")


def _divided(whole: Write) -> list[Write]:
    if whole.item is None:
        return [whole]
    held, pieces = divided(whole.key, whole.item)
    return [whole._replace(item=held), *(Write(place, piece) for place, piece in pieces.items())]
