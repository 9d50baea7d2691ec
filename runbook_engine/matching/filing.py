"""File rules into the tables of an index, each at the place that was decided for it, as plain values.

Rules are numbers, in their order of priority. A bucket lists what is found together: the number of a rule, and before
it the conditions that its key did not prove, as a negative number. This is what a bundle stores, and `tables` turns it
into something to look alerts up in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import msgspec

from runbook_engine.matching.placement import FEW, PIVOT, Entry, Place, Read, place
from runbook_engine.matching.shapes import Shape, read_pattern, refusal
from runbook_engine.model.matcher import Matcher

Bucket = list[int]
Texts = dict[str, Bucket]
Lengths = tuple[tuple[int, Texts], ...]
Conditions = tuple[tuple[str, Shape], ...]


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """One set of labels that rules of a crowd compare, and the rules by those labels' values."""

    names: tuple[str, ...]
    rules: tuple[tuple[tuple[str, ...], Bucket], ...]


class Crowd(msgspec.Struct, frozen=True, array_like=True):
    """Many rules that want one value of one label: those found by it alone, and the others by what else they want."""

    value: str
    direct: Bucket
    signatures: tuple[Signature, ...]


class Pivot(msgspec.Struct, frozen=True, array_like=True):
    """The rules that are looked up by the value of one label."""

    label: str
    values: Texts
    crowds: tuple[Crowd, ...]


class Filed(msgspec.Struct, frozen=True, array_like=True):
    """Where every rule is found."""

    conditions: tuple[Conditions, ...]
    pivots: tuple[Pivot, ...]
    beginnings: dict[str, Lengths]  # label -> length -> text
    endings: dict[str, Lengths]
    inner: dict[str, Texts]  # label -> three characters
    rest: dict[str, Bucket]  # label that must be there, or ""


def file_entries(entries: Sequence[Entry]) -> Filed:
    """Return where every entry is found, by its position in the sequence."""
    read = cache(read_pattern)
    packing = _Packing(read)
    exact: dict[int, Place] = {}
    literal: dict[str, dict[str, dict[int, Texts]]] = {
        kind: defaultdict(lambda: defaultdict(dict)) for kind in ("beginning", "ending", "inner")
    }
    rest: dict[str, Bucket] = defaultdict(list)
    for number, (entry, chosen) in enumerate(zip(entries, place(entries, read), strict=True)):
        if chosen.kind == "exact":
            exact[number] = chosen
        elif chosen.kind == "rest":
            rest[_required_label(entry, read)] += packing.rule(number, entry.matchers)
        else:
            for (text,) in chosen.keys:
                bucket = literal[chosen.kind][chosen.names[0]][len(text)].setdefault(text, [])
                bucket += packing.rule(number, entry.matchers)
    pivots = _file_exact(entries, exact, packing)
    return Filed(
        conditions=tuple(packing.conditions),
        pivots=pivots,
        beginnings=_by_length(literal["beginning"]),
        endings=_by_length(literal["ending"]),
        inner={label: texts for label, sizes in literal["inner"].items() for texts in sizes.values()},
        rest=rest,
    )


def _by_length(literal: Mapping[str, Mapping[int, Texts]]) -> dict[str, Lengths]:
    return {label: tuple(sorted(sizes.items())) for label, sizes in literal.items()}


def _file_exact(entries: Sequence[Entry], exact: dict[int, Place], packing: _Packing) -> tuple[Pivot, ...]:
    pivots = []
    for label, values in _by_pivot(exact).items():
        few: Texts = {}
        crowds = []
        for value, numbers in values.items():
            if len(numbers) > FEW:
                crowds.append(_crowd(label, value, {number: exact[number] for number in numbers}, entries, packing))
                continue
            bucket: Bucket = []
            for number in numbers:
                found = exact[number]
                at = found.covered[0 if found.names[0] == label else found.names.index(label)]
                bucket += packing.rule(number, entries[number].matchers, (at,))
            few[value] = bucket
        pivots.append(Pivot(label, few, tuple(crowds)))
    return tuple(pivots)


def _crowd(label: str, value: str, exact: dict[int, Place], entries: Sequence[Entry], packing: _Packing) -> Crowd:
    direct: Bucket = []
    signatures: dict[tuple[str, ...], dict[tuple[str, ...], Bucket]] = defaultdict(lambda: defaultdict(list))
    for number, chosen in exact.items():
        rule = packing.rule(number, entries[number].matchers, chosen.covered)
        at = chosen.names.index(label)
        others = chosen.names[:at] + chosen.names[at + 1 :]
        if not others:
            direct += rule
            continue
        for key in chosen.keys:
            if key[at] == value:
                signatures[others][key[:at] + key[at + 1 :]] += rule
    return Crowd(value, direct, tuple([Signature(names, tuple(rules.items())) for names, rules in signatures.items()]))


def _by_pivot(exact: dict[int, Place]) -> dict[str, dict[str, list[int]]]:
    """Group rules by the label that is looked at first: the alert's name, else the one with the rarest values."""
    others = [chosen for chosen in exact.values() if chosen.names[0] != PIVOT]
    crowds = Counter([(name, key[at]) for one in others for key in one.keys for at, name in enumerate(one.names)])
    groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, chosen in exact.items():
        at = 0 if chosen.names[0] == PIVOT else _rarest(chosen, crowds)
        values = groups[chosen.names[at]]
        for text in (chosen.keys[0][at],) if len(chosen.keys) == 1 else dict.fromkeys(key[at] for key in chosen.keys):
            values[text].append(number)
    return groups


def _rarest(chosen: Place, crowds: Counter[tuple[str, str]]) -> int:
    return min(
        range(len(chosen.names)),
        key=lambda at: max(crowds[chosen.names[at], key[at]] for key in chosen.keys),
    )


def _required_label(entry: Entry, read: Read) -> str:
    """Return a label without which the entry cannot match, or nothing where none is certain."""
    for matcher in entry.matchers:
        if matcher.op == "!=" and not matcher.value:
            return matcher.name
        if matcher.op == "=~" and not _may_be_empty(read(matcher.value).shape):
            return matcher.name
    return ""


def _may_be_empty(shape: Shape) -> bool:
    if shape.kind == "one of":
        return "" in shape.texts
    if shape.kind == "matches":
        return len(shape.texts) == 1
    return shape.least == 0


class _Packing:
    """Writes rules into buckets, and shares the conditions that many of them have in common."""

    def __init__(self, read: Read) -> None:
        self.conditions: list[Conditions] = []
        self._read = read
        self._known: dict[tuple[tuple[str, str, str], ...], int] = {}

    def rule(self, number: int, matchers: Iterable[Matcher], covered: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return how a bucket lists a rule, with the conditions that its key does not prove; patterns come last."""
        left = tuple(
            [(one.name, one.op, one.value) for position, one in enumerate(matchers) if position not in covered]
        )
        if not left:
            return (number,)
        known = self._known.get(left)
        if known is None:
            known = self._known[left] = ~len(self.conditions)
            ordered = sorted(left, key=lambda one: one[1] in ("=~", "!~"))
            self.conditions.append(tuple([(name, self._shape(op, value)) for name, op, value in ordered]))
        return known, number

    def _shape(self, op: str, value: str) -> Shape:
        if op == "=":
            return Shape("is", (value,))
        if op == "!=":
            return Shape("is not", (value,))
        shape = self._read(value).shape
        return refusal(shape) if op == "!~" else shape
