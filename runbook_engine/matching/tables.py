"""Tables to look alerts up in: the filed rules by name, and their conditions as tests.

Dense on purpose. What an alert touches of a hundred thousand rules is in no cache, so a look-up costs what it touches:
a bucket is one flat tuple, in which a rule is its name and, before it, the tests that it must still pass; equal tests
are one object; names come in the order of priority, which so need not be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from runbook_engine.matching.conditions import trial_of
from runbook_engine.matching.filing import Bucket, Crowd, Filed, Lengths, Signature

Table = dict[Any, Any]
NewTable = Callable[[], Table]
Tests = tuple[tuple[str, Callable[[Any, str], object], Any], ...]  # label, operation, argument
Rules = tuple[str | Tests, ...]


class Tables(NamedTuple):
    """Where rules are found; every table maps a text, or a tuple of texts, to rules."""

    pivots: tuple[tuple[str, Table], ...]  # label -> value -> rules, or a CrowdTables
    beginnings: tuple[tuple[str, tuple[tuple[int, Table], ...]], ...]  # label -> length -> text -> rules
    endings: tuple[tuple[str, tuple[tuple[int, Table], ...]], ...]
    inner: tuple[tuple[str, Table], ...]  # label -> three characters -> rules
    rest: tuple[tuple[str, Rules], ...]  # label that must be there, or "" -> rules


class CrowdTables(NamedTuple):
    """The rules of a crowd: those found by its value alone, and a table for each set of labels that others compare."""

    direct: Rules
    signatures: tuple[tuple[tuple[str, ...], Table], ...]


def make_tables(filed: Filed, names: Sequence[str], table: NewTable) -> Tables:
    """Return the tables of filed rules, whose names come in their order. Raises MatcherError on a bad pattern."""
    trial = cache(trial_of)
    tests = [tuple([(label, *trial(shape)) for label, shape in conditions]) for conditions in filed.conditions]
    part = [*names, *reversed(tests)].__getitem__  # a negative number counts from the end

    def rules(bucket: Bucket) -> Rules:
        return tuple(map(part, bucket))

    def texts(filed_by: Iterable[tuple[Any, Bucket]]) -> Table:
        made = table()
        made.update([(key, tuple(map(part, bucket))) for key, bucket in filed_by])
        return made

    def crowd(one: Crowd) -> CrowdTables:
        return CrowdTables(rules(one.direct), tuple([(each.names, texts(_keys(each))) for each in one.signatures]))

    def literal(by_label: Mapping[str, Lengths]) -> tuple[tuple[str, tuple[tuple[int, Table], ...]], ...]:
        return tuple(
            (label, tuple((size, texts(filed_by.items())) for size, filed_by in lengths))
            for label, lengths in by_label.items()
        )

    pivots = []
    for pivot in filed.pivots:
        values = texts(pivot.values.items())
        values.update([(one.value, crowd(one)) for one in pivot.crowds])
        pivots.append((pivot.label, values))
    return Tables(
        pivots=tuple(pivots),
        beginnings=literal(filed.beginnings),
        endings=literal(filed.endings),
        inner=tuple((label, texts(grams.items())) for label, grams in filed.inner.items()),
        rest=tuple((label, rules(bucket)) for label, bucket in filed.rest.items()),
    )


def _keys(signature: Signature) -> Iterable[tuple[Any, Bucket]]:
    """A single label is looked up by its value, and no tuple is made for it."""
    if len(signature.names) > 1:
        return signature.rules
    return [(key[0], bucket) for key, bucket in signature.rules]
