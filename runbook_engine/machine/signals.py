"""Signals: how an execution answers what others tell it, at whatever moment it comes."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from runbook_engine.machine.compensation import active_step, unwinding_step
from runbook_engine.machine.custody import give_back, take_custody
from runbook_engine.machine.ending import UndoScope, close, conclude, given_up, hand_over, scope_of
from runbook_engine.machine.notices import tell_owner
from runbook_engine.model.execution import (
    Approved,
    Decided,
    EffectStatus,
    Execution,
    FinalStatus,
    Member,
    MemberState,
    StepProgress,
    StepState,
    Unwind,
)
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal

NO_SUCCESS: frozenset[FinalStatus] = frozenset(("failed", "unknown", "unresolved", "blocked"))
UNDOING, KEEPING = "undoing what was changed", "keeping what was changed"


def receive(execution: Execution, signal: Signal, runbook: Runbook, at: datetime) -> Execution:
    """Return the execution after one signal; every kind is answered in every state."""
    heard = replace(execution, signals_consumed=signal.number)
    match signal.kind:
        case "joined":
            return _joined(heard, signal, runbook, at)
        case "resolved":
            marked = _mark(heard, signal, "resolved")
            return give_back(marked) if marked.all_resolved else marked
        case "expired":
            return _expired(heard, signal, runbook, at)
        case "approved":
            return _approved(heard, signal, at)
        case "denied":
            if heard.approval is None or heard.ended or signal.plan_hash not in ("", heard.approval.hash):
                return heard
            return conclude(heard, runbook, "cancelled", f"denied by {signal.by}{_because(signal)}", at)
        case "cancelled":
            return _stopped(heard, signal, runbook, "cancelled", at)
        case "taken_over":
            return _stopped(heard, signal, runbook, "handed_over", at)
        case "released":
            return _released(heard, signal)
        case _:
            assert_never(signal.kind)


def joined_signal(member: Member) -> Signal:
    """Return the signal by which an alert joins another execution."""
    return Signal(
        kind="joined", at=member.since, alert_key=member.alert_key, episode_id=member.episode_id, name=member.name
    )


def _joined(execution: Execution, signal: Signal, runbook: Runbook, at: datetime) -> Execution:
    if any(member.episode_id == signal.episode_id for member in execution.members):
        return execution
    member = Member(alert_key=signal.alert_key, episode_id=signal.episode_id, name=signal.name, since=signal.at)
    joined = replace(execution, members=(*execution.members, member))
    holding = joined.stage == "ended" and joined.compensation == "held" and joined.status != "handed_over"
    if holding and _comes_back(execution, signal):
        return hand_over(joined, runbook, f"{signal.name} came back within the hold time; our changes are kept", at)
    return joined


def _comes_back(execution: Execution, signal: Signal) -> bool:
    """Whether it fires again after it was over, or while all of them were; one more while they fire just joins."""
    return execution.all_resolved or any(
        member.alert_key == signal.alert_key and member.state != "firing" for member in execution.members
    )


def _released(execution: Execution, signal: Signal) -> Execution:
    """Look again at once at what waits for a guardrail; give back what a person has kept, if it is that they let go."""
    if not execution.ended:
        return replace(execution, resume_at=None)
    return execution if signal.storm else give_back(execution)


def _mark(execution: Execution, signal: Signal, state: MemberState) -> Execution:
    """Mark the episode that the signal names, and those of its alert before it; what began later goes on."""
    named = [index for index, member in enumerate(execution.members) if member.episode_id == signal.episode_id]
    over = execution.members[: named[-1] + 1] if named else execution.members
    marked = tuple(
        replace(member, state=state, since=signal.at)
        if member.alert_key == signal.alert_key and member.state not in (state, "resolved")
        else member
        for member in over
    )
    members = (*marked, *execution.members[len(over) :])
    return replace(execution, members=members)


def _expired(execution: Execution, signal: Signal, runbook: Runbook, at: datetime) -> Execution:
    marked = _mark(execution, signal, "expired")
    if marked.ended and marked.compensation == "held":
        text = f"{signal.name} expired without being resolved: our changes stay until a person decides"
        return tell_owner(marked, runbook, at, text)
    return marked


def _approved(execution: Execution, signal: Signal, at: datetime) -> Execution:
    request = execution.approval
    if request is None or request.hash != signal.plan_hash or signal.at >= request.until:
        return execution
    # A yes to a plan is no yes for another team: its step is asked of it when its turn comes.
    planned = tuple(step.change_hash for step in request.steps if step.approval in ("", request.by))
    hashes = (request.hash,) if request.kind == "step" else planned
    approved = tuple(Approved(change_hash=hash, by=signal.by, at=at) for hash in hashes if hash)
    stage = "steps" if request.kind == "plan" else execution.stage
    return replace(execution, approval=None, approved=(*execution.approved, *approved), stage=stage, resume_at=None)


def _stopped(execution: Execution, signal: Signal, runbook: Runbook, status: FinalStatus, at: datetime) -> Execution:
    verb = "cancelled" if status == "cancelled" else "taken over"
    reason = f"{verb} by {signal.by}{_because(signal)}, {UNDOING if signal.undo else KEEPING}"
    unwinding = execution.stage == "unwinding"
    open_to_word = execution.absorbing or unwinding or execution.compensation == "failed"
    if not open_to_word and not (signal.undo and _anything_left(execution, runbook)):
        return execution
    scope: UndoScope = "all" if signal.undo else "nothing"
    settled = take_custody(_let_go(execution, undo=signal.undo), signal, at)
    if status == "handed_over":
        settled = replace(settled, decided=_came_to(settled))
    if not settled.ended:
        return conclude(_redecided(settled, status, reason, scope), runbook, status, reason, at, undo=scope)
    final = settled.status if status == "cancelled" else status
    if status == "handed_over" and settled.decided is not None:
        reason = f"{settled.decided.reason}; {reason}"
    if not signal.undo and not unwinding:
        return replace(settled, status=final, reason=reason, verification=None, resume_at=None)
    unwind = Unwind(scope=scope, status=final, reason=reason)  # type: ignore[arg-type]  # ended: a final status
    stopped = replace(settled, stage="unwinding", unwind=unwind, verification=None, resume_at=None)
    if active_step(stopped) is None and unwinding_step(stopped, runbook) is None:
        return close(stopped, runbook, at)
    return stopped


def _came_to(execution: Execution) -> Decided | None:
    """Return what a run had come to by itself when a person took it over, unless that was a success."""
    if execution.decided is not None:
        return execution.decided
    unwind = execution.unwind
    if execution.ended:
        status, reason = execution.status, execution.reason
    elif unwind is not None:
        status, reason = unwind.status, unwind.reason
    else:
        return None
    return Decided(status=status, reason=reason) if status in NO_SUCCESS else None


def _redecided(execution: Execution, status: FinalStatus, reason: str, undo: UndoScope) -> Execution:
    """Let a person's word about the undoing, or that they have it, count over an end that was decided before."""
    unwind, scope = execution.unwind, scope_of(status, undo)
    if unwind is None:
        return execution
    if status == "handed_over" and unwind.status != "unknown":
        return replace(execution, unwind=Unwind(scope=scope, status=status, reason=f"{unwind.reason}; {reason}"))
    return replace(execution, unwind=replace(unwind, scope=scope))


