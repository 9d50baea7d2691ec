"""Decide under which key each rule is filed, so that no alert has to try many rules.

A rule can be found by the exact values that it wants, or by a literal text that one of its patterns needs. Neither is
always the better one: thousands of rules may want `severity = critical`, and thousands may begin with `ip-10-`. So
the keys of all rules are counted first, and each rule goes where it has the fewest neighbours. Inner texts have many
keys each, so they are counted only for the rules that would be in a huge crowd everywhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

import msgspec

from runbook_engine.matching.patterns import MAX_CHOICES, beginnings, endings, inner_text
from runbook_engine.matching.shapes import Reading
from runbook_engine.model.matcher import Matcher

PIVOT = "alertname"
GRAM = 3  # characters of an inner text that are looked up
MAX_NAMES = 4  # labels compared by one exact key
LONGEST = 32  # characters of a beginning or an ending that are looked up
FEW = 8  # rules that are simply tried: a look-up that tells them apart costs as much, for every alert
HUGE = 16  # inner texts cost a look-up for each character of a value: worth it from so many rules

Kind = Literal["exact", "beginning", "ending", "inner", "rest"]
Read = Callable[[str], Reading]


class Entry(msgspec.Struct, frozen=True):
    """One runbook to be found: its name, its place in the order of priority, and its matchers."""

    name: str
    order: int
    matchers: tuple[Matcher, ...]


class Place(NamedTuple):
    """One way to file a rule: the labels that are compared, and the keys under which it is found."""

    kind: Kind
    names: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    covered: tuple[int, ...] = ()  # matchers that finding the key proves, by position


class _Options(NamedTuple):
    """Where a rule may go, and the labels and readings of its patterns that may have an inner text."""

    places: tuple[Place, ...]
    patterns: tuple[tuple[str, Reading], ...] = ()


class _Choices(NamedTuple):
    """The values that one label may have for a rule to match, and the matcher that says so."""

    position: int
    texts: tuple[str, ...]


REST = Place("rest", (), ())


def place(entries: Sequence[Entry], read: Read) -> list[Place]:
    """Return the place of each entry; `read` reads a pattern."""
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    options = [_options(entry.matchers, read, orders) for entry in entries]
    crowds = Counter([(one.kind, one.names, key) for each in options for one in each.places for key in one.keys])
    chosen: list[Place] = []
    crowded: dict[int, tuple[int, list[Place]]] = {}
    for number, each in enumerate(options):
        best, fewest = each.places[0] if each.places else REST, 0
        if each.patterns:
            best, fewest = _best(each.places, crowds)
            if (best is REST or fewest > HUGE) and (inner := _inner(each.patterns)):
                crowded[number] = (fewest, inner)
        chosen.append(best)
    _go_inside(chosen, crowded)
    return chosen


def _best(places: Iterable[Place], crowds: Counter[tuple[Kind, tuple[str, ...], tuple[str, ...]]]) -> tuple[Place, int]:
    """Return the place with the fewest neighbours, and how many those are."""
    best, fewest = REST, 0
    for one in places:
        crowd = max([crowds[one.kind, one.names, key] for key in one.keys])
        if best is REST or crowd < fewest:
            best, fewest = one, crowd
        if one.kind == "exact" and crowd <= FEW:
            break
    return best, fewest


def _go_inside(chosen: list[Place], crowded: dict[int, tuple[int, list[Place]]]) -> None:
    """Move rules of a huge crowd to the rarest three characters of an inner text, where fewer have those."""
    crowds = Counter([(one.names, key) for _, inner in crowded.values() for one in inner for key in one.keys])
    for number, (fewest, inner) in crowded.items():
        crowd, names, key = min([(crowds[one.names, key], one.names, key) for one in inner for key in one.keys])
        if chosen[number] is REST or crowd < fewest:
            chosen[number] = Place("inner", names, (key,))


def _options(matchers: Iterable[Matcher], read: Read, orders: dict[tuple[str, ...], tuple[str, ...]]) -> _Options:
    exact: dict[str, _Choices] = {}
    patterns: list[tuple[str, Reading]] = []
    several = False
    for position, matcher in enumerate(matchers):
        if matcher.op == "=":
            if matcher.value:
                exact.setdefault(matcher.name, _Choices(position, (matcher.value,)))
        elif matcher.op == "=~":
            reading = read(matcher.value)
            if reading.texts is None:
                patterns.append((matcher.name, reading))
            elif "" not in reading.texts:
                several = True
                exact.setdefault(matcher.name, _Choices(position, reading.shape.texts))
    if not patterns and not several and 0 < len(exact) <= MAX_NAMES:
        return _Options((_single(exact, orders),))
    places = [_exact(exact)] if exact else []
    for label, reading in patterns:
        places += _edges(label, reading)
    return _Options(tuple(places), tuple(patterns))


def _single(wanted: dict[str, _Choices], orders: dict[tuple[str, ...], tuple[str, ...]]) -> Place:
    """Compare all labels, of which every one has one value; rules that name the same labels share their order."""
    written = tuple(wanted)
    if (names := orders.get(written)) is None:
        names = orders[written] = tuple(sorted(written, key=lambda name: (name != PIVOT, name)))
    choices = [wanted[name] for name in names]
    return Place("exact", names, (tuple([each.texts[0] for each in choices]),), tuple([each[0] for each in choices]))


def _exact(wanted: dict[str, _Choices]) -> Place:
    """Compare as many labels as one key may hold, those first that accept the fewest values."""
    by_choices = sorted(wanted, key=lambda name: (name != PIVOT, len(wanted[name][1]), name.startswith("__"), name))
    names = by_choices[:1]
    choices = len(wanted[names[0]].texts)
    for name in by_choices[1:MAX_NAMES]:
        if choices * len(wanted[name].texts) <= MAX_CHOICES:
            names.append(name)
            choices *= len(wanted[name].texts)
    names.sort(key=lambda name: (name != PIVOT, name))
    keys = tuple(product(*[wanted[name].texts for name in names]))
    return Place("exact", tuple(names), keys, tuple([wanted[name].position for name in names]))


def _edges(label: str, reading: Reading) -> list[Place]:
    places = []
    if first := beginnings(reading.branches):
        places.append(_edge("beginning", label, first))
    if last := endings(reading.branches):
        places.append(_edge("ending", label, last))
    return places


def _edge(kind: Kind, label: str, texts: frozenset[str]) -> Place:
    """Each length is one look-up for every alert, so very long texts are looked up by a part of them."""
    if max(map(len, texts)) > LONGEST:
        return Place(kind, (label,), tuple((text,) for text in sorted(_cut(kind, texts))))
    return Place(kind, (label,), tuple((text,) for text in sorted(texts)))


def _cut(kind: Kind, texts: frozenset[str]) -> set[str]:
    """Cut to one length, so that no text stands for another one's matches too."""
    length = min(LONGEST, *map(len, texts)) if len(texts) > 1 else LONGEST
    return {text[:length] if kind == "beginning" else text[-length:] for text in texts}


def _inner(patterns: Iterable[tuple[str, Reading]]) -> list[Place]:
    """Return a place for every pattern that has an inner text: each three characters of it are a key."""
    return [
        Place("inner", (label,), tuple([(text[at : at + GRAM],) for at in range(len(text) - GRAM + 1)]))
        for label, reading in patterns
        if len(text := inner_text(reading.branches)) >= GRAM
    ]
