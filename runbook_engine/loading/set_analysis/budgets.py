"""Budgets that do not do what they say: too small for one run, or never reached at all."""

from __future__ import annotations

from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.duration import say_duration


def report_budgets(subject: Subject) -> None:
    """Report a budget below what one run changes, and one that the cooldown makes pointless."""
    rules = subject.runbook.guardrails
    if rules.budget is None:
        return
    changes, limit = len(subject.changing), rules.budget.changes
    window = say_duration(rules.budget.window)
    if changes > limit:
        message = f"one run makes up to {changes} changes, more than its budget of {limit} in {window}"
        hint = f"write changes: {changes} or more: a budget never stops a run half-way, it only counts other runs"
        subject.warn(("guardrails", "budget"), "budget-below-steps", message, hint)
    elif rules.budget.per == "target" and rules.budget.window <= rules.cooldown:
        message = f"this budget never says no: the cooldown leaves a target alone for {say_duration(rules.cooldown)}"
        hint = f"make its window longer than the cooldown, not {window}, or count per service, zone or fleet"
        subject.warn(("guardrails", "budget"), "budget-never-used", message, hint)