def _anything_left(execution: Execution, runbook: Runbook) -> bool:
    """Whether something of ours still stands that a person may have undone."""
    asked = replace(execution, unwind=Unwind(scope="all", status="cancelled", reason=""))
    return active_step(execution) is not None or unwinding_step(_let_go(asked, undo=True), runbook) is not None


def _let_go(execution: Execution, *, undo: bool) -> Execution:
    """Stop waiting for rollouts, and say of every change that stands whether it may still be undone."""
    return replace(execution, steps=tuple(_let_go_step(step, undo=undo) for step in execution.steps))


def _let_go_step(step: StepState, *, undo: bool) -> StepState:
    effect = step.effect
    if effect is not None and effect.status == "applied":
        step = _with_newest(step, status="done", reason="not waited for: a person stopped the run")
    elif effect is not None and effect.status == "retrying":
        step = given_up(step, "a person stopped the run")
    return replace(step, released=not undo, put_back=False) if step.stands else replace(step, put_back=False)


def _with_newest(step: StepState, *, status: EffectStatus, reason: str) -> StepState:
    assert step.effect is not None
    newest = replace(step.effect, status=status, reason=reason)
    progress: StepProgress = "changed" if newest.direction == "do" else step.progress
    return replace(step, effects=(*step.effects[:-1], newest), progress=progress)


def _because(signal: Signal) -> str:
    return f" ({signal.reason})" if signal.reason else ""
