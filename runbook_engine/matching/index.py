"""Find the runbooks that an alert asks for, at a cost that does not grow with their number.

Exact keys are looked up by the labels that they compare (one table for each set of labels, and under each alert
name only the sets in use there), literal texts by their length, inner texts by three characters. What is found is
then tested on the conditions that its key did not prove. An index never changes: a change makes a new one that
shares the old tables, so a reader sees all of a change or nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter

from runbook_engine.matching.filing import Rule, Table, Tables, file_entries
from runbook_engine.matching.placement import GRAM, Entry

PRIORITY = itemgetter(0, 1)  # of a rule: its order, and its name where two have one


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
            found = [rule for rule in found if rule.name not in self._hidden]
        if self._extra is not None:
            found += _find(self._extra, labels)
        if len(found) > 1:
            found.sort(key=PRIORITY)
        return tuple([rule[1] for rule in found])

    def with_added(self, entry: Entry) -> Index:
        """Return an index that has this entry too, or instead of the one of the same name.

        What was added since the index was built is looked up apart, so build anew after some dozens of changes.
        """
        kept = tuple(other for other in self._added if other.name != entry.name)
        return Index(self._tables, (*kept, entry), self._hidden | {entry.name})

    def without(self, name: str) -> Index:
        """Return an index that no longer finds the runbook of this name."""
        return Index(self._tables, tuple(entry for entry in self._added if entry.name != name), self._hidden | {name})


def _find(tables: Tables, labels: Mapping[str, str]) -> list[Rule]:
    """Look the labels up, and test what is found on the conditions that its key did not prove.

    Plain loops and keys written out throughout: this is the hot path.
    """
    get = labels.get
    pivots, beginnings, endings, inner, rest = tables
    found: list[Rule] = []
    for label, values in pivots:
        if (value := get(label)) is not None and (filed := values.get(value)) is not None:
            direct, signatures = filed
            if direct:
                _try(direct, get, found)
            for names, rules in signatures:
                if len(names) == 2:
                    bucket = rules.get((value, get(names[1])))
                elif len(names) == 3:
                    bucket = rules.get((value, get(names[1]), get(names[2])))
                else:
                    bucket = rules.get(tuple(map(get, names)))
                if bucket is not None:
                    _try(bucket, get, found)
    for label, lengths in beginnings:
        if value := get(label):
            for size, texts in lengths:
                if (bucket := texts.get(value[:size])) is not None:
                    _try(bucket, get, found)
    for label, lengths in endings:
        if value := get(label):
            for size, texts in lengths:
                if (bucket := texts.get(value[-size:])) is not None:
                    _try(bucket, get, found)
    for label, grams in inner:
        if value := get(label):
            for gram in {value[start : start + GRAM] for start in range(len(value) - GRAM + 1)}:
                if (bucket := grams.get(gram)) is not None:
                    _try(bucket, get, found)
    for label, always in rest:
        if not label or label in labels:
            _try(always, get, found)
    return found


def _try(bucket: tuple[Rule, ...], get: Callable[[str, str], str], found: list[Rule]) -> None:
    """Keep those rules of which every test holds."""
    for rule in bucket:
        for name, test in rule[2]:
            if not test(get(name, "")):
                break
        else:
            found.append(rule)
