"""Runbooks that come twice: the same matchers and target, or one whose every alert another one answers as well."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from runbook_engine.loading.set_analysis.effects import by_origin, whole_target
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.shelves import Shelves
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import MODES, Input, Step

_NAMES = frozenset({"parameter", "request", "job", "automation"})  # what a step without a target changes, or asks for


def report_duplicates(subjects: Sequence[Subject]) -> None:
    """Report runbooks that start for the same alerts, and change the same target; one that only looks on does not."""
    first: dict[Hashable, Subject] = {}
    for subject in subjects:
        if not (subject.changing and subject.acts):
            continue
        key = (_conditions(subject.runbook.matchers), frozenset(_touched(subject)))
        other = first.setdefault(key, subject)
        if other is not subject:
            message = f"the same matchers and the same target as {other}: each alert starts both"
            subject.warn(("matchers",), "duplicate", message, "make them one runbook, or let a matcher tell them apart")


def report_shadowed(subjects: Sequence[Subject], conjunctions: Mapping[str, Conjunction]) -> None:
    """Report a runbook of which another one does everything for every one of its alerts.

    Only runbooks with the same target and a step in common are compared, and of those only the ones whose matchers
    may meet, so that a thousand runbooks are not a million comparisons.
    """
    alike: dict[Hashable, list[tuple[Subject, Conjunction]]] = defaultdict(list)
    acting = [subject for subject in subjects if subject.changing and subject.acts]
    pairs = [(subject, conjunctions[subject.runbook.name]) for subject in acting]
    possible = [pair for pair in pairs if pair[1].impossible is None]
    for pair in possible:
        for deed in set(_deeds(pair[0])):
            alike[_target(pair[0]), deed].append(pair)
    shelves = {key: Shelves(holders) for key, holders in alike.items()}
    for subject, conjunction in possible:
        for other, theirs in shelves[_target(subject), _deeds(subject)[0]].that_may_hold(conjunction):
            if not _same(subject, other) and _covers(other, subject) and conjunction.implies(theirs):
                _report_shadowed(subject, other)
                break


def _report_shadowed(subject: Subject, other: Subject) -> None:
    message = f"shadowed by {other}: that matches every alert of this one, and does the same to the same target"
    hint = "remove one of them, or let a matcher of the other one leave these alerts out"
    subject.warn(("matchers",), "shadowed", message, hint)


def _conditions(matchers: Sequence[Matcher]) -> frozenset[tuple[str, str, str]]:
    return frozenset((matcher.name, matcher.op, matcher.value) for matcher in matchers)


def _same(one: Subject, other: Subject) -> bool:
    return one is other or _conditions(one.runbook.matchers) == _conditions(other.runbook.matchers)


def _target(subject: Subject) -> tuple[str, ...]:
    return whole_target(subject.runbook.target, subject.runbook.inputs)


def _touched(subject: Subject) -> Iterator[tuple[str, ...]]:
    """Yield the target; where no step acts on it, or it is none, what the steps act on, or name, instead."""
    inputs, whole = subject.runbook.inputs, subject.runbook.target
    if whole.kind != "none" and any(step.target is None for _, step in subject.changing):
        yield whole_target(whole, inputs)
        return
    for _, step in subject.changing:
        target = step.target or subject.runbook.target
        named = [step.action, *(str(step.arguments[name]) for name in sorted(_NAMES & set(step.arguments)))]
        yield (
            whole_target(target, inputs) if target.kind != "none" else tuple(by_origin(each, inputs) for each in named)
        )


def _deeds(subject: Subject) -> tuple[tuple[str, ...], ...]:
    """Return what the changing steps do, whatever they are called."""
    return tuple(_deed(step, subject.runbook.inputs) for _, step in subject.changing)


def _deed(step: Step, inputs: tuple[Input, ...]) -> tuple[str, ...]:
    target = () if step.target is None else whole_target(step.target, inputs)
    arguments = sorted(by_origin(f"{name}={value!r}", inputs) for name, value in step.arguments.items())
    return (step.action, by_origin(repr(step.when), inputs), repr(step.approval), *target, *arguments)


def _covers(other: Subject, subject: Subject) -> bool:
    """Whether one does everything that the other does, in its order, and nothing holds it up that the other ignores."""
    if MODES.index(other.shyest) < MODES.index(subject.boldest) or not _is_as_free(other, subject):
        return False
    deeds, theirs = _deeds(subject), _deeds(other)
    if other.runbook.strategy == "escalate":  # comes to a step only when those before it did not help
        return deeds == theirs[: len(deeds)] and (len(deeds) == 1 or subject.runbook.strategy == "escalate")
    left = iter(theirs)
    return all(deed in left for deed in deeds)


def _is_as_free(other: Subject, subject: Subject) -> bool:
    """Whether one is let through whenever the other is, as far as they say it themselves."""
    mine, theirs = subject.runbook, other.runbook
    required, wanted = (
        {by_origin(repr(check), runbook.inputs) for check in runbook.require} for runbook in (mine, theirs)
    )
    waits = theirs.guardrails.minimum_fault_age > mine.guardrails.minimum_fault_age
    return wanted <= required and not waits and theirs.group in (None, mine.group)
