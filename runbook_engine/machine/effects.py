"""Effects: one change's way from intent to outcome, in any direction, and what each outcome means for the run."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.machine import verification
from runbook_engine.machine.compensation import compensation_of
from runbook_engine.machine.ending import conclude, hand_over, say_demotion
from runbook_engine.machine.events import Applied, ApplyPutOff, Intended, Observed
from runbook_engine.machine.narration import show
from runbook_engine.machine.notices import announce, tell_owner
from runbook_engine.model.execution import Effect, Execution, StepState
from runbook_engine.model.runbook import Runbook

MOST_CONFLICTS = 3
LONGEST_BACKOFF = timedelta(minutes=5)
SOON = timedelta(milliseconds=500)  # after which a change is looked at first
LONGEST_WAIT = timedelta(hours=1)  # whatever the other side asks for


def intended(execution: Execution, event: Intended) -> Execution:
    """The intent, new or for one more attempt of the same change."""
    step = execution.steps[event.step]
    earlier = step.effect if step.effect is not None and step.effect.status == "retrying" else None
    effect = Effect(
        direction=event.direction,
        change=event.change,
        key=event.key,
        status="intended",
        attempt=earlier.attempt + 1 if earlier else 1,
        written=earlier.written if earlier else False,
        doubtful=earlier.doubtful if earlier else False,
        receipt=earlier.receipt if earlier else {},
        begun_at=earlier.begun_at if earlier else event.at,
        deadline=earlier.deadline if earlier else event.deadline,
    )
    kept = step.effects[:-1] if earlier else step.effects
    progress = "changing" if event.direction == "do" else step.progress
    changed = replace(step, effects=(*kept, effect), progress=progress, put_back=False)
    if event.direction == "do":
        changed = replace(changed, change=event.change)
    cleared = replace(execution, verdicts=event.verdicts, resume_at=None, first_refused_at=None, waiting_for="")
    return with_step(cleared, event.step, changed)


def applied(execution: Execution, event: Applied, runbook: Runbook) -> Execution:
    """One call of `apply` came back."""
    outcome, at = event.outcome, event.at
    effect = _newest(execution, event.step)
    ours = event.resumed or effect.doubtful or effect.written or effect.direction != "do"
    match outcome.status:
        case "done":
            receipt = {**effect.receipt, **outcome.receipt}
            return _set(execution, event.step, replace(effect, status="applied", written=True, receipt=receipt))
        case "noop" if ours:
            return _set(execution, event.step, replace(effect, status="applied", written=True, reason=outcome.reason))
        case "noop":
            step = execution.steps[event.step]
            gone = replace(step, effects=step.effects[:-1], progress="unchanged", reason=outcome.reason)
            return advance(with_step(execution, event.step, gone))
        case "partial" if at >= effect.deadline:
            written = _set(execution, event.step, replace(effect, written=True))
            return _failed(written, event.step, f"did not finish in time: {outcome.reason}", runbook, at)
        case "partial":
            receipt = {**effect.receipt, **outcome.receipt}
            batch = replace(
                effect, status="retrying", written=True, attempt=0, receipt=receipt, reason=outcome.reason,
                not_before=at + (outcome.after or timedelta(0)),
            )  # fmt: skip
            return _set(execution, event.step, batch)
        case "conflict" | "failed" if (event.resumed or effect.doubtful) and not event.absent:
            # an earlier call may have done it, so a refusal of this one proves nothing
            return _unknown(execution, event.step, outcome.reason, runbook, at)
        case "conflict":
            return _conflict(execution, event, runbook)
        case "failed":
            return _failed(execution, event.step, outcome.reason, runbook, at)
        case "unknown":
            return _unknown(execution, event.step, outcome.reason, runbook, at)


def put_off(execution: Execution, event: ApplyPutOff, runbook: Runbook) -> Execution:
    """The call is to be made again, or looked for first; past the last attempt it has failed or is in doubt."""
    newest = _newest(execution, event.step)
    in_doubt = event.look_first or ((newest.doubtful or event.resumed) and not event.absent)
    effect = replace(newest, doubtful=in_doubt)
    retry = runbook.steps[event.step].retry
    if effect.attempt >= retry.attempts:
        reason = f"{event.reason} (attempt {effect.attempt} of {retry.attempts})"
        if effect.doubtful:
            return _unknown(execution, event.step, reason, runbook, event.at)
        return _failed(execution, event.step, reason, runbook, event.at)
    backoff = min(LONGEST_BACKOFF, retry.backoff * 2 ** max(0, effect.attempt - 1))
    again_at = event.at + min(event.after or backoff, LONGEST_WAIT)
    if effect.direction == "do":
        again_at = min(again_at, max(execution.deadline_at, event.at))  # at the deadline, the guardrail ends it
    waiting = replace(effect, reason=event.reason, not_before=again_at)
    if event.look_first:
        return _set(execution, event.step, replace(waiting, attempt=effect.attempt + 1))
    return _set(execution, event.step, replace(waiting, status="retrying"))


def observed(execution: Execution, event: Observed, runbook: Runbook) -> Execution:
    """One look at an applied change."""
    progress, at = event.progress, event.at
    effect = _newest(execution, event.step)
    match progress.status:
        case "progressing" if at < effect.deadline:
            wait = min(progress.wait, max(SOON, at - effect.begun_at))  # what is quick is seen quickly
            waiting = replace(effect, reason=progress.reason, not_before=min(at + wait, effect.deadline))
            return _set(execution, event.step, waiting)
        case "progressing":
            reason = f"did not finish in time: {progress.reason}"
            return _failed(execution, event.step, reason, runbook, at)
        case "done":
            return _done(execution, event.step, progress.reason, runbook, at)
        case "failed":
            return _failed(execution, event.step, progress.reason, runbook, at)
        case "superseded" | "absent":
            return _superseded(execution, event.step, progress.reason, runbook, at)


def advance(execution: Execution, not_before: datetime | None = None) -> Execution:
    """Go to the next step."""
    return replace(execution, step=execution.step + 1, verification=None, resume_at=not_before, waiting_for="")


def with_step(execution: Execution, index: int, step: StepState) -> Execution:
    """Return the execution with one step replaced."""
    return replace(execution, steps=(*execution.steps[:index], step, *execution.steps[index + 1 :]))


def _done(execution: Execution, index: int, reason: str, runbook: Runbook, at: datetime) -> Execution:
    effect = _newest(execution, index)
    execution = _set(execution, index, replace(effect, status="done", reason=reason, not_before=None, ended_at=at))
    step = execution.steps[index]
    said = f"{step.name}: {_arrow(effect)}"
    if effect.direction == "undo":
        execution = announce(execution, runbook, "changed", at, f"undone: {said}")
        if execution.stage == "ended" and runbook.verify and not step.released:
            checking = verification.begin("undo", runbook.verify, at, runbook.steps[index].settle)
            return replace(execution, verification=checking)
        return back_again(execution, runbook, at)
    if effect.direction == "redo":
        reason = f"{step.name} was made again, since verification failed after it was undone"
        return hand_over(execution, runbook, reason, at)
    execution = with_step(execution, index, replace(step, progress="changed", reason=reason))
    if step.message_only:
        return advance(execution)
    execution = announce(execution, runbook, "changed", at, said)
    return replace(execution, stage="unwinding") if execution.unwind else after_change(execution, index, runbook, at)


def after_change(execution: Execution, index: int, runbook: Runbook, at: datetime, *, gated: bool = False) -> Execution:
    """Let a made change settle, then verify it as the strategy says, or go on."""
    step = runbook.steps[index]
    settle = timedelta(0) if gated else step.settle
    if step.verify and not gated:
        return replace(execution, verification=verification.begin("gate", step.verify, at, settle))
    if runbook.strategy == "escalate" and runbook.verify:
        return replace(execution, verification=verification.begin("step", runbook.verify, at, settle))
    return advance(execution, at + settle if settle else None)


def _failed(execution: Execution, index: int, reason: str, runbook: Runbook, at: datetime) -> Execution:
    effect = _newest(execution, index)
    execution = _set(execution, index, replace(effect, status="failed", reason=reason, ended_at=at))
    step = execution.steps[index]
    if effect.direction == "do":
        execution = with_step(execution, index, replace(step, progress="failed", reason=reason))
        return conclude(execution, runbook, "failed", f"{step.name} failed: {reason}", at)
    return _not_undone(execution, index, reason, runbook, at)


def _unknown(execution: Execution, index: int, reason: str, runbook: Runbook, at: datetime) -> Execution:
    effect = _newest(execution, index)
    execution = _set(execution, index, replace(effect, status="unknown", reason=reason, ended_at=at))
    step = execution.steps[index]
    if effect.direction == "do":
        execution = with_step(execution, index, replace(step, progress="unknown", reason=reason))
        said = f"{step.name}: it is not known whether {_arrow(effect)} happened: {reason}"
        return conclude(execution, runbook, "unknown", said, at)
    return _not_undone(execution, index, reason, runbook, at)


def _superseded(execution: Execution, index: int, reason: str, runbook: Runbook, at: datetime) -> Execution:
    effect = _newest(execution, index)
    execution = _set(execution, index, replace(effect, status="superseded", reason=reason, ended_at=at))
    step = replace(execution.steps[index], released=True, reason=reason)
    if effect.direction == "do":
        execution = with_step(execution, index, replace(step, progress="failed"))
        return conclude(execution, runbook, "failed", f"{step.name} was superseded: {reason}", at)
    execution = with_step(execution, index, step)
    said = f"{step.name} was not undone, somebody changed it since: {reason}{_demotion(execution, runbook)}"
    return back_again(tell_owner(execution, runbook, at, said), runbook, at)


def _conflict(execution: Execution, event: Applied, runbook: Runbook) -> Execution:
    effect, reason = _newest(execution, event.step), event.outcome.reason
    if effect.direction != "do":
        return _superseded(execution, event.step, reason, runbook, event.at)
    failed = replace(effect, status="failed", reason=reason, ended_at=event.at)
    execution = _set(execution, event.step, failed)
    step = execution.steps[event.step]
    if step.conflicts + 1 >= MOST_CONFLICTS or effect.written:
        return _failed(execution, event.step, reason, runbook, event.at)
    again = replace(step, progress="pending", conflicts=step.conflicts + 1, reason=reason)
    return with_step(execution, event.step, again)


def _not_undone(execution: Execution, index: int, reason: str, runbook: Runbook, at: datetime) -> Execution:
    """An undo (or a redo) that failed: it is not tried for ever, and the owner is told."""
    step = replace(execution.steps[index], released=True, reason=reason)
    effect = _newest(execution, index)
    execution = with_step(execution, index, step)
    said = f"could not {effect.direction} {step.name} ({_arrow(effect)}): {reason}{_demotion(execution, runbook)}"
    return back_again(tell_owner(execution, runbook, at, said), runbook, at)


def _demotion(execution: Execution, runbook: Runbook) -> str:
    """Return what a change that stays means for the runbook, when it was not lowered before; empty = nothing."""
    now = say_demotion(replace(execution, compensation=compensation_of(execution, runbook)))
    return now if now != say_demotion(execution) else ""


def back_again(execution: Execution, runbook: Runbook, at: datetime) -> Execution:
    """Hand over when an alert came back while its change was being undone: it has joined us, nobody else has it."""
    if execution.stage != "ended" or not execution.firing or execution.status == "handed_over":
        return execution
    return hand_over(execution, runbook, "the alert came back while its change was being undone", at)


def _newest(execution: Execution, index: int) -> Effect:
    effect = execution.steps[index].effect
    assert effect is not None, "an intent comes before its outcome"
    return effect


def _set(execution: Execution, index: int, effect: Effect) -> Execution:
    step = execution.steps[index]
    return with_step(execution, index, replace(step, effects=(*step.effects[:-1], effect)))


def _arrow(effect: Effect) -> str:
    change = effect.change
    if change.sensitive:
        return f"{change.target} {change.field} changed"
    before, after = (show(value) if value is None else value for value in (change.before, change.after))
    return f"{change.target} {change.field} {before} -> {after}"
