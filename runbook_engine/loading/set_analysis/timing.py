"""Times that do not fit each other: a run while another still looks, a change held for days, a wait past the end."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.loading.set_analysis.effects import look_of
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.duration import say_duration

LONGEST_HOLD = timedelta(days=1)


def report_timing(subject: Subject) -> None:
    """Report every pair of times of one runbook that contradict each other."""
    _report_cooldown(subject)
    _report_holding(subject)
    _report_fault_age(subject)
    _report_late_notice(subject)


def _report_cooldown(subject: Subject) -> None:
    """Report a cooldown that is over while the change that began it is still being judged."""
    cooldown = subject.runbook.guardrails.cooldown
    looks = [(step.settle + look_of(subject.runbook, step), step) for _, step in subject.changing]
    longest, step = max(looks, key=lambda look: look[0], default=(timedelta(0), None))
    if step is not None and cooldown < longest:
        looked = f'whether "{step.name}" helped is known after up to {say_duration(longest)} (settle and verify)'
        message = f"the cooldown of {say_duration(cooldown)} is over before that: {looked}"
        hint = f"raise it to {say_duration(longest)} or more, so that no second run acts on what is not yet judged"
        subject.warn(("guardrails", "cooldown"), "cooldown-too-short", message, hint)


def _report_holding(subject: Subject) -> None:
    """Report a change that stays so long that nobody remembers it is not the normal state."""
    for index, step in enumerate(subject.runbook.steps):
        held = step.compensate.hold_for
        if step.compensate.when == "resolved" and held > LONGEST_HOLD:
            message = f"the change is kept for {say_duration(held)} after the alerts are over, and until then"
            message = f"{message} this runbook does not act on its target again"
            hint = "hold it for 1d at most, or write compensate: never and change it for good where it is deployed"
            subject.warn(("steps", index, "compensate"), "hold-too-long", message, hint)


def _report_fault_age(subject: Subject) -> None:
    rules = subject.runbook.guardrails
    if rules.minimum_fault_age >= rules.deadline:
        waits = f"nothing is changed before an alert has fired for {say_duration(rules.minimum_fault_age)}"
        message = f"{waits}, and the run ends after {say_duration(rules.deadline)}: it never acts on a fresh alert"
        hint = "lower minimumFaultAge, or raise the deadline"
        subject.warn(("guardrails", "minimumFaultAge"), "fault-age-past-deadline", message, hint)


def _report_late_notice(subject: Subject) -> None:
    deadline = subject.runbook.guardrails.deadline
    for index, rule in enumerate(subject.runbook.notify):
        if rule.after is not None and rule.after >= deadline:
            message = f'"{rule.receiver}" would hear after {say_duration(rule.after)} that it is still being tried'
            message = f"{message}, and every run is over after {say_duration(deadline)}"
            subject.warn(("notify", index, "after"), "notice-past-deadline", message, "lower it, or remove it")
