"""File rules into the tables of an index, each at the place that was decided for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from runbook_engine.matching.conditions import condition
from runbook_engine.matching.placement import GRAM, PIVOT, Entry, Place, place
from runbook_engine.matching.regexes import Predicate
from runbook_engine.model.matcher import Matcher

Table = dict[Any, Any]
NewTable = Callable[[], Table]


class Rule(NamedTuple):
    """A runbook as the index tries it: its place in the answer, and the tests that its key did not prove."""

    order: int
    name: str
    tests: tuple[tuple[str, Predicate], ...]


class Signature(NamedTuple):
    """One set of labels that rules compare, and the rules by those labels' values."""

    names: tuple[str, ...]
    rules: Table


class Tables(NamedTuple):
    """Where rules are filed; every table maps a text, or a tuple of texts, to a tuple."""

    pivots: tuple[tuple[str, Table], ...]  # label -> value -> (rules found by it alone, signatures in use under it)
    beginnings: tuple[tuple[str, tuple[tuple[int, Table], ...]], ...]  # label -> length -> text -> rules
    endings: tuple[tuple[str, tuple[tuple[int, Table], ...]], ...]
    inner: tuple[tuple[str, Table], ...]  # label -> three characters -> rules
    rest: tuple[tuple[str, tuple[Rule, ...]], ...]  # label that must be there, or "" -> rules


class _Exact(NamedTuple):
    """One key of one entry, and the label of that key which is looked at first."""

    entry: Entry
    place: Place
    key: tuple[str, ...]
    pivot: int


def file_entries(entries: Sequence[Entry], table: NewTable) -> Tables:
    """Return the tables in which every entry is found."""
    rules = _Rules()
    exact: list[tuple[Entry, Place]] = []
    literal: dict[str, dict[str, dict[int, Table]]] = {
        kind: defaultdict(lambda: defaultdict(table)) for kind in ("beginning", "ending", "inner")
    }
    rest: dict[str, list[Rule]] = defaultdict(list)
    for entry, chosen in zip(entries, place(entries), strict=True):
        if chosen.kind == "exact":
            exact.append((entry, chosen))
        elif chosen.kind == "rest":
            rest[rules.required_label(entry)].append(rules.rule(entry, ()))
        else:
            for (text,) in chosen.keys:
                _add(literal[chosen.kind][chosen.names[0]][len(text)], text, rules.rule(entry, ()))
    return Tables(
        pivots=_file_exact(exact, rules, table),
        beginnings=tuple((label, tuple(sorted(sizes.items()))) for label, sizes in literal["beginning"].items()),
        endings=tuple((label, tuple(sorted(sizes.items()))) for label, sizes in literal["ending"].items()),
        inner=tuple((label, sizes[GRAM]) for label, sizes in literal["inner"].items()),
        rest=tuple((label, tuple(filed)) for label, filed in rest.items()),
    )


def _file_exact(placed: Iterable[tuple[Entry, Place]], rules: _Rules, table: NewTable) -> tuple[tuple[str, Table], ...]:
    pivots: dict[str, Table] = defaultdict(table)
    tables: dict[tuple[str, ...], Signature] = {}
    shared: dict[tuple[tuple[str, ...], ...], tuple[Signature, ...]] = {}
    for (label, value), group in _by_pivot(placed).items():
        direct: tuple[Rule, ...] = ()
        signatures: dict[tuple[str, ...], Signature] = {}
        alone = all(filed.entry is group[0].entry for filed in group)
        if alone:
            direct = (rules.rule(group[0].entry, (group[0].place.covered[group[0].pivot],)),)
        for entry, chosen, key, _ in () if alone else group:
            if len(key) == 1:
                direct += (rules.rule(entry, chosen.covered),)
                continue
            names = (label, *(name for name in chosen.names if name != label))
            signature = tables.setdefault(names, Signature(names, table()))
            signatures[names] = signature
            values = dict(zip(chosen.names, key, strict=True))
            _add(signature.rules, tuple(values[name] for name in names), rules.rule(entry, chosen.covered))
        names_used = tuple(sorted(signatures))
        used = shared.setdefault(names_used, tuple(signatures[names] for names in names_used))
        pivots[label][value] = (direct, used)
    return tuple(pivots.items())


def _by_pivot(placed: Iterable[tuple[Entry, Place]]) -> dict[tuple[str, str], list[_Exact]]:
    """Group the keys by the label that is looked at first: the alert's name, else the one with the rarest values."""
    kept = list(placed)
    crowds = Counter(
        (name, key[at]) for _, chosen in kept for key in chosen.keys for at, name in enumerate(chosen.names)
    )
    groups: dict[tuple[str, str], list[_Exact]] = defaultdict(list)
    for entry, chosen in kept:
        pivot = 0
        if chosen.names[0] != PIVOT:
            pivot = min(
                range(len(chosen.names)),
                key=lambda at: max(crowds[chosen.names[at], key[at]] for key in chosen.keys),
            )
        for key in chosen.keys:
            groups[chosen.names[pivot], key[pivot]].append(_Exact(entry, chosen, key, pivot))
    return groups


class _Rules:
    """Makes rules, and shares the tests that many of them have in common."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str], Predicate] = {}

    def rule(self, entry: Entry, covered: tuple[int, ...]) -> Rule:
        """Return the rule of an entry, without the tests that its key proves; patterns are tried last."""
        left = [matcher for position, matcher in enumerate(entry.matchers) if position not in covered]
        left.sort(key=lambda matcher: matcher.is_regex)
        return Rule(entry.order, entry.name, tuple([(matcher.name, self._test(matcher)) for matcher in left]))

    def required_label(self, entry: Entry) -> str:
        """Return a label without which the entry cannot match, or nothing where there is none."""
        return next((matcher.name for matcher in entry.matchers if not self._test(matcher)("")), "")

    def _test(self, matcher: Matcher) -> Predicate:
        key = (matcher.op, matcher.value)
        if key not in self._tests:
            self._tests[key] = condition(matcher)
        return self._tests[key]


def _add(table: Table, key: object, rule: Rule) -> None:
    table[key] = (*table.get(key, ()), rule)
