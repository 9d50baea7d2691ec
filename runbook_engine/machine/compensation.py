"""Compensation: which of our changes stand, which may be undone now, and the word for it all.

Only what we changed is undone, newest first, and only while it is still ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runbook_engine.model.execution import IN_FLIGHT, Compensation, Effect, Execution, StepState
from runbook_engine.model.runbook import Runbook


def active_step(execution: Execution) -> int | None:
    """Return the index of the step whose change is in flight; there is at most one."""
    for index, step in enumerate(execution.steps):
        if step.effects and step.effects[-1].status in IN_FLIGHT:
            return index
    return None


def unwinding_step(execution: Execution, runbook: Runbook) -> int | None:
    """Return the newest change that the decided end must undo first."""
    unwind = execution.unwind
    if unwind is None or unwind.scope == "nothing":
        return None
    for index in reversed(range(len(execution.steps))):
        when = runbook.steps[index].compensate.when
        wanted = when != "never" if unwind.scope == "all" else when == "onFailure"
        if wanted and _undoable(execution.steps[index]):
            return index
    return None


def next_to_undo(execution: Execution, runbook: Runbook, now: datetime) -> int | None:
    """Return the newest held change whose hold time is over; None while alerts fire or none is due."""
    resolved_at = _resolved_at(execution)
    if resolved_at is None:
        return None
    due = _hold_times(execution, runbook)
    return next((index for index in reversed(due) if resolved_at + due[index] <= now), None)


def undo_time(execution: Execution, runbook: Runbook) -> datetime | None:
    """Return when the first held change is due to be undone, if nothing comes back."""
    resolved_at = _resolved_at(execution)
    if resolved_at is None:
        return None
    return min((resolved_at + hold for hold in _hold_times(execution, runbook).values()), default=None)


def _hold_times(execution: Execution, runbook: Runbook) -> dict[int, timedelta]:
    """Return how long each held change is kept: an older one of the same thing as long as the newer, built on it."""
    holds: dict[int, timedelta] = {}
    longest: dict[tuple[str, str], timedelta] = {}
    for index in reversed(held_steps(execution, runbook)):
        change = execution.steps[index].change
        assert change is not None, "a change that stands was made"
        thing = (change.target.key, change.field)
        holds[index] = longest[thing] = max(runbook.steps[index].compensate.hold_for, longest.get(thing, timedelta(0)))
    return dict(sorted(holds.items()))


def held_steps(execution: Execution, runbook: Runbook) -> tuple[int, ...]:
    """Return the steps whose change stands and is undone once the alerts have resolved."""
    return tuple(
        index
        for index, step in enumerate(execution.steps)
        if step.effects and runbook.steps[index].compensate.when == "resolved" and _undoable(step)
    )


def undoable_steps(execution: Execution, runbook: Runbook) -> tuple[StepState, ...]:
    """Return the steps whose change stands, and which a person may have undone."""
    return tuple(step for step in _standing(execution) if step.name not in _never_undone(runbook))


def final_steps(execution: Execution, runbook: Runbook) -> tuple[StepState, ...]:
    """Return the steps whose change stands, and which nobody can have undone."""
    return tuple(step for step in _standing(execution) if step.name in _never_undone(runbook))


def _standing(execution: Execution) -> tuple[StepState, ...]:
    return tuple(step for step in execution.steps if step.stands)


def _never_undone(runbook: Runbook) -> frozenset[str]:
    return frozenset(step.name for step in runbook.steps if step.compensate.when == "never")


def compensation_of(execution: Execution, runbook: Runbook) -> Compensation:
    """Return the one word for how the undoing stands."""
    begun = [step for step in execution.steps if step.effects]
    newest = [(step, step.effects[-1]) for step in begun]
    undos = [effect for step in begun for effect in step.effects if effect.direction == "undo"]
    verifying = execution.verification is not None and execution.verification.purpose == "undo"
    if verifying or any(_is_being_undone(step, effect) for step, effect in newest):
        return "undoing"
    if any(effect.direction == "undo" and effect.status in ("failed", "unknown") for _, effect in newest):
        return "failed"
    if held_steps(execution, runbook) or (execution.status == "handed_over" and _kept(execution, runbook)):
        return "held"
    if any(effect.status == "superseded" for effect in undos):
        return "superseded"
    return "undone" if any(effect.status == "done" for effect in undos) else "none"


def _is_being_undone(step: StepState, newest: Effect) -> bool:
    """Whether a change is on its way back, or on its way back again after that."""
    return step.put_back or (newest.direction != "do" and newest.status in IN_FLIGHT)


def _kept(execution: Execution, runbook: Runbook) -> bool:
    return any(
        step.stands and runbook.steps[index].compensate.when != "never" for index, step in enumerate(execution.steps)
    )


def _undoable(step: StepState) -> bool:
    return step.stands and not step.released


def _resolved_at(execution: Execution) -> datetime | None:
    if not execution.all_resolved:
        return None
    return max(member.since for member in execution.members)
