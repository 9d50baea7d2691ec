"""Checks that can never hold: `when`, `require` and `verify` that contradict themselves, or the run that asks them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from math import inf, nextafter

from runbook_engine.loading.set_analysis.subject import Subject, checks_path
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.check import AlertCheck, Check, GitopsCheck, NodeReadyCheck, QueryCheck

_REMEDIES = {
    "when": "remove the step, or correct its when",
    "require": "every run is blocked: correct what is required",
    "verify": "correct what is verified: until then no run can succeed",
}


def report_contradictions(subject: Subject) -> None:
    """Report each list of checks that can never hold."""
    for path, checks in _lists(subject):
        word = str(path[-1])
        index, why = next(_impossible(word, checks), (0, ""))
        if why:
            what = {"when": "this step is never done", "require": "no change is ever made"}
            said = what.get(word, "this never counts as fixed")
            place = checks_path(path, checks, index, subject.findings)
            subject.error(place, f"{word}-never", f"{said}: {why}", _REMEDIES[word])


def _lists(subject: Subject) -> Iterator[tuple[Path, Sequence[Check]]]:
    yield ("require",), subject.runbook.require
    yield ("verify",), subject.runbook.verify
    for index, step in enumerate(subject.runbook.steps):
        yield ("steps", index, "when"), step.when
        yield ("steps", index, "verify"), step.verify


def _impossible(word: str, checks: Sequence[Check]) -> Iterator[tuple[int, str]]:
    """Yield each check that cannot hold together with those before it, and why."""
    told: dict[Hashable, object] = {}
    bounds: dict[Hashable, tuple[float, float]] = defaultdict(lambda: (-inf, inf))
    for index, check in enumerate(checks):
        if why := _against_the_run(word, check):
            yield index, why
        if isinstance(check, QueryCheck):
            key = (check.query, check.source, tuple(sorted(check.where.items())))
            low, high = _within(bounds[key], check)
            bounds[key] = (low, high)
            if low > high:
                yield index, "no number is within all its bounds"
        elif isinstance(check, NodeReadyCheck | GitopsCheck | AlertCheck):
            kind, wanted = _wanted(check)
            if told.setdefault(kind, wanted) != wanted:
                yield index, f"{kind} is wanted both ways"


def _against_the_run(word: str, check: Check) -> str:
    """Return why a check cannot hold while a run asks it; empty = it may."""
    if not isinstance(check, AlertCheck):
        return ""
    if check.state == "resolved" and word in ("when", "require"):
        return "a run changes nothing once every alert is resolved"
    if check.state == "firing" and word == "verify":
        return "it is fixed when the alert is over, and this wants it firing"
    return ""


def _within(bounds: tuple[float, float], check: QueryCheck) -> tuple[float, float]:
    low, high = bounds
    match check.comparison:
        case "below":
            return low, min(high, nextafter(check.value, -inf))
        case "above":
            return max(low, nextafter(check.value, inf)), high
        case "equals":
            return max(low, check.value), min(high, check.value)


def _wanted(check: NodeReadyCheck | GitopsCheck | AlertCheck) -> tuple[str, object]:
    match check:
        case NodeReadyCheck():
            return "nodeReady", check.ready
        case GitopsCheck():
            return "gitops", check.managed
        case AlertCheck():
            return "alert", check.state
