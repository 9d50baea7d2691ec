"""`evolve`: the next version of an execution, from what happened. Pure and total over the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from runbook_engine.machine import effects, verification
from runbook_engine.machine.compensation import compensation_of
from runbook_engine.machine.custody import give_back_late
from runbook_engine.machine.ending import UndoScope, close, conclude, hand_over
from runbook_engine.machine.events import (
    Admitted,
    Applied,
    ApplyPutOff,
    Asked,
    BaselineRead,
    Blocked,
    Closed,
    Collected,
    Delivered,
    Event,
    Finished,
    GivenBack,
    Intended,
    Lapsed,
    Merged,
    Observed,
    Paged,
    Planned,
    Prepared,
    PrepareFailed,
    PutOff,
    Queued,
    Required,
    Resolved,
    ResolvePutOff,
    Signalled,
    Skipped,
    TurnedAway,
    Unchanged,
    Undelivered,
    VerificationStarted,
    Verified,
)
from runbook_engine.machine.moves import Pause
from runbook_engine.machine.narration import arrow
from runbook_engine.machine.next_move import unfixed_status
from runbook_engine.machine.notices import announce, delivered, put, tell_owner, undelivered
from runbook_engine.machine.placement import ASK_AGAIN, grouped, next_stage, placed
from runbook_engine.machine.signals import receive
from runbook_engine.model.execution import ApprovalRequest, Execution, FinalStatus
from runbook_engine.model.guardrail import waits_for_turn
from runbook_engine.model.runbook import Runbook

UNREADABLE_FOR = timedelta(seconds=30)  # a signal that cannot be read at the start is asked again for so long


def evolve(execution: Execution, event: Event, runbook: Runbook) -> Execution:
    """Return the execution after the event; the version is given by the commit that stores it."""
    after = _react(execution, event, runbook)
    judged = replace(after, compensation=compensation_of(after, runbook))
    return judged if judged.absorbing else replace(judged, slot_given_up=True)


def rest(execution: Execution, pause: Pause | None, now: datetime) -> Execution:
    """Return the execution as it is stored between drives: its status, when it is due, and nobody's lease."""
    if pause is None:
        status = execution.status if execution.ended else "running"
        return replace(execution, status=status, due_at=now)
    status = execution.status
    if not execution.ended:
        status = "awaiting_approval" if pause.kind == "approval" else "waiting"
    return replace(execution, status=status, due_at=pause.until, lease=None)


def _react(execution: Execution, event: Event, runbook: Runbook) -> Execution:
    match event:
        case Signalled():
            return receive(execution, event.signal, runbook, event.at)
        case Resolved() | ResolvePutOff() | Merged():
            return placed(execution, event, runbook)
        case Queued() | Admitted() | TurnedAway():
            return grouped(execution, event, runbook)
        case Required() | BaselineRead() | Collected() | Planned():
            return _judged_first(execution, event, runbook)
        case Skipped() | Unchanged() | Prepared() | PrepareFailed():
            return _prepared(execution, event, runbook)
        case Asked() | Lapsed():
            return _approval(execution, event, runbook)
        case PutOff() | Blocked():
            return _refused(execution, event, runbook)
        case Intended():
            return effects.intended(execution, event)
        case Applied():
            return effects.applied(execution, event, runbook)
        case ApplyPutOff():
            return effects.put_off(execution, event, runbook)
        case Observed():
            return effects.observed(execution, event, runbook)
        case VerificationStarted():
            checking = verification.begin("final", runbook.verify, event.at, timedelta(0))
            return replace(execution, verification=checking)
        case Verified():
            return _verified(execution, event, runbook)
        case Paged():
            text = f"still not fixed: {execution.waiting_for or execution.reason or 'working on it'}"
            return put(execution, "notFixed", runbook.notify[event.rule].receiver, event.at, text)
        case Delivered():
            return delivered(execution, event.notice_id, event.reference)
        case Undelivered():
            return undelivered(execution, event)
        case Finished():
            return conclude(
                execution, runbook, event.status, event.reason, event.at, event.undo, by_storm=event.by_storm
            )
        case Closed():
            return close(execution, runbook, event.at)
        case GivenBack():
            return give_back_late(execution, runbook, event.at)
        case _:
            assert_never(event)


