"""Storm: every run that opens counts its target; the one too many trips the latch, and pages somebody, once.

A person's word lets what is held go on, the oldest first, as many at a time as the ration has room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from runbook_engine.errors import Conflict
from runbook_engine.intake.draft import Draft
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Intake
from runbook_engine.model.ration import RATION, Held, hold, waits_for_storm
from runbook_engine.model.signal import Signal
from runbook_engine.model.storm import Latch, StormRule, add_opening, held_until, released
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
    if draft.latch.held_since in (None, before.held_since):
        return
    draft.latch = replace(draft.latch, paged=receiver)
    if not receiver:
        return
    text = (
        f"STORM: runs were opened for {draft.latch.reason}. No run changes anything more, what alerts say is recorded. "
        f"Changes go on after {say_duration(rule.calm)} without another one, "
        "or when somebody says: runbook release --reason TEXT. "
        "This page is all that is said of the runs that it keeps from changing anything: runbook shows them"
    )
    draft.page = (receiver, text, now)


def release(journal: Journal, rule: StormRule, *, by: str, reason: str, now: datetime) -> Intake:
    """Return what a person's word changes that lets the storm latch go. Raises Conflict when it holds nothing."""
    return Intake(latch=released(_held_latch(journal, rule, now), by=by, because=reason, now=now))


def find_held(journal: Journal, rule: StormRule, most: int, now: datetime) -> Held:
    """Return what the storm latch holds now. Raises Conflict when it holds nothing."""
    _held_latch(journal, rule, now)
    found = [each for each in journal.executions(limit=most, active_only=True) if waits_for_storm(each)]
    room = rule.ration - journal.changes_within(RATION, now - rule.within, other_than="")
    return hold(found, rule, room=room, now=now)


def wake(journal: Journal, first: Sequence[Execution], *, by: str, reason: str, now: datetime) -> None:
    """Tell those that go on first that they may; the others look for their turn by themselves, every minute."""
    for execution in first:
        journal.signal(execution.id, Signal(kind="released", at=now, by=by, reason=reason, storm=True))


def _held_latch(journal: Journal, rule: StormRule, now: datetime) -> Latch:
    latch = journal.latch()
    if held_until(latch, rule, now) is None:
        raise Conflict("no storm is held, so there is nothing to release")
    return latch
