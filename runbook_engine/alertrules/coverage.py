"""Hold alert rules against runbooks: who starts what, which label is missing, and what keeps a runbook out of reach.

Judged with the very conditions that match alerts; an absent label is the empty text. What a rule does not tell counts
as possible, so that nothing is called uncovered or unreachable that may not be.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal

import msgspec

from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.matching.conditions import condition
from runbook_engine.matching.meta import META_LABELS
from runbook_engine.matching.patterns import finite, read_branches
from runbook_engine.matching.regexes import Predicate
from runbook_engine.model.coverage import AlertCoverage, Coverage, MissingLabel, RunbookCoverage
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Runbook

HEARTBEATS: Final = frozenset({"Watchdog", "InfoInhibitor"})  # fire by design, and nobody remedies them
SOURCE: Final = "alertmanager"
PIVOT: Final = "alertname"
Verdict = Literal["yes", "maybe", "no"]


class Sender(msgspec.Struct, frozen=True):
    """What becomes of the rules' alerts on their way in: severities in our words, scopes, labels that are dropped."""

    severities: Callable[[str], Collection[str]]
    scopes: Mapping[str, Sequence[str]] = {}  # with the patterns of runbooks that each may start; empty = any
    dropped: Collection[str] = ()

    def may_start(self, runbook: str) -> bool:
        """Whether a scope lets alerts of Prometheus start a runbook."""
        patterns = [pattern for each in self.scopes.values() for pattern in each]
        return not self.scopes or any(fnmatchcase(runbook, pattern) for pattern in patterns)

    def values(self, rule: AlertRule, label: str) -> Collection[str] | None:
        """Return the values that a label may have when a runbook is matched; None = any."""
        if label not in META_LABELS:
            known = rule.value(label)
            return None if known is None else (known,)
        raw = rule.value("severity")
        meta: dict[str, Collection[str] | None] = {
            "__severity__": None if raw is None else self.severities(raw),
            "__source__": (SOURCE,),
            "__status__": ("firing", "resolved"),
            "__kind__": ("alert",),
            "__scope__": tuple(self.scopes) or None,
        }
        return meta[label]


class _Clause:
    """One matcher of a runbook, ready to be tried."""

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self._test: Predicate = condition(matcher)

    def verdict(self, rule: AlertRule, sender: Sender) -> Verdict:
        values = sender.values(rule, self.matcher.name)
        if values is None:
            return "maybe"
        held = [bool(self._test(value)) for value in values]
        return "yes" if all(held) else "maybe" if any(held) else "no"

    @property
    def wants_the_label(self) -> bool:
        return not self._test("")


class _Candidate:
    """One runbook, ready to be tried."""

    def __init__(self, runbook: Runbook) -> None:
        self.runbook = runbook
        self.clauses = [_Clause(matcher) for matcher in runbook.matchers]

    def verdict(self, rule: AlertRule, sender: Sender) -> Verdict:
        """Return whether the rule's alerts start it."""
        sure: Verdict = "yes"
        for clause in self.clauses:
            verdict = clause.verdict(rule, sender)
            if verdict == "no":
                return "no"
            sure = "maybe" if verdict == "maybe" else sure
        return sure

    def refusals(self, rule: AlertRule, sender: Sender) -> list[_Clause]:
        """Return the clauses that keep the rule's alerts away."""
        return [clause for clause in self.clauses if clause.verdict(rule, sender) == "no"]

    def missing(self, rule: AlertRule) -> Iterator[MissingLabel]:
        """Yield the labels that it needs and the rule does not surely set."""
        for clause in self.clauses:
            name, text = clause.matcher.name, clause.matcher.text
            if clause.wants_the_label and name not in META_LABELS and not rule.gives(name):
                yield MissingLabel(name, self.runbook.name, f"matcher {text}", False)
        for each in self.runbook.inputs:
            label = each.path[2] if each.path[:2] == ("alert", "labels") and len(each.path) == 3 else ""
            if label and each.default is None and not rule.gives(label):
                absent = rule.value(label) == ""
                yield MissingLabel(label, self.runbook.name, f"input {each.name}", absent)