def _judged_first(
    execution: Execution, event: Required | BaselineRead | Collected | Planned, runbook: Runbook
) -> Execution:
    match event:
        case Required():
            failing = [reading.says for reading in event.readings if reading.ok is False]
            if failing:
                return conclude(execution, runbook, "blocked", "require: " + "; ".join(failing), event.at)
            unread = [reading.says for reading in event.readings if reading.ok is None]
            if unread:
                return _ask_again_or_block(execution, runbook, "require: " + "; ".join(unread), event.at)
            started = announce(execution, runbook, "started", event.at, f"started on {execution.target}")
            return next_stage(started, runbook)
        case Collected():
            return next_stage(replace(execution, evidence=event.evidence), runbook)
        case BaselineRead() if event.value is None:
            return _ask_again_or_block(execution, runbook, f"do-no-harm: {event.says}", event.at)
        case BaselineRead():
            return next_stage(replace(execution, baseline=event.value), runbook)
        case Planned():
            return _planned(execution, event, runbook)


def _ask_again_or_block(execution: Execution, runbook: Runbook, reason: str, at: datetime) -> Execution:
    """What cannot be read says no; a short outage at the start is waited for first."""
    since = execution.first_refused_at or at
    if at - since >= UNREADABLE_FOR:
        return conclude(execution, runbook, "blocked", reason, at)
    return replace(execution, first_refused_at=since, resume_at=at + ASK_AGAIN, waiting_for=reason)


def _planned(execution: Execution, event: Planned, runbook: Runbook) -> Execution:
    plan = event.plan
    execution = replace(execution, plan_hash=plan.plan_hash)
    if execution.mode == "observe":
        would = (
            f"would make {len(plan.changes)} change(s)" if not plan.blocked else f"would be blocked: {plan.blocked[0]}"
        )
        return conclude(execution, runbook, "cancelled", f"mode observe: {would}; nothing was changed", event.at)
    if plan.blocked:
        return conclude(execution, runbook, "blocked", "; ".join(plan.blocked), event.at)
    if not plan.touches:  # nobody is asked whether somebody may be told
        return next_stage(execution, runbook)
    request = ApprovalRequest(
        kind="plan",
        hash=plan.plan_hash,
        by=runbook.owner,
        asked_at=event.at,
        until=execution.deadline_at,
        steps=plan.steps,
    )
    return _approval(execution, Asked(at=event.at, request=request), runbook)


def _prepared(
    execution: Execution, event: Skipped | Unchanged | Prepared | PrepareFailed, runbook: Runbook
) -> Execution:
    step = execution.steps[event.step]
    match event:
        case Skipped():
            return effects.advance(
                effects.with_step(execution, event.step, replace(step, progress="skipped", reason=event.reason))
            )
        case Unchanged():
            return effects.advance(
                effects.with_step(execution, event.step, replace(step, progress="unchanged", reason=event.reason))
            )
        case Prepared():
            ready = replace(
                step,
                progress="prepared",
                change=event.change,
                change_hash=event.change_hash,
                message_only=event.message_only,
                hands_over=event.hands_over,
                before=event.before,
            )
            return effects.with_step(replace(execution, resume_at=None, waiting_for=""), event.step, ready)
        case PrepareFailed() if event.passing:
            return replace(execution, resume_at=event.at + ASK_AGAIN, waiting_for=event.reason)
        case PrepareFailed():
            failed = effects.with_step(execution, event.step, replace(step, progress="failed", reason=event.reason))
            return conclude(failed, runbook, "failed", f"{step.name}: {event.reason}", event.at)


def _approval(execution: Execution, event: Asked | Lapsed, runbook: Runbook) -> Execution:
    if isinstance(event, Asked):
        request = event.request
        asked = replace(execution, approval=request, resume_at=None)
        again = f" (asked again: {request.again_because})" if request.again_because else ""
        changes = "; ".join(arrow(step.change) for step in request.steps if step.change is not None)
        until = f"{request.until.astimezone(UTC):%H:%M:%S} UTC"
        text = f"approval by {request.by} needed until {until} for plan {request.hash[:8]}: {changes}{again}"
        return announce(asked, runbook, "approval", event.at, text)
    request_now = execution.approval
    assert request_now is not None, "only an open question can lapse"
    unanswered = f"nobody of {request_now.by} answered in time"
    if request_now.kind == "plan":
        status: FinalStatus = "handed_over" if execution.mode == "propose" else "unresolved"
        return conclude(execution, runbook, status, unanswered, event.at)
    approval = runbook.steps[request_now.step].approval
    on_timeout = approval.on_timeout if approval is not None else "stop"
    if on_timeout == "next":
        step = replace(execution.steps[request_now.step], progress="skipped", reason=unanswered)
        skipped = effects.with_step(replace(execution, approval=None), request_now.step, step)
        return effects.advance(skipped)
    undo: UndoScope = "all" if on_timeout == "abort" else "nothing"
    return conclude(execution, runbook, unfixed_status(execution), unanswered, event.at, undo)


