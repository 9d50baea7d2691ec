"""Find the runbooks that an alert asks for, at a cost that does not grow with their number.

Rules are looked up by the value of one label (of the alert's name, wherever they want one), and where many want the
same value by the other labels that they compare, one table for each set of labels in use there; literal texts by their
length, inner texts by three characters. What is found is then tested on the conditions that its key did not prove. An
index never changes: a change makes a new one that shares the old tables, so a reader sees all of a change or nothing
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter

from runbook_engine.matching.filing import Filed, file_entries
from runbook_engine.matching.placement import GRAM, Entry
from runbook_engine.matching.tables import NewTable, Rules, Tables, make_tables

_PRIORITY = attrgetter("order", "name")


class Index:
    """An immutable set of rules to look alerts up in."""

    __slots__ = ("_added", "_extra", "_hidden", "_orders", "_tables")

    def __init__(
        self,
        tables: Tables,
        orders: Mapping[str, int],
        added: tuple[Entry, ...] = (),
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        self._tables = tables
        self._orders = orders
        self._added = added
        self._hidden = hidden
        self._extra = Index.build(added) if added else None

    @classmethod
    def build(cls, entries: Iterable[Entry]) -> Index:
        """Return the index of the entries."""
        ordered = by_priority(entries)
        return cls.of(ordered, file_entries(ordered))

    @classmethod
    def of(cls, ordered: Sequence[Entry], filed: Filed, table: NewTable = dict) -> Index:
        """Return the index of entries that were filed in this order; `table` lets a test count the look-ups."""
        names = [entry.name for entry in ordered]
        return cls(make_tables(filed, names, table), dict(zip(names, [entry.order for entry in ordered], strict=True)))

    def match(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the runbooks whose matchers all hold, in their order of priority."""
        found = _find(self._tables, labels)
        if self._hidden or self._extra is not None:
            return self._changed(found, labels)
        if not found:
            return ()
        if len(found) == 1:
            return tuple(found[0])
        return tuple(sorted(chain(*found), key=lambda name: (self._orders[name], name)))

    def with_added(self, entry: Entry) -> Index:
        """Return an index that has this entry too, or instead of the one of the same name.

        What was added since the index was built is looked up apart, so build anew after some dozens of changes.
        """
        kept = tuple(other for other in self._added if other.name != entry.name)
        return Index(self._tables, self._orders, (*kept, entry), self._hidden | {entry.name})

    def without(self, name: str) -> Index:
        """Return an index that no longer finds the runbook of this name."""
        kept = tuple(entry for entry in self._added if entry.name != name)
        return Index(self._tables, self._orders, kept, self._hidden | {name})

    def _changed(self, found: Iterable[list[str]], labels: Mapping[str, str]) -> tuple[str, ...]:
        """Leave out what was removed or replaced since the tables were made, and find what was added."""
        kept = [(self._orders[name], name) for name in chain(*found) if name not in self._hidden]
        if self._extra is not None:
            kept += [(self._extra._orders[name], name) for name in self._extra.match(labels)]
        return tuple([name for _, name in sorted(kept)])


def by_priority(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries in the order in which they are filed."""
    return sorted(entries, key=_PRIORITY)


def _find(tables: Tables, labels: Mapping[str, str]) -> list[list[str]]:
    """Look the labels up, and return what holds of each bucket that was found.

    Plain loops and keys written out throughout: this is the hot path.
    """
    get = labels.get
    pivots, beginnings, endings, inner, rest = tables
    found: list[list[str]] = []
    for label, values in pivots:
        if (value := get(label)) is not None and (rules := values.get(value)) is not None:
            if type(rules) is tuple:
                if names := _holding(rules, get):
                    found.append(names)
                continue
            direct, signatures = rules
            if direct and (names := _holding(direct, get)):
                found.append(names)
            for compared, table in signatures:
                key = get(compared[0]) if len(compared) == 1 else tuple(map(get, compared))
                if (rules := table.get(key)) is not None and (names := _holding(rules, get)):
                    found.append(names)
    for label, lengths in beginnings:
        if value := get(label):
            for size, texts in lengths:
                if (rules := texts.get(value[:size])) is not None and (names := _holding(rules, get)):
                    found.append(names)
    for label, lengths in endings:
        if value := get(label):
            for size, texts in lengths:
                if (rules := texts.get(value[-size:])) is not None and (names := _holding(rules, get)):
                    found.append(names)
    for label, grams in inner:
        if value := get(label):
            for gram in {value[start : start + GRAM] for start in range(len(value) - GRAM + 1)}:
                if (rules := grams.get(gram)) is not None and (names := _holding(rules, get)):
                    found.append(names)
    for label, always in rest:
        if (not label or label in labels) and (names := _holding(always, get)):
            found.append(names)
    return found


def _holding(rules: Rules, get: Callable[[str, str], str]) -> list[str]:
    """Return the names of those rules of which every test holds; a rule's tests come before its name."""
    found: list[str] = []
    holds = True
    for part in rules:
        if isinstance(part, str):
            if holds:
                found.append(part)
            holds = True
            continue
        for label, operation, argument in part:
            if not operation(argument, get(label, "")):
                holds = False
                break
    return found
