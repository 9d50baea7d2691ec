"""Decisions: moves that need no look outside, turned into the events that they are."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from runbook_engine.machine.events import Asked, Closed, Event, Finished, GivenBack, Lapsed, Paged, VerificationStarted
from runbook_engine.machine.moves import Ask, Close, Finish, GiveBack, Lapse, Page, StartVerification
from runbook_engine.model.execution import ApprovalRequest, Execution
from runbook_engine.model.plan import PlannedStep
from runbook_engine.model.runbook import Runbook
from runbook_engine.planning import say_compensation

Decision = Ask | Lapse | Page | StartVerification | Finish | Close | GiveBack


def decide(move: Decision, execution: Execution, runbook: Runbook, now: datetime) -> Event:
    """Return the event that a decided move is."""
    match move:
        case Ask():
            return Asked(request=question(execution, runbook, move.step, now), at=now)
        case Lapse():
            return Lapsed(at=now)
        case Page():
            return Paged(rule=move.rule, at=now)
        case StartVerification():
            return VerificationStarted(at=now)
        case Finish():
            return Finished(status=move.status, reason=move.reason, undo=move.undo, at=now)
        case Close():
            return Closed(at=now)
        case GiveBack():
            return GivenBack(at=now)
        case _:
            assert_never(move)


def question(
    execution: Execution, runbook: Runbook, index: int, now: datetime, again_because: str = ""
) -> ApprovalRequest:
    """Return the question that binds one step's change, open until the step's time limit or the deadline."""
    step, state = runbook.steps[index], execution.steps[index]
    approval = step.approval
    planned = PlannedStep(
        name=step.name,
        action=step.action,
        change=state.change,
        change_hash=state.change_hash,
        undo=say_compensation(step.compensate),
    )
    until = execution.deadline_at
    return ApprovalRequest(
        kind="step",
        hash=state.change_hash,
        by=approval.by if approval is not None else runbook.owner,
        asked_at=now,
        until=min(until, now + approval.timeout) if approval is not None else until,
        step=index,
        steps=(planned,),
        again_because=again_because or state.reason,
    )
