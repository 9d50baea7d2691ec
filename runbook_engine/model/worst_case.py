"""The longest that a run may take on its way forward, to be held against its deadline.

Undoing is left out: it ignores the deadline. Each action's time limit bounds an effect with all its attempts, and
the waits between attempts come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from runbook_engine.model.check import Check
from runbook_engine.model.runbook import Retry, Runbook, Step

NOTHING = timedelta(0)


def worst_case(runbook: Runbook, time_limit: Callable[[Step], timedelta]) -> timedelta:
    """Return the longest run: every step is taken, every wait lasts as long as it may."""
    gate = _longest(runbook.verify)
    forward = sum((_step(step, time_limit(step)) for step in runbook.steps), NOTHING)
    looks = len(runbook.steps) if runbook.strategy == "escalate" else 1
    return forward + gate * looks


def _step(step: Step, time_limit: timedelta) -> timedelta:
    approval = step.approval.timeout if step.approval else NOTHING
    return approval + time_limit + _backoffs(step.retry) + step.settle + _longest(step.verify)


def _backoffs(retry: Retry) -> timedelta:
    return sum((retry.backoff * (1 << attempt) for attempt in range(retry.attempts - 1)), NOTHING)


def _longest(checks: Sequence[Check]) -> timedelta:
    # A list of checks is looked at together.
    return max((check.timeout for check in checks), default=NOTHING)