def _refused(execution: Execution, event: PutOff | Blocked, runbook: Runbook) -> Execution:
    said = "; ".join(verdict.says for verdict in event.verdicts if not verdict.ok)
    judged = replace(execution, verdicts=event.verdicts)
    if isinstance(event, PutOff):
        since = execution.first_refused_at or event.at
        turn = (execution.in_turn_since or event.at) if waits_for_turn(event.verdicts) else None
        put_off = replace(judged, resume_at=event.until, first_refused_at=since, in_turn_since=turn)
        return replace(put_off, waiting_for=said)
    step = replace(judged.steps[event.step], reason=said)
    harmed = any(verdict.guardrail == "doNoHarm" and not verdict.ok for verdict in event.verdicts)
    undo: UndoScope = "all" if harmed else "failure"
    stopped = effects.with_step(judged, event.step, step)
    return conclude(stopped, runbook, "blocked", said, event.at, undo, by_storm=event.by_storm)


def _verified(execution: Execution, event: Verified, runbook: Runbook) -> Execution:
    checking = execution.verification
    assert checking is not None, "a probe belongs to a verification"
    if event.harm is not None and event.harm.ok is False:
        worse = replace(execution, harmed=True)
        return conclude(worse, runbook, "failed", f"do-no-harm: {event.harm.says}", event.at, "all")
    checks = verification.checks_of(execution, runbook)
    after, answer = verification.add_probe(checking, checks, event.readings, event.at)
    execution = replace(execution, verification=after)
    if checking.purpose == "undo":
        return _undo_verified(execution, answer, runbook, event.at)
    if execution.step < len(execution.steps):
        step = replace(execution.steps[execution.step], after=event.readings)
        execution = effects.with_step(execution, execution.step, step)
    said = "; ".join(reading.says for reading in event.readings)
    match answer:
        case "go on":
            return execution
        case "fixed" if checking.purpose == "gate":
            passed = replace(execution, verification=None)
            return effects.after_change(passed, execution.step, runbook, event.at, gated=True)
        case "fixed":
            return conclude(replace(execution, verified=True), runbook, "succeeded", f"verified: {said}", event.at)
        case "cannot tell":
            return conclude(execution, runbook, "unresolved", f"cannot tell whether it is fixed: {said}", event.at)
        case "not fixed" if checking.purpose == "step":
            return effects.advance(execution)
        case "not fixed" if checking.purpose == "gate":
            name = execution.steps[execution.step].name
            return conclude(execution, runbook, "failed", f"{name} did not pass its verification: {said}", event.at)
        case _:
            return conclude(execution, runbook, unfixed_status(execution), f"not fixed: {said}", event.at)


def _undo_verified(execution: Execution, answer: verification.Answer, runbook: Runbook, at: datetime) -> Execution:
    """After an undo: fixed still? Else the change is put back if it ever fixed anything, and a person is told."""
    if answer == "go on":
        return execution
    over = replace(execution, verification=None)
    if answer == "fixed":
        return effects.back_again(over, runbook, at)
    index = _newest_undone(over)
    step = over.steps[index]
    if answer == "cannot tell":
        told = tell_owner(over, runbook, at, f"{step.name} was undone, and verification cannot be read since")
        return effects.back_again(told, runbook, at)
    if over.status == "unresolved":
        said = f"{step.name} was undone and is not made again: it fixed nothing, and verification fails without it too"
        return hand_over(over, runbook, said, at)
    return effects.with_step(over, index, replace(step, put_back=True))


def _newest_undone(execution: Execution) -> int:
    undone = [
        (step.effect.ended_at or step.effect.begun_at, index)
        for index, step in enumerate(execution.steps)
        if step.effect is not None and step.effect.direction == "undo" and step.effect.status == "done"
    ]
    return max(undone)[1]
