"""Effects: the two commits around every touch of the world.

`begin` looks again, judges every guardrail, and commits the intent with its claims; only then does it apply.
A resumed intent, whose outcome nobody recorded, is treated as its action's `repeat` class demands.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from runbook_engine.errors import Conflict, EffectUnknown, Retryable, RunbookError, UnknownAction
from runbook_engine.executor.decisions import question
from runbook_engine.executor.looks import observe
from runbook_engine.executor.rehearsal import rehearse
from runbook_engine.executor.storms import told_by_storm
from runbook_engine.executor.tools import Tools
from runbook_engine.executor.turn import Turn
from runbook_engine.guardrails import claims_of, judge, judge_undo, refusals, undo_claims, wait_for, wait_for_turn
from runbook_engine.machine.events import (
    Applied,
    ApplyPutOff,
    Asked,
    Blocked,
    Event,
    Intended,
    Prepared,
    PrepareFailed,
    PutOff,
)
from runbook_engine.machine.moves import Begin
from runbook_engine.machine.narration import show
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Budget, Claim, Lock, Verdict
from runbook_engine.model.plan import Change, Outcome
from runbook_engine.model.ration import RATION
from runbook_engine.model.runbook import Runbook
from runbook_engine.planning import case_of, prepare_step
from runbook_engine.ports import ActionSpec, Refused

LOCK_RETRY = timedelta(seconds=5)
ASK_AT_LEAST_EVERY = timedelta(minutes=1)  # a freeze may be lifted, and a storm be released, before it was to end


def begin(turn: Turn, move: Begin, now: datetime) -> None:
    """Make one change: look again, judge, commit the intent with its claims, apply."""
    change = _change_to_make(turn, move, now)
    if change is None:
        return
    verdicts, claims = _judged(turn, change, move, now)
    if refusals(verdicts):
        turn.happen(told_by_storm(refusal(turn.execution, move, verdicts, now), turn))
        return
    if turn.tools.journal.signals(turn.execution.id, turn.execution.signals_consumed):
        return  # said while we looked: heard first
    if move.direction == "do":
        denial = rehearse(turn.execution, turn.runbook, move.step, change, turn.tools, now)
        if denial:
            turn.happen(PrepareFailed(step=move.step, reason=denial, at=now))
            return
    turn.tools.checkpoint("before-intent")
    intent = Intended(
        step=move.step,
        direction=move.direction,
        change=change,
        key=effect_key(turn.execution, move),
        verdicts=verdicts,
        deadline=now + _time_limit(turn, move.step),
        at=now,
    )
    refused = turn.attempt(intent, claims, now)
    if refused is not None:
        turn.happen(told_by_storm(_claim_refusal(turn.execution, move, refused, now), turn))
        return
    turn.tools.checkpoint("after-intent")
    turn.happen(_apply(turn.execution, turn.runbook, move.step, turn.tools, resumed=False))


def effect_key(execution: Execution, move: Begin) -> str:
    """Return the name of one effect: the same in every retry of it, and another for another effect of the step."""
    state = execution.steps[move.step]
    if state.effect is not None and state.effect.status == "retrying":
        return state.effect.key
    earlier = sum(effect.direction == move.direction for effect in state.effects)
    again = f"/{earlier + 1}" if earlier else ""
    return f"{execution.id}/{move.step}/{move.direction}{again}"


def _time_limit(turn: Turn, step: int) -> timedelta:
    """Return how long the action may take; one that is no longer installed fails at once, in a sentence."""
    try:
        return turn.tools.spec(turn.runbook, step).longest(turn.runbook.steps[step].arguments)
    except UnknownAction:
        return timedelta(0)


def apply_resumed(execution: Execution, runbook: Runbook, index: int, tools: Tools) -> Event:
    """Go on with an intent whose outcome nobody recorded: the call may have been made or not."""
    try:
        spec = tools.spec(runbook, index)
    except UnknownAction as error:
        return Applied(step=index, outcome=Outcome.unknown(str(error)), resumed=True, at=tools.now())
    match spec.repeat:
        case "declarative" | "token":
            return _apply(execution, runbook, index, tools, resumed=True)
        case "once":
            said = "the run was interrupted in the middle of it, and it must not be repeated"
            return Applied(step=index, outcome=Outcome.unknown(said), resumed=True, at=tools.now())
        case "observable":
            return _look_first(execution, runbook, index, tools)
        case _:
            assert_never(spec.repeat)


def _look_first(execution: Execution, runbook: Runbook, index: int, tools: Tools) -> Event:
    seen = observe(execution, runbook, index, tools)
    match seen.status:
        case "absent":
            return _apply(execution, runbook, index, tools, resumed=True)
        case "done" | "progressing":
            outcome = Outcome.done(seen.reason)
        case "failed" | "superseded":
            outcome = Outcome.unknown(seen.reason)
    return Applied(step=index, outcome=outcome, resumed=True, at=tools.now())


def _apply(execution: Execution, runbook: Runbook, index: int, tools: Tools, *, resumed: bool) -> Event:
    """Touch the world once, and say what came of it. Nothing that an adapter raises gets past here."""
    effect = execution.steps[index].effect
    assert effect is not None, "an intent is recorded before it is applied"
    try:
        spec = tools.spec(runbook, index)
    except UnknownAction as error:
        return Applied(step=index, outcome=Outcome.failed(str(error)), resumed=resumed, at=tools.now())
    try:
        outcome = spec.apply(effect.change, effect.key, tools.effects)
    except EffectUnknown as error:
        event = _in_doubt(index, spec, str(error), tools)
    except RunbookError as error:
        absent = (resumed or effect.doubtful) and _is_absent(execution, runbook, index, tools)
        event = _refused(index, error, tools, resumed=resumed, absent=absent)
    except Exception as error:  # noqa: BLE001 - the edge to adapters: any surprise leaves the effect in doubt
        event = _in_doubt(index, spec, f"{type(error).__name__}: {error}", tools)
    else:
        refused = outcome.status in ("conflict", "failed") and (resumed or effect.doubtful)
        absent = refused and _is_absent(execution, runbook, index, tools)
        event = Applied(step=index, outcome=outcome, resumed=resumed, absent=absent, at=tools.now())
    tools.checkpoint("after-apply")
    return event


def _refused(index: int, error: RunbookError, tools: Tools, *, resumed: bool, absent: bool) -> Event:
    """Return what a call came to that surely did nothing itself."""
    if isinstance(error, Retryable):
        return ApplyPutOff(
            step=index, reason=str(error), after=error.after, resumed=resumed, absent=absent, at=tools.now()
        )
    outcome = Outcome.conflict(str(error)) if isinstance(error, Conflict) else Outcome.failed(str(error))
    return Applied(step=index, outcome=outcome, resumed=resumed, absent=absent, at=tools.now())


def _is_absent(execution: Execution, runbook: Runbook, index: int, tools: Tools) -> bool:
    """Look whether an earlier call, whose answer nobody has, did nothing either."""
    return tools.spec(runbook, index).looks_tell and observe(execution, runbook, index, tools).status == "absent"


def _in_doubt(index: int, spec: ActionSpec, reason: str, tools: Tools) -> Event:
    if spec.repeat == "once":
        return Applied(step=index, outcome=Outcome.unknown(reason), at=tools.now())
    return ApplyPutOff(step=index, reason=reason, look_first=True, at=tools.now())


def _change_to_make(turn: Turn, move: Begin, now: datetime) -> Change | None:
    """Return the change of a retry, our own reversed for an undo, else what a look of this turn saw; None: not now."""
    state = turn.execution.steps[move.step]
    if state.effect is not None and state.effect.status == "retrying":
        return state.effect.change
    if move.direction != "do":
        assert state.change is not None, "only a made change is undone or made again"
        return state.change.inverse() if move.direction == "undo" else replace(state.change, guard={})
    if turn.prepared == move.step:
        return state.change
    event = prepare_step(turn.execution, turn.runbook, move.step, turn.tools.sight, now)
    if not isinstance(event, Prepared):
        turn.happen(event)
        return None
    if event.change_hash != state.change_hash and _needs_yes(turn, event):
        _ask_again(turn, move.step, event, now)
        return None
    return event.change


def _needs_yes(turn: Turn, event: Prepared) -> bool:
    """Whether a person's yes is wanted for this change, and none was given to exactly this one."""
    if event.message_only or any(yes.change_hash == event.change_hash for yes in turn.execution.approved):
        return False
    return event.change.asks or turn.execution.mode != "auto" or turn.runbook.steps[event.step].approval is not None


