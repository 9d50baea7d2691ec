"""Decide under which key each rule is filed, so that no alert has to try many rules.

A rule can be found by the exact values that it wants, or by a literal text that one of its patterns needs. Neither is
always the better one: thousands of rules may want `severity = critical`, and thousands may begin with `ip-10-`. So
the keys of all rules are counted first, and each rule goes where it has the fewest neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Literal, NamedTuple

import msgspec

from runbook_engine.matching.patterns import MAX_CHOICES, beginnings, endings, finite, inner_text, read_branches
from runbook_engine.model.matcher import Matcher

PIVOT = "alertname"
GRAM = 3  # characters of an inner text that are looked up
MAX_NAMES = 4  # labels compared by one exact key
LONGEST = 32  # characters of a beginning or an ending that are looked up
CROWD = 2  # an exact key with at most so many rules needs no better place

Kind = Literal["exact", "beginning", "ending", "inner", "rest"]


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


REST = Place("rest", (), ())


def place(entries: Sequence[Entry]) -> list[Place]:
    """Return the place of each entry."""
    possible = [_possible(entry.matchers) for entry in entries]
    crowds: Counter[tuple[Kind, tuple[str, ...], tuple[str, ...]]] = Counter(
        (option.kind, option.names, key) for options in possible for option in options for key in option.keys
    )
    return [_best(options, crowds) for options in possible]


def _best(options: Sequence[Place], crowds: Counter[tuple[Kind, tuple[str, ...], tuple[str, ...]]]) -> Place:
    best, fewest = REST, 0
    for option in options:
        counts = [crowds[option.kind, option.names, key] for key in option.keys]
        if option.kind == "inner":  # any one of its keys finds it
            fewest_here = min(counts)
            option = option._replace(keys=(option.keys[counts.index(fewest_here)],))
        else:
            fewest_here = max(counts)
        if option.kind == "exact" and fewest_here <= CROWD:
            return option
        if best is REST or fewest_here < fewest:
            best, fewest = option, fewest_here
    return best


def _possible(matchers: Iterable[Matcher]) -> list[Place]:
    exact: dict[str, tuple[int, frozenset[str]]] = {}
    literal: list[Place] = []
    for position, matcher in enumerate(matchers):
        if matcher.op == "=" and matcher.value:
            exact.setdefault(matcher.name, (position, frozenset([matcher.value])))
        elif matcher.op == "=~":
            branches = read_branches(matcher.value)
            texts = finite(branches)
            if texts is None:
                literal += _literal(matcher.name, beginnings(branches), endings(branches), inner_text(branches))
            elif "" not in texts:
                exact.setdefault(matcher.name, (position, texts))
    return [_exact(exact), *literal] if exact else literal


def _exact(wanted: dict[str, tuple[int, frozenset[str]]]) -> Place:
    """Compare as many labels as one key may hold, those first that accept the fewest values."""
    if len(wanted) == 1:
        [(name, (position, texts))] = wanted.items()
        return Place("exact", (name,), tuple([(text,) for text in sorted(texts)]), (position,))
    by_choices = sorted(wanted, key=lambda name: (name != PIVOT, len(wanted[name][1]), name.startswith("__"), name))
    names = by_choices[:1]
    choices = len(wanted[names[0]][1])
    for name in by_choices[1:MAX_NAMES]:
        if choices * len(wanted[name][1]) <= MAX_CHOICES:
            names.append(name)
            choices *= len(wanted[name][1])
    names.sort(key=lambda name: (name != PIVOT, name))
    keys = tuple(product(*[sorted(wanted[name][1]) for name in names]))
    return Place("exact", tuple(names), keys, tuple([wanted[name][0] for name in names]))


def _edge(kind: Kind, label: str, texts: frozenset[str]) -> Place:
    """Each length is one look-up for every alert, so very long texts are looked up by a part of them."""
    if max(map(len, texts)) > LONGEST:
        return Place(kind, (label,), tuple((text,) for text in sorted(_cut(kind, texts))))
    return Place(kind, (label,), tuple((text,) for text in sorted(texts)))


def _cut(kind: Kind, texts: frozenset[str]) -> set[str]:
    """Cut to one length, so that no text stands for another one's matches too."""
    length = min(LONGEST, *map(len, texts)) if len(texts) > 1 else LONGEST
    return {text[:length] if kind == "beginning" else text[-length:] for text in texts}


def _literal(label: str, first: frozenset[str], last: frozenset[str], inner: str) -> list[Place]:
    places = []
    if first:
        places.append(_edge("beginning", label, first))
    if last:
        places.append(_edge("ending", label, last))
    if len(inner) >= GRAM:
        grams = {inner[start : start + GRAM] for start in range(len(inner) - GRAM + 1)}
        places.append(Place("inner", (label,), tuple((gram,) for gram in sorted(grams))))
    return places
