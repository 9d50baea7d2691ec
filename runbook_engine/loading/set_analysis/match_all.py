"""A runbook for nearly every alert that acts, with nothing that counts how often."""

from __future__ import annotations

from typing import Final

from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.matcher import Matcher

ANYTHING: Final = frozenset({"", ".+", ".*", "(.+)", "(.*)", ".+|", "|.+"})


def report_unguarded_match_all(subject: Subject) -> None:
    """Report match-all in the modes approve and auto without a budget and without a group."""
    runbook = subject.runbook
    bold = any(rule.mode in ("approve", "auto") for rule in runbook.mode)
    if not bold or not subject.changing or not all(map(_is_open, runbook.matchers)):
        return
    if runbook.guardrails.budget is None and runbook.group is None:
        message = f'nearly every alert starts this in mode "{subject.boldest}", and nothing counts how often'
        hint = "name the alerts in a matcher, or add guardrails.budget or group"
        subject.warn(("matchers",), "unguarded-match-all", message, hint)


def _is_open(matcher: Matcher) -> bool:
    return matcher.is_negative or (matcher.is_regex and matcher.value in ANYTHING)
