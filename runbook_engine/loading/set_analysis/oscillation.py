"""Runbooks that undo each other: one scales up what the other scales down, or both set one thing differently.

That is allowed where it cannot go round: no alert starts both, and each leaves alone what the other changed for at
least as long as the other one still looks whether its change helped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook_engine.loading.set_analysis.clusters import may_meet
from runbook_engine.loading.set_analysis.effects import Setting, Thing, oppose
from runbook_engine.loading.set_analysis.implication import Conjunction
from runbook_engine.loading.set_analysis.owners import Uses
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.duration import say_duration

MOST = 50  # runbooks that set one thing are compared with at most so many of the others


def report_oscillation(uses: Uses, conjunctions: Mapping[str, Conjunction]) -> None:
    """Report each runbook against the first one before it that undoes what it does."""
    for thing, settings in uses.items():
        for position, (subject, setting) in enumerate(settings):
            _report_first(thing, subject, setting, settings[max(0, position - MOST) : position], conjunctions)


def _report_first(
    thing: Thing,
    subject: Subject,
    setting: Setting,
    before: Sequence[tuple[Subject, Setting]],
    conjunctions: Mapping[str, Conjunction],
) -> None:
    for other, theirs in before:
        if other is subject or not oppose(setting, theirs):
            continue
        if not may_meet((subject, setting), (other, theirs), conjunctions):
            continue
        why, hint = _why(subject, setting, other, theirs, conjunctions)
        if why:
            message = f"oscillation of {thing}: this step {setting.says}, {other} {theirs.says}, and {why}"
            subject.warn(("steps", setting.index), "oscillation", message, hint)
            return


def _why(
    subject: Subject, setting: Setting, other: Subject, theirs: Setting, conjunctions: Mapping[str, Conjunction]
) -> tuple[str, str]:
    """Return why two opposite settings may chase each other, and the remedy; empty when they cannot."""
    apart = conjunctions[subject.runbook.name].excludes(conjunctions[other.runbook.name])
    if not (apart or _looks_on(subject, other) or _looks_on(other, subject)):
        return "one alert may start both", "let a matcher tell their alerts apart"
    for runbook, window in ((subject.runbook, theirs.window), (other.runbook, setting.window)):
        cooldown = runbook.guardrails.cooldown
        if cooldown < window:
            short = f"the cooldown of {runbook.name} is {say_duration(cooldown)}"
            still = f"{short}, while the other still looks for {say_duration(window)} whether it helped"
            return still, f"raise guardrails.cooldown to {say_duration(window)} or more"
    return "", ""


def _looks_on(subject: Subject, other: Subject) -> bool:
    """Whether one surely has the mode observe for every alert that starts both."""
    both = Conjunction((*subject.runbook.matchers, *other.runbook.matchers))
    for rule in subject.runbook.mode:
        wanted = Conjunction(rule.matchers)
        if both.implies(wanted):
            return rule.mode == "observe"
        if not both.excludes(wanted):
            return False
    return False
