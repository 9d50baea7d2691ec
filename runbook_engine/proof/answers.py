"""Answers: whether an event is one that a move can come to, with what the world said taken as it was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from runbook_engine.executor.decisions import Decision, decide, question
from runbook_engine.executor.effects import effect_key, refusal
from runbook_engine.guardrails import refusals
from runbook_engine.machine.audit import kind_of
from runbook_engine.machine.events import (
    Admitted,
    Applied,
    ApplyPutOff,
    Asked,
    BaselineRead,
    Blocked,
    Collected,
    Delivered,
    Event,
    Finished,
    Intended,
    Merged,
    Observed,
    Planned,
    Prepared,
    PrepareFailed,
    PutOff,
    Queued,
    Required,
    Resolved,
    ResolvePutOff,
    Skipped,
    TurnedAway,
    Unchanged,
    Undelivered,
    Verified,
)
from runbook_engine.machine.moves import (
    Apply,
    Ask,
    AwaitGroup,
    Begin,
    Collect,
    LeaveGroup,
    Move,
    Notify,
    Observe,
    Pause,
    Prepare,
    Propose,
    ReadBaseline,
    Require,
    Resolve,
    Verify,
)
from runbook_engine.model.execution import Execution
from runbook_engine.model.plan import hash_change
from runbook_engine.model.runbook import Runbook
from runbook_engine.proof.pointing import point

LOOKED_AT = (Skipped, Unchanged, Prepared, PrepareFailed)
MAY_COME_TO: Mapping[type[Move], tuple[type[Event], ...]] = {
    Resolve: (Resolved, ResolvePutOff, Merged, Finished, TurnedAway),
    AwaitGroup: (Queued, Admitted, TurnedAway),
    LeaveGroup: (TurnedAway,),
    Require: (Required,),
    Collect: (Collected,),
    ReadBaseline: (BaselineRead,),
    Propose: (Planned,),
    Prepare: LOOKED_AT,
    Begin: (*LOOKED_AT, Intended, Blocked, PutOff),
    Apply: (Applied, ApplyPutOff),
    Observe: (Observed,),
    Verify: (Verified,),
    Notify: (Delivered, Undelivered),
}


def answers(move: Move | Pause, event: Event, execution: Execution, runbook: Runbook, asked_at: datetime) -> str:
    """Return what comes out now instead of the event; empty when the move comes to just this."""
    if isinstance(move, Pause):
        until = f" until {move.until.astimezone(UTC):%H:%M:%S} UTC" if move.until is not None else ""
        return f"nothing is to be done{until}: {move.reason or move.kind}"
    if isinstance(move, Decision):
        return _decided(move, event, execution, runbook, asked_at)
    about = getattr(move, "step", None)
    if not isinstance(event, MAY_COME_TO[type(move)]) or (about is not None and about != getattr(event, "step", about)):
        return _say(move, execution)
    match move:
        case Begin():
            return _begun(move, event, execution, runbook)
        case Notify(notice_id):
            return "" if notice_id == getattr(event, "notice_id", "") else f"notice {notice_id} is delivered"
        case LeaveGroup(reason):
            return "" if reason == getattr(event, "reason", "") else f"it ends for another reason: {reason}"
        case _:
            return _prepared(event, execution, runbook)


def _decided(move: Decision, event: Event, execution: Execution, runbook: Runbook, asked_at: datetime) -> str:
    """What needs no look outside comes out exactly as it was recorded."""
    if isinstance(move, Ask) and isinstance(event, Asked):
        request = question(execution, runbook, move.step, asked_at, event.request.again_because)
        expected: Event = Asked(request=request, at=asked_at)
    else:
        expected = _as_told(decide(move, execution, runbook, asked_at), event)
    if expected == event:
        return ""
    if type(expected) is not type(event):
        return _say(move, execution)
    place, _, now = point(event, expected)
    return f"{_say(move, execution)}, with {place} {now}"


def _as_told(expected: Event, event: Event) -> Event:
    """Whether the page of a storm told of an end is what the latch said then, and taken as it was recorded."""
    if isinstance(expected, Finished | Blocked) and isinstance(event, Finished | Blocked):
        return replace(expected, by_storm=event.by_storm)
    return expected


def _begun(move: Begin, event: Event, execution: Execution, runbook: Runbook) -> str:
    """What verdicts come to is decided again: an intent without a no, or the refusal that these verdicts are."""
    if isinstance(event, Intended):
        no = refusals(event.verdicts)
        if no:
            return f"no change is begun: {no[0].guardrail} says no, {no[0].says}"
        if (event.direction, event.key) != (move.direction, effect_key(execution, move)):
            return f"{_say(move, execution)} under the key {effect_key(execution, move)}"
        return "" if _may_be_made(event, execution, runbook) else "a person is asked first: nobody approved this change"
    if isinstance(event, Blocked | PutOff):
        if not refusals(event.verdicts):
            return "the change is begun: no verdict says no"
        expected = _as_told(refusal(execution, move, event.verdicts, event.at), event)
        return (
            ""
            if expected == event
            else kind_of(expected).replace("_", " ")
            + ": "
            + "; ".join(verdict.says for verdict in refusals(event.verdicts))
        )
    return _prepared(event, execution, runbook)


def _may_be_made(event: Intended, execution: Execution, runbook: Runbook) -> bool:
    """Whether a change needs nobody's yes, or has one to exactly this. Retries and undoing have asked before."""
    state = execution.steps[event.step]
    retried = state.effect is not None and state.effect.status == "retrying"
    if event.direction != "do" or retried or state.message_only:
        return True
    if not (event.change.asks or execution.mode != "auto" or runbook.steps[event.step].approval is not None):
        return True
    wanted = hash_change(execution.runbook_digest, state.name, event.change)
    return any(yes.change_hash == wanted for yes in execution.approved)


def _prepared(event: Event, execution: Execution, runbook: Runbook) -> str:
    """A change has one name, which approvals bind."""
    if not isinstance(event, Prepared):
        return ""
    name = hash_change(execution.runbook_digest, runbook.steps[event.step].name, event.change)
    return "" if name == event.change_hash else f"the change has the hash {name[:12]}, not {event.change_hash[:12]}"


def _say(move: Move, execution: Execution) -> str:
    """Return a move as people read it: `begin shed-optional-features (do)`."""
    words = kind_of(move).replace("_", " ")
    step = getattr(move, "step", None)
    name = f" {execution.steps[step].name}" if step is not None else ""
    direction = f" ({move.direction})" if isinstance(move, Begin) else ""
    return f"the next move is to {words}{name}{direction}"
