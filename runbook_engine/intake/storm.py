"""Storm: every run that opens counts its target; the one too many trips the latch, and pages somebody, once."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.errors import Conflict
from runbook_engine.intake.draft import Draft
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Intake
from runbook_engine.model.storm import StormRule, add_opening, held_until, released
from runbook_engine.ports import Journal


def count_opening(execution: Execution, draft: Draft, journal: Journal, rule: StormRule, now: datetime) -> None:
    """Draft that a run opens; the one that trips the latch drafts the page as well.

    What only observes touches nothing, and is not counted. A run without a target counts as one of its own: what its
    steps change, nobody knows yet.
    """
    if execution.mode == "observe":
        return
    before = draft.latch or journal.latch()
    target = execution.target
    draft.latch = add_opening(before, rule, execution.slot if target.kind == "none" else target.key, now)
    draft.latch_moved = draft.latch_moved or draft.latch is not before
    receiver = rule.receiver or execution.fallback_receiver
    if draft.latch.held_since in (None, before.held_since) or not receiver:
        return
    text = (
        f"STORM: runs were opened for {draft.latch.reason}. No run changes anything more, what alerts say is recorded. "
        f"Changes go on after {say_duration(rule.calm)} without another one, "
        "or when somebody says: runbook release --reason TEXT"
    )
    draft.page = (receiver, text, now)


def release(journal: Journal, rule: StormRule, *, by: str, reason: str, now: datetime) -> Intake:
    """Return what a person's word changes that lets the storm latch go. Raises Conflict when it holds nothing."""
    latch = journal.latch()
    if held_until(latch, rule, now) is None:
        raise Conflict("no storm is held, so there is nothing to release")
    return Intake(latch=released(latch, by=by, because=reason, now=now))


def held_by_storm(execution: Execution) -> bool:
    """Whether an execution waits for the latch."""
    waits = execution.resume_at is not None and not execution.ended
    return waits and any(verdict.guardrail == "storm" and not verdict.ok for verdict in execution.verdicts)
