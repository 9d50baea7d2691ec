"""One side of a comparison: a set of runbooks under a configuration, and what it would plan for an alert.

A plan hangs on few words of an alert, so it is made once for all alerts that share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook_engine.backtest.outline import Outline, outline_of, paths_read
from runbook_engine.guardrails import effective_mode
from runbook_engine.intake.builder import NEVER_REMEDIATED
from runbook_engine.intake.wishes import Matched, wish
from runbook_engine.matching.explain import explain_labels
from runbook_engine.matching.index import Index
from runbook_engine.matching.meta import labels_of
from runbook_engine.matching.placement import Entry
from runbook_engine.model.alert import Alert
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.templating import Templates


class Side:
    """A set of runbooks as it is on one side of a change."""

    def __init__(self, bundle: Bundle) -> None:
        self.configuration = bundle.configuration
        self.runbooks: Mapping[str, Runbook] = {runbook.name: runbook for runbook in bundle.runbooks}
        self._index = Index.build(
            Entry(runbook.name, order, runbook.matchers) for order, runbook in enumerate(bundle.runbooks)
        )
        self._templates = Templates()
        self._words = {runbook.name: _Words(runbook, bundle.configuration) for runbook in bundle.runbooks}
        self._made: dict[tuple[Any, ...], Outline] = {}

    def match(self, alert: Alert) -> tuple[str, ...]:
        """Return the names of the runbooks that an alert asks for."""
        return () if alert.name in NEVER_REMEDIATED else self._index.match(labels_of(alert))

    def outline(self, name: str, alert: Alert) -> Outline:
        """Return what hangs on the alert in the plan of one of them."""
        key = (name, *self._words[name].of(alert))
        if key not in self._made:
            self._made[key] = self._outline(self.runbooks[name], alert)
        return self._made[key]

    def _outline(self, runbook: Runbook, alert: Alert) -> Outline:
        labels = labels_of(alert)

        def holds(rule: ModeRule) -> bool:
            return explain_labels(labels, rule.matchers).matched

        matched = Matched(runbook=runbook, mode=effective_mode(runbook, self.configuration, holds))
        wished = wish(matched, alert, self.configuration, self._templates)
        return outline_of(wished, alert, self.configuration, self._templates)


class _Words:
    """The words of an alert that a runbook's plan hangs on; a template looks labels up by fixed names only."""

    def __init__(self, runbook: Runbook, configuration: Configuration) -> None:
        paths = {path[1:] for path in paths_read(runbook) if path[:1] == ("alert",)}
        rules = (*runbook.mode, *configuration.mode_ceiling)
        by_label = {matcher.name for matcher in _matchers(rules)} | {"cluster"}
        self._labels = tuple(sorted(by_label | {path[1] for path in paths if path[:1] == ("labels",) and path[1:]}))
        self._annotations = tuple(sorted({path[1] for path in paths if path[:1] == ("annotations",) and path[1:]}))
        self._name = ("name",) in paths

    def of(self, alert: Alert) -> tuple[Any, ...]:
        """Return them, so that two alerts with the same words have the same plan."""
        labels, annotations = alert.labels, alert.annotations
        common = (alert.scope, alert.source, alert.severity, alert.status, alert.kind)
        return (
            *common,
            alert.name if self._name else "",
            *[labels.get(name) for name in self._labels],
            *[annotations.get(name) for name in self._annotations],
        )


def _matchers(rules: Iterable[ModeRule]) -> Iterable[Matcher]:
    return (matcher for rule in rules for matcher in rule.matchers)