def cover(
    rules: Sequence[AlertRule], runbooks: Sequence[Runbook], sender: Sender, ignored: Collection[str] = ()
) -> Coverage:
    """Return which alerts have a runbook, and which runbooks an alert can reach; the ignored ones may go without."""
    rules = [rule.without(sender.dropped) for rule in rules]
    candidates = [_Candidate(runbook) for runbook in runbooks]
    startable = [candidate for candidate in candidates if sender.may_start(candidate.runbook.name)]
    passed_over = HEARTBEATS | set(ignored)
    started: set[str] = set()
    alerts: list[AlertCoverage] = []
    for rule in rules:
        verdicts = [(candidate, candidate.verdict(rule, sender)) for candidate in startable]
        found = [(candidate, verdict) for candidate, verdict in verdicts if verdict != "no"]
        started |= {candidate.runbook.name for candidate, _ in found}
        alerts.append(_alert(rule, found, rule.name in passed_over))
    return Coverage(tuple(alerts), tuple(_runbook(each, rules, sender, started) for each in candidates))


def _alert(rule: AlertRule, found: Sequence[tuple[_Candidate, Verdict]], ignored: bool) -> AlertCoverage:
    return AlertCoverage(
        name=rule.name,
        file=rule.file,
        line=rule.line,
        severity=rule.severity,
        runbooks=tuple(candidate.runbook.name for candidate, _ in found),
        uncertain=tuple(candidate.runbook.name for candidate, verdict in found if verdict == "maybe"),
        missing=tuple(missing for candidate, _ in found for missing in candidate.missing(rule)),
        ignored=ignored,
    )


def _runbook(
    candidate: _Candidate, rules: Sequence[AlertRule], sender: Sender, started: Collection[str]
) -> RunbookCoverage:
    runbook = candidate.runbook
    reachable = runbook.name in started
    why = "" if reachable else _why(candidate, rules, sender)
    return RunbookCoverage(name=runbook.name, file=runbook.file, line=runbook.line, reachable=reachable, why=why)


def _why(candidate: _Candidate, rules: Sequence[AlertRule], sender: Sender) -> str:
    """Return which rule comes nearest, and the first clause that keeps its alerts away."""
    if not sender.may_start(candidate.runbook.name):
        scopes = ", ".join(f"{name}: {' '.join(patterns)}" for name, patterns in sender.scopes.items())
        return f"no scope that takes alerts of Prometheus may start it ({scopes})"
    if not rules:
        return "there are no alert rules"
    names = [clause for clause in candidate.clauses if clause.matcher.name == PIVOT]
    named = [rule for rule in rules if all(clause.verdict(rule, sender) != "no" for clause in names)]
    alike = named or _alike(names[0].matcher, rules)
    if not alike:
        return f"no rule has a name like {names[0].matcher.text}"
    rule = min(alike, key=lambda each: len(candidate.refusals(each, sender)))
    clause = candidate.refusals(rule, sender)[0].matcher
    place = f"{clause.file}:{clause.line}"
    has = _has(clause.name, sender.values(rule, clause.name) or ())
    return f"the nearest is {rule.name} ({rule.file}:{rule.line}), and {clause.text} ({place}) refuses it: {has}"


def _alike(matcher: Matcher, rules: Sequence[AlertRule]) -> list[AlertRule]:
    """Return the rules whose name may be meant by what is most likely a slip of the pen."""
    wanted = finite(read_branches(matcher.value)) if matcher.is_regex else {matcher.value}
    known = {rule.name for rule in rules}
    near = {name for each in sorted(wanted or ()) for name in difflib.get_close_matches(each, known, n=1, cutoff=0.8)}
    return [rule for rule in rules if rule.name in near]


def _has(label: str, values: Collection[str]) -> str:
    said = " or ".join(f'"{value}"' for value in values if value)
    return f"its {label} is {said}" if said else f"it has no {label}"
