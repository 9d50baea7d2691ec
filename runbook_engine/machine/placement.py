"""Placement: the stages before the first look at the fault: what the run acts on, and whether its group lets it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.machine.ending import conclude, end_silently
from runbook_engine.machine.events import Admitted, Merged, Queued, Resolved, ResolvePutOff, TurnedAway
from runbook_engine.machine.narration import say_merged
from runbook_engine.machine.opening import gather
from runbook_engine.model.execution import Execution, Stage
from runbook_engine.model.runbook import Runbook

STAGES: tuple[Stage, ...] = ("resolve", "group", "require", "evidence", "baseline", "plan", "steps")
ASK_AGAIN = timedelta(seconds=5)
ASK_AGAIN_AT_MOST = timedelta(minutes=1)
LOOK_AT_GROUP_AT_LEAST_EVERY = timedelta(seconds=15)


def placed(execution: Execution, event: Resolved | ResolvePutOff | Merged, runbook: Runbook) -> Execution:
    """What the run acts on was found, cannot be told yet, or is another run's."""
    match event:
        case Resolved():
            return next_stage(replace(execution, target=event.target, slot=event.slot, placed=True), runbook)
        case ResolvePutOff():
            since = execution.first_refused_at or event.at
            wait = max(ASK_AGAIN, min(event.at - since, ASK_AGAIN_AT_MOST))
            again_at = min(event.at + wait, max(execution.deadline_at, event.at))
            return replace(execution, first_refused_at=since, resume_at=again_at, waiting_for=event.reason)
        case Merged():
            merged = replace(execution, merged_into=event.into)
            return end_silently(merged, "cancelled", say_merged(event), event.at)


def grouped(execution: Execution, event: Queued | Admitted | TurnedAway, runbook: Runbook) -> Execution:
    """The group lets the run act, lets it wait, or keeps it from acting."""
    match event:
        case Queued():
            since = execution.first_refused_at or event.at
            wait = max(ASK_AGAIN, min(event.at - since, LOOK_AT_GROUP_AT_LEAST_EVERY))
            return replace(execution, first_refused_at=since, resume_at=event.at + wait, waiting_for=event.reason)
        case Admitted():
            return next_stage(execution, runbook)
        case TurnedAway() if event.tells:
            return conclude(execution, runbook, "blocked", event.reason, event.at)
        case TurnedAway():
            return end_silently(execution, "blocked", event.reason, event.at)


def next_stage(execution: Execution, runbook: Runbook) -> Execution:
    """Go on to the first stage that this runbook needs."""
    needed: dict[Stage, bool] = {
        "resolve": False,
        "group": bool(execution.group_id),
        "require": True,
        "evidence": bool(runbook.diagnostics),
        "baseline": runbook.do_no_harm is not None,
        "plan": execution.mode != "auto" and not execution.approved,
        "steps": True,
    }
    later = STAGES[STAGES.index(execution.stage) + 1 :]
    stage = next(name for name in later if needed[name])
    going_on = replace(execution, stage=stage, resume_at=None, first_refused_at=None, waiting_for="")
    return gather(going_on) if stage == "group" else going_on
