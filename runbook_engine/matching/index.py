"""Find the runbooks that an alert asks for, at a cost that does not grow with their number.

Exact keys are looked up by the labels that they compare (one table for each set of labels, and under each alert
name only the sets in use there), literal texts by their length, inner texts by three characters. What is found is
then tested on the conditions that its key did not prove. An index never changes: a change makes a new one that
shares the old tables, so a reader sees all of a change or nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from runbook_engine.matching.filing import Rule, Table, Tables, file_entries
from runbook_engine.matching.placement import GRAM, Entry


class Index:
    """An immutable set of rules to look alerts up in."""

    __slots__ = ("_added", "_extra", "_hidden", "_tables")

    def __init__(self, tables: Tables, added: tuple[Entry, ...] = (), hidden: frozenset[str] = frozenset()) -> None:
        self._tables = tables
        self._added = added
        self._hidden = hidden
        self._extra = file_entries(added, dict) if added else None

    @classmethod
    def build(cls, entries: Iterable[Entry], table: Callable[[], Table] = dict) -> Index:
        """Return the index of the entries; `table` lets a test count the look-ups."""
        return cls(file_entries(tuple(entries), table))

    def match(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the runbooks whose matchers all hold, in their order of priority."""
        found = _find(self._tables, labels)
        if self._hidden:
            found = [hit for hit in found if hit[1] not in self._hidden]
        if self._extra is not None:
            found += _find(self._extra, labels)
        if len(found) > 1:
            found.sort()
        return tuple([name for _, name in found])

    def with_added(self, entry: Entry) -> Index:
        """Return an index that has this entry too, or instead of the one of the same name.

        What was added since the index was built is looked up apart, so build anew after some dozens of changes.
        """
        kept = tuple(other for other in self._added if other.name != entry.name)
        return Index(self._tables, (*kept, entry), self._hidden | {entry.name})

    def without(self, name: str) -> Index:
        """Return an index that no longer finds the runbook of this name."""
        return Index(self._tables, tuple(entry for entry in self._added if entry.name != name), self._hidden | {name})


def _find(tables: Tables, labels: Mapping[str, str]) -> list[tuple[int, str]]:
    """Look the labels up, and test what is found on the conditions that its key did not prove."""
    get = labels.get
    found: list[tuple[int, str]] = []
    for bucket in _look_up(tables, labels):
        for order, rule, tests in bucket:
            for name, test in tests:
                if not test(get(name, "")):
                    break
            else:
                found.append((order, rule))
    return found


def _look_up(tables: Tables, labels: Mapping[str, str]) -> list[tuple[Rule, ...]]:
    """Return what is filed under the labels. Plain loops throughout: this is the hot path."""
    get = labels.get
    pivots, beginnings, endings, inner, rest = tables
    buckets: list[tuple[Rule, ...]] = []
    for label, values in pivots:
        if (value := get(label)) is not None and (filed := values.get(value)) is not None:
            direct, signatures = filed
            if direct:
                buckets.append(direct)
            for names, rules in signatures:
                if (bucket := rules.get(tuple(map(get, names)))) is not None:
                    buckets.append(bucket)
    for label, lengths in beginnings:
        if value := get(label):
            for size, texts in lengths:
                if (bucket := texts.get(value[:size])) is not None:
                    buckets.append(bucket)
    for label, lengths in endings:
        if value := get(label):
            for size, texts in lengths:
                if (bucket := texts.get(value[-size:])) is not None:
                    buckets.append(bucket)
    for label, grams in inner:
        if value := get(label):
            for gram in {value[start : start + GRAM] for start in range(len(value) - GRAM + 1)}:
                if (bucket := grams.get(gram)) is not None:
                    buckets.append(bucket)
    for label, always in rest:
        if not label or label in labels:
            buckets.append(always)
    return buckets
