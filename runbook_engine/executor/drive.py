"""Drive: one turn of an execution.

A turn consumes the signals that wait, looks for as long as looking is quick, touches the world once at most, commits
what happened, and returns a directive. Before an effect its intent is durable, with all that was seen; after it, its
outcome. Whoever comes after a crash finds the intent, and the action's declared `repeat` class says what may be done.
Looks that nothing followed are taken again: they changed nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from runbook_engine.errors import StaleVersion
from runbook_engine.executor.decisions import Decision, decide
from runbook_engine.executor.effects import apply_resumed, begin
from runbook_engine.executor.looks import Look, look
from runbook_engine.executor.placing import await_group, leave_group, resolve
from runbook_engine.executor.storms import told_by_storm
from runbook_engine.executor.telling import tell
from runbook_engine.executor.tools import Tools
from runbook_engine.executor.turn import Turn
from runbook_engine.machine import next_move
from runbook_engine.machine.events import Signalled
from runbook_engine.machine.moves import Apply, AwaitGroup, Begin, LeaveGroup, Move, Notify, Pause, Resolve
from runbook_engine.model.directive import Approve, Directive, Done, Next, Wait
from runbook_engine.model.execution import Execution

LEAST_TIME = timedelta(seconds=2)  # with less left, nothing external is begun
QUICK = timedelta(seconds=1)  # a turn that is older begins nothing more: what it saw is soon too old to act on
Touch = Begin | Apply | Notify  # what reaches out and changes something; what it came to is committed at once
NO_SIGNAL = timedelta(days=1)  # a host that cannot be woken looks again once a day


def drive(tools: Tools, execution_id: str, owner: str, now: datetime, time_left: timedelta) -> Directive:
    """Take the execution one step further. Raises UnknownExecution; a lost race is just `next`."""
    execution = tools.journal.load(execution_id)
    lease = execution.lease
    if lease is not None and lease.owner != owner and lease.until > now:
        return Wait(lease.until, f"driven by {lease.owner}")
    turn = Turn(tools, execution, tools.runbook(execution.runbook_digest), owner, now)
    try:
        return _take(turn, now, time_left)
    except StaleVersion:
        return Next()


def _take(turn: Turn, now: datetime, time_left: timedelta) -> Directive:
    """Consume the signals, look and decide until something is touched or waited for, and rest."""
    for signal in turn.tools.journal.signals(turn.execution.id, turn.execution.signals_consumed):
        turn.happen(Signalled(signal=signal, at=now))
    present = now
    while True:
        wanted = _decide(turn, present)
        if isinstance(wanted, Pause):
            return _rest(turn, wanted, present)
        if time_left - (present - now) < LEAST_TIME:
            return _rest(turn, None, present)
        turn.take_lease(present)
        if isinstance(wanted, Apply | Notify):
            turn.settle(present)
        before = turn.execution
        _perform(turn, wanted, present)
        present = turn.tools.now()
        # abs: of a turn in which the clock was set back nobody knows how old it is
        if isinstance(wanted, Touch) or turn.execution is before or abs(present - now) > QUICK:
            left = next_move(turn.execution, turn.runbook, present)
            return _rest(turn, left if isinstance(left, Pause) else None, present)


def _decide(turn: Turn, now: datetime) -> Move | Pause:
    """Let happen what needs no look outside; return what comes then."""
    turn.asked_at = now
    wanted = next_move(turn.execution, turn.runbook, now)
    while isinstance(wanted, Decision):
        turn.happen(told_by_storm(decide(wanted, turn.execution, turn.runbook, now), turn))
        wanted = next_move(turn.execution, turn.runbook, now)
    return wanted


def _perform(turn: Turn, move: Move, now: datetime) -> None:
    """Do one thing that reaches outside."""
    match move:
        case Resolve():
            resolve(turn, now)
        case AwaitGroup():
            await_group(turn, now)
        case LeaveGroup():
            leave_group(turn, move.reason, now)
        case Begin():
            begin(turn, move, now)
        case Apply():
            turn.happen(apply_resumed(turn.execution, turn.runbook, move.step, turn.tools))
        case Notify():
            turn.happen(tell(turn.execution, turn.runbook, move.notice_id, turn.tools))
        case _ if isinstance(move, Look):
            seen = look(move, turn.execution, turn.runbook, turn.tools, now)
            turn.happen(seen.event, seen.evidence)
        case _:
            raise AssertionError(f"{type(move).__name__} is decided, not performed")


def _rest(turn: Turn, pause: Pause | None, now: datetime) -> Directive:
    """Store where the execution rests, and say what the host does next."""
    turn.rest(pause, now)
    return Next() if pause is None else _directive(turn.execution, pause, now)


def _directive(execution: Execution, pause: Pause, now: datetime) -> Directive:
    match pause.kind:
        case "approval":
            wanted = execution.approval
            assert wanted is not None, "an approval pause has a question"
            return Approve(wanted.until, wanted.hash)
        case "done":
            return Done(execution.status, execution.reason)
        case "wait":
            return Wait(pause.until or now + NO_SIGNAL, pause.reason)
        case _:
            assert_never(pause.kind)
