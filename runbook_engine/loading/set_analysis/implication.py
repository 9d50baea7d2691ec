"""What matchers prove of each other: one set implies another, excludes it, or can never hold at all.

Only proofs count. Values that can be listed are listed and tried on the very conditions that match alerts; of the
others only equal conditions, refused values, beginnings and endings are understood; everything else proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final

from runbook_engine.matching.conditions import condition
from runbook_engine.matching.patterns import beginnings, endings, finite, read_branches
from runbook_engine.matching.regexes import Predicate
from runbook_engine.model.alert import SEVERITY_NUMBERS
from runbook_engine.model.matcher import Matcher

DOMAINS: Final[Mapping[str, frozenset[str]]] = {
    "__severity__": frozenset(SEVERITY_NUMBERS),
    "__status__": frozenset(("firing", "resolved", "nodata", "suppressed", "unknown")),
    "__kind__": frozenset(("alert", "event", "change", "control")),
}
_BEGINNING = re.compile(r"([-A-Za-z0-9_:/ ]*)\.([*+])")  # a literal text, and then anything in one line


class Accepted:
    """What the matchers of one label accept together; `values` lists it where it can be listed."""

    def __init__(self, label: str, matchers: Sequence[Matcher]) -> None:
        self.matchers = tuple(matchers)
        self._tests: tuple[Predicate, ...] = tuple(condition(matcher) for matcher in matchers)
        self.beginnings = tuple(filter(None, map(_beginnings, matchers)))  # of each pattern that demands one
        self.endings = tuple(filter(None, map(_endings, matchers)))
        listed = [texts for matcher in matchers if (texts := _listed(matcher)) is not None]
        listed += [DOMAINS[label]] if label in DOMAINS else []
        common = reduce(frozenset.intersection, listed) if listed else None
        self.values = None if common is None else frozenset(value for value in common if self.holds(value))

    def holds(self, value: str) -> bool:
        """Whether every matcher holds for a value."""
        return all(test(value) for test in self._tests)

    def excludes(self, other: Accepted) -> bool:
        """Whether it is proven that no value satisfies both."""
        if self.values is not None:
            return not any(other.holds(value) for value in self.values)
        if other.values is not None:
            return not any(self.holds(value) for value in other.values)
        return _refuted(self, other)

    @property
    def never(self) -> bool:
        """Whether no value can satisfy all of them."""
        if self.values is not None:
            return not self.values
        return _refuted(self, self)


class Conjunction:
    """The matchers of one runbook, by label; a label that is absent reads as the empty text."""

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        labels = dict.fromkeys(matcher.name for matcher in matchers)
        self.labels: Mapping[str, Accepted] = {
            label: Accepted(label, [matcher for matcher in matchers if matcher.name == label]) for label in labels
        }

    @property
    def impossible(self) -> str | None:
        """A label whose matchers can never hold together, or None."""
        return next((label for label, accepted in self.labels.items() if accepted.never), None)

    def implies(self, other: Conjunction) -> bool:
        """Whether it is proven that every alert that this accepts is accepted by the other too."""
        return all(_implies(self._accepted(label), wanted) for label, wanted in other.labels.items())

    def excludes(self, other: Conjunction) -> bool:
        """Whether it is proven that no alert is accepted by both."""
        return any(
            accepted.excludes(other.labels[label]) for label, accepted in self.labels.items() if label in other.labels
        )

    def _accepted(self, label: str) -> Accepted | None:
        """Return what is accepted of a label; of a meta label without matchers, every value that it may have."""
        return self.labels.get(label) or (Accepted(label, ()) if label in DOMAINS else None)


def _listed(matcher: Matcher) -> frozenset[str] | None:
    if matcher.op == "=":
        return frozenset([matcher.value])
    return finite(read_branches(matcher.value)) if matcher.op == "=~" else None


def _implies(given: Accepted | None, wanted: Accepted) -> bool:
    if given is None:
        return False
    if given.values is not None:
        return all(wanted.holds(value) for value in given.values)
    return all(_proves(given, matcher) for matcher in wanted.matchers)


def _proves(given: Accepted, wanted: Matcher) -> bool:
    """Whether values that cannot be listed surely satisfy one matcher."""
    if any((matcher.op, matcher.value) == (wanted.op, wanted.value) for matcher in given.matchers):
        return True
    if wanted.is_negative:
        refused = frozenset([wanted.value]) if wanted.op == "!=" else finite(read_branches(wanted.value))
        return refused is not None and not any(given.holds(value) for value in refused)
    return wanted.op == "=~" and any(_begins_within(matcher, wanted) for matcher in given.matchers)


def _begins_within(given: Matcher, wanted: Matcher) -> bool:
    """Whether one beginning is within another: `Foo.+` within `Fo.*`."""
    if given.op != "=~":
        return False
    inner, outer = _BEGINNING.fullmatch(given.value), _BEGINNING.fullmatch(wanted.value)
    if inner is None or outer is None:
        return False
    shortest, least = (len(shape[1]) + (shape[2] == "+") for shape in (inner, outer))
    return inner[1].startswith(outer[1]) and shortest >= least


def _refuted(one: Accepted, other: Accepted) -> bool:
    """Whether values that cannot be listed surely cannot satisfy both: a pattern and its denial, or two beginnings."""
    wanted = [matcher for matcher in (*one.matchers, *other.matchers) if matcher.op == "=~"]
    denied = [matcher for matcher in (*one.matchers, *other.matchers) if matcher.op == "!~"]
    if any(want.value == deny.value or _begins_within(want, deny) for want in wanted for deny in denied):
        return True
    return any(
        _apart(firsts, seconds, str.startswith) for firsts in one.beginnings for seconds in other.beginnings
    ) or (any(_apart(firsts, seconds, str.endswith) for firsts in one.endings for seconds in other.endings))


def _apart(firsts: frozenset[str], seconds: frozenset[str], within: Callable[[str, str], bool]) -> bool:
    return not any(within(first, second) or within(second, first) for first in firsts for second in seconds)


def _beginnings(matcher: Matcher) -> frozenset[str]:
    """Return texts of which every value that satisfies a matcher begins with one; empty = there are none."""
    return beginnings(read_branches(matcher.value)) if matcher.op == "=~" else frozenset()


def _endings(matcher: Matcher) -> frozenset[str]:
    return endings(read_branches(matcher.value)) if matcher.op == "=~" else frozenset()