def _ask_again(turn: Turn, index: int, event: Prepared, now: datetime) -> None:
    """The world moved since the yes was given: ask again, and say what is different."""
    old = turn.execution.steps[index].change
    was = _moves(old) if old is not None else "nothing"
    new = _moves(event.change)
    turn.happen(event)
    request = question(turn.execution, turn.runbook, index, now, f"it was {was}, now it is {new}")
    turn.happen(Asked(request=request, at=now))


def _moves(change: Change) -> str:
    if change.sensitive:
        return f"another {change.field} (value not shown)"
    return f"{change.field} {show(change.before)} -> {show(change.after)}"


def _judged(turn: Turn, change: Change, move: Begin, now: datetime) -> tuple[tuple[Verdict, ...], tuple[Claim, ...]]:
    """Return the verdicts on a change, and what its commit must hold. A message is not judged."""
    if turn.execution.steps[move.step].message_only:
        return (), ()
    case = case_of(change, turn.execution, turn.runbook, turn.tools.sight, now)
    if move.direction != "do":
        return judge_undo(case), undo_claims(change)
    verdicts = judge(case)
    if refusals(verdicts):
        return verdicts, ()
    effect = turn.execution.steps[move.step].effect
    again = effect is not None and effect.status == "retrying"
    # The next try, or the next batch, of a change that has spent its budget already.
    return verdicts, tuple(claim for claim in claims_of(case) if not (again and isinstance(claim, Budget)))


def refusal(execution: Execution, move: Begin, verdicts: tuple[Verdict, ...], now: datetime) -> PutOff | Blocked:
    """Return what verdicts that say no come to: a passing no is waited for, any other ends the run."""
    until = wait_for(verdicts, execution.deadline_at if move.direction == "do" else None)
    if until is not None:
        return PutOff(step=move.step, verdicts=verdicts, until=min(until, now + ASK_AT_LEAST_EVERY), at=now)
    return Blocked(step=move.step, verdicts=verdicts, at=now)


def _claim_refusal(execution: Execution, move: Begin, refused: Refused, now: datetime) -> Event:
    """A claim that did not hold in the commit: a lock, or its turn after a storm, is waited for, others end the run."""
    if isinstance(refused.claim, Budget) and refused.claim.key == RATION and refused.until is not None:
        return refusal(execution, move, (wait_for_turn(refused.claim, refused.until),), now)
    until = now + LOCK_RETRY if isinstance(refused.claim, Lock) else None
    name = type(refused.claim).__name__.lower()
    verdict = Verdict(guardrail=name, ok=False, says=refused.says, until=until)
    return refusal(execution, move, (verdict,), now)
