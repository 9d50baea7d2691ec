"""Say, for one alert and one runbook, which conditions hold and what the alert has instead where one does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from runbook_engine.matching.conditions import holds
from runbook_engine.matching.meta import labels_of
from runbook_engine.model.alert import Alert
from runbook_engine.model.matcher import Matcher


class Clause(msgspec.Struct, frozen=True):
    """One matcher judged on one alert; `actual` is None where the alert has no such label."""

    matcher: Matcher
    ok: bool
    actual: str | None


class Explanation(msgspec.Struct, frozen=True):
    """Every clause of a runbook, those that hold and those that do not."""

    clauses: tuple[Clause, ...]

    @property
    def matched(self) -> bool:
        """Whether all clauses hold, so that the index finds the runbook too."""
        return all(clause.ok for clause in self.clauses)


def explain(alert: Alert, matchers: Iterable[Matcher]) -> Explanation:
    """Judge every matcher on the alert."""
    return explain_labels(labels_of(alert), matchers)


def explain_labels(labels: Mapping[str, str], matchers: Iterable[Matcher]) -> Explanation:
    """Judge every matcher on labels that already include the meta labels."""
    return Explanation(
        tuple(
            Clause(matcher, holds(matcher, labels.get(matcher.name, "")), labels.get(matcher.name))
            for matcher in matchers
        )
    )
