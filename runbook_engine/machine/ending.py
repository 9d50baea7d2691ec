"""Ending: how a run stops, what is undone first, and how it is handed to a person."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from runbook_engine.machine.compensation import active_step, unwinding_step
from runbook_engine.machine.notices import announce_end, tell_owner
from runbook_engine.model.execution import Execution, FinalStatus, StepProgress, StepState, Unwind
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.standing import end_of, lowered

UndoScope = Literal["nothing", "failure", "unfinished", "all"]


def conclude(
    execution: Execution,
    runbook: Runbook,
    status: FinalStatus,
    reason: str,
    at: datetime,
    undo: UndoScope = "failure",
    *,
    by_storm: bool = False,
) -> Execution:
    """Return the execution on its way to this end: at once, or after what must be undone first.

    `by_storm`: a storm kept it from changing anything, and the page of the storm tells of its end.
    """
    steps = tuple(_not_tried_again(step, reason) for step in execution.steps)
    doubt = [step.name for step in steps if step.progress == "unknown"]
    if doubt and status != "unknown":
        status, reason = "unknown", f"{reason}; it is not known whether {doubt[0]} happened"
    scope = scope_of(status, undo)
    stopped = replace(
        execution,
        steps=steps,
        verification=None,
        approval=None,
        resume_at=None,
        first_refused_at=None,
        waiting_for="",
        unwind=_decided(execution.unwind, Unwind(scope=scope, status=status, reason=reason)),
        stage="unwinding",
    )
    if active_step(stopped) is not None or unwinding_step(stopped, runbook) is not None:
        return stopped
    return close(stopped, runbook, at, silently=by_storm and not stopped.tried)


def scope_of(status: FinalStatus, undo: UndoScope) -> Literal["nothing", "failure", "all"]:
    """Return what an end undoes: of a sequence that was left unfinished, what is undone when a run fails."""
    if undo == "unfinished":
        return "failure"
    return "nothing" if status in ("succeeded", "unknown") and undo != "all" else undo


def close(execution: Execution, runbook: Runbook, at: datetime, *, silently: bool = False) -> Execution:
    """Return the execution at the end that was decided, with everybody told who wants to hear; or nobody."""
    unwind = execution.unwind
    assert unwind is not None, "an end is decided before it takes effect"
    was_ended = execution.ended
    ended = replace(
        execution,
        status=unwind.status,
        reason=unwind.reason,
        stage="ended",
        unwind=None,
        ended_at=execution.ended_at or at,
        resume_at=None,
    )
    if was_ended or silently:
        return ended
    text = f"{unwind.status.replace('_', ' ')}: {unwind.reason}{say_demotion(ended)}"
    return announce_end(ended, runbook, at, text)


def say_demotion(ended: Execution) -> str:
    """Return what the end means for the runbook, as an addition to what is said of it; empty = nothing."""
    end = end_of(ended)
    if end is None or not end.fault or lowered(ended.mode) == ended.mode:
        return ""
    return f"; its runbook is demoted to {lowered(ended.mode)} until a commit changes it"


def end_silently(execution: Execution, status: FinalStatus, reason: str, at: datetime) -> Execution:
    """Return an execution that has changed nothing at its end; another one tells whoever wants to hear."""
    return replace(
        execution,
        status=status,
        reason=reason,
        stage="ended",
        spoken_for=True,
        ended_at=at,
        resume_at=None,
        first_refused_at=None,
        waiting_for="",
    )


def _decided(earlier: Unwind | None, latest: Unwind) -> Unwind:
    """Return the end that was decided first, and what was to be undone with it; only a doubt is worse news."""
    if earlier is None:
        return latest
    return replace(earlier, status="unknown", reason=latest.reason) if latest.status == "unknown" else earlier


def _not_tried_again(step: StepState, reason: str) -> StepState:
    """Return the step without a change that waits for its next try: a run that is over makes no more of them."""
    effect = step.effect
    if effect is None or effect.status != "retrying" or effect.direction != "do":
        return step
    return given_up(step, reason)


def given_up(step: StepState, because: str) -> StepState:
    """Return the step whose change is not tried again: partly made, in doubt, or surely not made."""
    assert step.effect is not None, "only a change that was begun is given up"
    status: Literal["unknown", "failed"] = "unknown" if step.effect.doubtful else "failed"
    effect = replace(step.effect, status=status, reason=f"not tried again: {because}")
    progress: StepProgress = "changed" if effect.written else status
    kept = progress if effect.direction == "do" else step.progress
    return replace(step, effects=(*step.effects[:-1], effect), progress=kept, reason=effect.reason)


def hand_over(execution: Execution, runbook: Runbook, reason: str, at: datetime) -> Execution:
    """Return an ended execution as a person's: what stands is kept, and nothing of it is undone by itself."""
    kept = tuple(replace(step, released=True) if step.stands else step for step in execution.steps)
    taken = replace(execution, status="handed_over", reason=reason, steps=kept, resume_at=None)
    return tell_owner(taken, runbook, at, f"handed over: {reason}")
