"""Find the runbooks that could accept every alert of another one, without trying them all.

Whoever accepts every alert of some matchers accepts each value that they list, and begins no later than they do. So
each runbook is filed under its rarest listed value or beginning, and looked up under those of the other one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from runbook_engine.loading.set_analysis.implication import Conjunction

MOST_UNFILED = 50  # runbooks without any value or beginning: of more, only the first are compared
Key = tuple[str, str, str]  # how, label, text
Holder = TypeVar("Holder")


class Shelves(Generic[Holder]):
    """Holders of matchers, each filed where it has the fewest neighbours."""

    def __init__(self, holders: Sequence[tuple[Holder, Conjunction]]) -> None:
        options = [list(_options(conjunction)) for _, conjunction in holders]
        crowds = Counter(key for keys in options for each in keys for key in each)
        self._filed: dict[Key, list[tuple[Holder, Conjunction]]] = defaultdict(list)
        self._unfiled: list[tuple[Holder, Conjunction]] = []
        for holder, keys in zip(holders, options, strict=True):
            rarest = min(keys, key=lambda each: max(crowds[key] for key in each), default=())
            for key in rarest:
                self._filed[key].append(holder)
            if not rarest and len(self._unfiled) < MOST_UNFILED:
                self._unfiled.append(holder)

    def that_may_hold(self, conjunction: Conjunction) -> Iterator[tuple[Holder, Conjunction]]:
        """Yield those that could accept every alert of some matchers."""
        for key in _sought(conjunction):
            yield from self._filed.get(key, ())
        yield from self._unfiled


def _options(conjunction: Conjunction) -> Iterator[tuple[Key, ...]]:
    """Yield, for each label, the keys under one of which every alert of these matchers would be looked up."""
    for label, accepted in conjunction.labels.items():
        if accepted.values:
            yield tuple(("value", label, value) for value in sorted(accepted.values))
        elif accepted.values is None:
            yield from (tuple(("beginning", label, text) for text in sorted(texts)) for texts in accepted.beginnings)


def _sought(conjunction: Conjunction) -> Iterator[Key]:
    for label, accepted in conjunction.labels.items():
        if accepted.values:
            value = min(accepted.values)
            yield "value", label, value
            yield from (("beginning", label, value[:length]) for length in range(1, len(value) + 1))
        elif accepted.values is None:
            firsts = {min(texts) for texts in accepted.beginnings}
            cut = {text[:length] for text in firsts for length in range(1, len(text) + 1)}
            yield from (("beginning", label, text) for text in sorted(cut))
