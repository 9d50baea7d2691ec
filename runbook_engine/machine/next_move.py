"""`next_move`: what an execution wants next. Total: every state has exactly one answer.

The order is the promise: finish what is in flight, obey an end that was decided, obey the deadline, and only
then go on. Telling people comes last, when there is nothing to do but wait, so that a slow receiver never
delays a change.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from runbook_engine.machine.compensation import active_step, next_to_undo, undo_time, unwinding_step
from runbook_engine.machine.moves import (
    Apply,
    Ask,
    AwaitGroup,
    Begin,
    Close,
    Collect,
    Finish,
    GiveBack,
    Lapse,
    LeaveGroup,
    Move,
    Notify,
    Observe,
    Page,
    Pause,
    Prepare,
    Propose,
    ReadBaseline,
    Require,
    Resolve,
    StartVerification,
    Verify,
)
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution, FinalStatus
from runbook_engine.model.runbook import Runbook


def next_move(execution: Execution, runbook: Runbook, now: datetime) -> Move | Pause:
    """Return the next move, or the pause until there is one."""
    page = _due_page(execution, runbook, now)
    if page is not None:
        return Page(page)
    wanted = _next_work(execution, runbook, now)
    if not isinstance(wanted, Pause):
        return wanted
    for notice in execution.outbox:
        if notice.not_before <= now:
            return Notify(notice.id)
    return _earliest(wanted, execution, runbook)


def _next_work(execution: Execution, runbook: Runbook, now: datetime) -> Move | Pause:
    in_flight = active_step(execution)
    if in_flight is not None:
        return _not_wanted_now(execution, runbook, in_flight) or _effect_move(execution, in_flight, now)
    if execution.verification is not None:
        not_before = execution.verification.not_before
        if execution.stage == "steps" and now >= execution.deadline_at:
            return _deadline(execution, runbook)
        return Verify() if now >= not_before else Pause(kind="wait", until=not_before, reason="verifying")
    match execution.stage:
        case "ended":
            return _after_the_end(execution, runbook, now)
        case "unwinding":
            step = unwinding_step(execution, runbook)
            return Close() if step is None else _when_allowed(execution, now, Begin(step, "undo"))
        case "resolve" | "group" | "require" | "evidence" | "baseline" | "plan" | "steps":
            return _before_the_end(execution, runbook, now)
        case _:
            assert_never(execution.stage)


def _before_the_end(execution: Execution, runbook: Runbook, now: datetime) -> Move | Pause:
    if execution.all_resolved:
        return _resolved(execution, runbook)
    if now >= execution.deadline_at and execution.approval is None:
        end = _deadline(execution, runbook)
        return LeaveGroup(end.reason) if execution.group_id and execution.stage in ("resolve", "group") else end
    if execution.approval is not None:
        if now >= execution.approval.until:
            return Lapse()
        return Pause(kind="approval", until=execution.approval.until, reason=f"approval by {execution.approval.by}")
    return _when_allowed(execution, now, _stage_move(execution, runbook))


def _resolved(execution: Execution, runbook: Runbook) -> Finish:
    """Return the end of a run that nobody needs any more; a sequence that is left in the middle leaves nothing half."""
    if execution.changed and runbook.strategy == "sequence" and execution.step < len(execution.steps):
        left = execution.steps[execution.step].name
        return Finish("succeeded", f"every alert resolved before {left} was done", "unfinished")
    if execution.changed:
        return Finish("succeeded", "every alert resolved")
    return Finish("cancelled", "every alert resolved before anything was changed")


def _not_wanted_now(execution: Execution, runbook: Runbook, index: int) -> Finish | None:
    """Return the end of a run whose change waits for another try, and is not wanted any more."""
    effect = execution.steps[index].effect
    if effect is None or effect.status != "retrying" or effect.direction != "do":
        return None
    if execution.unwind is not None:
        return Finish(execution.unwind.status, execution.unwind.reason, execution.unwind.scope)
    if effect.written or effect.doubtful:
        return None
    return _resolved(execution, runbook) if execution.all_resolved else None


def _stage_move(execution: Execution, runbook: Runbook) -> Move:
    match execution.stage:
        case "resolve":
            return Resolve()
        case "group":
            return AwaitGroup()
        case "require":
            return Require()
        case "evidence":
            return Collect()
        case "baseline":
            return ReadBaseline()
        case "plan":
            return Propose()
        case _:
            return _step_move(execution, runbook)


def _step_move(execution: Execution, runbook: Runbook) -> Move:
    if execution.step >= len(execution.steps):
        return _after_the_steps(execution, runbook)
    state = execution.steps[execution.step]
    if state.progress != "prepared":
        return Prepare(execution.step)
    if _needs_approval(execution, runbook) and not _approved(execution):
        return Ask(execution.step)
    return Begin(execution.step, "do")


def _after_the_steps(execution: Execution, runbook: Runbook) -> Move:
    if not runbook.verify:
        return Finish("succeeded", "every step is done")
    if runbook.strategy == "sequence" or not execution.changed:
        return StartVerification()
    return Finish(unfixed_status(execution), "every step was tried and verification still does not pass")


def unfixed_status(execution: Execution) -> FinalStatus:
    """Return the end of a run that did not fix it: somebody has it when a ticket was made."""
    if any(step.hands_over and step.progress == "changed" for step in execution.steps):
        return "handed_over"
    return "unresolved"


def _needs_approval(execution: Execution, runbook: Runbook) -> bool:
    state = execution.steps[execution.step]
    if state.message_only:
        return False
    if state.change is not None and state.change.asks:
        return True
    return execution.mode != "auto" or runbook.steps[execution.step].approval is not None


def _approved(execution: Execution) -> bool:
    wanted = execution.steps[execution.step].change_hash
    return any(approved.change_hash == wanted for approved in execution.approved)


def _effect_move(execution: Execution, index: int, now: datetime) -> Move | Pause:
    effect = execution.steps[index].effect
    assert effect is not None
    if effect.not_before is not None and now < effect.not_before:
        return Pause(kind="wait", until=effect.not_before, reason=effect.reason or "the change is on its way")
    match effect.status:
        case "intended":
            return Apply(index)
        case "retrying":
            return _when_allowed(execution, now, Begin(index, effect.direction))
        case _:
            return Observe(index)


def _after_the_end(execution: Execution, runbook: Runbook, now: datetime) -> Move | Pause:
    for index, state in enumerate(execution.steps):
        if state.put_back:
            return _when_allowed(execution, now, Begin(index, "redo"))
    if execution.kept_until is not None:
        kept = Pause(kind="done", until=execution.kept_until, reason=execution.reason)
        return GiveBack() if now >= execution.kept_until else kept
    if execution.compensation != "held" or execution.status == "handed_over":
        return Pause(kind="done", reason=execution.reason)
    if not execution.all_resolved:
        return Pause(kind="wait", reason="undone once every alert is resolved")
    step = next_to_undo(execution, runbook, now)
    if step is not None:
        return _when_allowed(execution, now, Begin(step, "undo"))
    return Pause(kind="wait", until=undo_time(execution, runbook), reason="holding the change")


def _when_allowed(execution: Execution, now: datetime, move: Move) -> Move | Pause:
    if execution.resume_at is not None and now < execution.resume_at:
        return Pause(kind="wait", until=execution.resume_at, reason=execution.waiting_for)
    return move


def _deadline(execution: Execution, runbook: Runbook) -> Finish:
    sentence = f"the deadline of {say_duration(runbook.guardrails.deadline)} has passed"
    if execution.changed:
        return Finish("unresolved", sentence)
    waited = f", waiting for {execution.waiting_for}" if execution.waiting_for else ""
    return Finish("blocked", sentence + waited)


def _due_page(execution: Execution, runbook: Runbook, now: datetime) -> int | None:
    for index, rule in enumerate(runbook.notify):
        if rule.after is None or execution.ended or f"notFixed:{rule.receiver}" in execution.announced:
            continue
        if "notFixed" in rule.events and now >= execution.opened_at + rule.after:
            return index
    return None


def _earliest(pause: Pause, execution: Execution, runbook: Runbook) -> Pause:
    """Shorten a pause to the next notice, page or deadline. `done` with notices to deliver is a wait."""
    instants = [pause.until] if pause.until is not None else []
    instants += [notice.not_before for notice in execution.outbox]
    if not execution.ended:
        instants += [
            execution.opened_at + rule.after
            for rule in runbook.notify
            if rule.after is not None
            and "notFixed" in rule.events
            and f"notFixed:{rule.receiver}" not in execution.announced
        ]
        if execution.stage != "unwinding" and active_step(execution) is None and execution.approval is None:
            instants.append(execution.deadline_at)
    until = min(instants, default=None)
    kind = "wait" if pause.kind == "done" and until is not None else pause.kind
    return Pause(kind=kind, until=until, reason=pause.reason)
