"""Drive: one turn of an execution.

A turn consumes the signals that wait, performs at most one external action, batch or probe, commits what
happened, and returns a directive. Before an effect its intent is durable; after it, its outcome. Whoever comes
after a crash finds the intent, and the action's declared `repeat` class says what may be done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from runbook_engine.errors import StaleVersion
from runbook_engine.executor.decisions import Decision, decide
from runbook_engine.executor.effects import apply_resumed, begin
from runbook_engine.executor.looks import Look, look
from runbook_engine.executor.telling import tell
from runbook_engine.executor.tools import Tools
from runbook_engine.machine import audit_record, evolve, next_move
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import Event, Signalled
from runbook_engine.machine.evolve import rest
from runbook_engine.machine.moves import Apply, Begin, Move, Notify, Pause
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.directive import Approve, Directive, Done, Next, Wait
from runbook_engine.model.execution import Execution, Lease
from runbook_engine.model.guardrail import Claim
from runbook_engine.model.incident import Evidence
from runbook_engine.model.runbook import Runbook
from runbook_engine.ports import Refused

LEAST_TIME = timedelta(seconds=2)  # with less left, nothing external is begun
NO_SIGNAL = timedelta(days=1)  # a host that cannot be woken looks again once a day


def drive(tools: Tools, execution_id: str, owner: str, now: datetime, time_left: timedelta) -> Directive:
    """Take the execution one step further. Raises UnknownExecution; a lost race is just `next`."""
    execution = tools.journal.load(execution_id)
    lease = execution.lease
    if lease is not None and lease.owner != owner and lease.until > now:
        return Wait(lease.until, f"driven by {lease.owner}")
    turn = Turn(tools, execution, tools.runbook(execution.runbook_digest), owner)
    try:
        return turn.take(now, time_left)
    except StaleVersion:
        return Next()


class Turn:
    """The execution as it was read, what has happened to it since, and the records of that."""

    def __init__(self, tools: Tools, execution: Execution, runbook: Runbook, owner: str) -> None:
        self.tools = tools
        self.execution = execution
        self.runbook = runbook
        self._owner = owner
        self._stored = execution
        self._records: list[AuditRecord] = []
        self._evidence: tuple[Evidence, ...] = ()

    def take(self, now: datetime, time_left: timedelta) -> Directive:
        """Consume the signals, decide what needs no look outside, do one thing, and rest."""
        for signal in self.tools.journal.signals(self.execution.id, self.execution.signals_consumed):
            self.happen(Signalled(signal=signal, at=now))
        move = next_move(self.execution, self.runbook, now)
        while isinstance(move, Decision):
            self.happen(decide(move, self.execution, self.runbook, now))
            move = next_move(self.execution, self.runbook, now)
        if isinstance(move, Pause):
            return self._rest(move, now)
        if time_left < LEAST_TIME:
            return self._rest(None, now)
        self._take_lease(now)
        self._perform(move, now)
        present = self.tools.now()
        wanted = next_move(self.execution, self.runbook, present)
        return self._rest(wanted if isinstance(wanted, Pause) else None, present)

    def happen(self, event: Event) -> None:
        """Let the execution evolve, and keep the record of it for the next commit."""
        after = evolve(self.execution, event, self.runbook)
        record = audit_record(self.execution, event, after)
        self.execution = after
        if record is not None:
            self._records.append(record)
            self.execution = chained(after, record)

    def attempt(self, event: Event, claims: tuple[Claim, ...], now: datetime) -> Refused | None:
        """Let the event happen and commit it with its claims; refused, it has not happened."""
        before, records = self.execution, list(self._records)
        self.happen(event)
        refused = self.commit(now, claims)
        if refused is not None:
            self.execution, self._records = before, records
        return refused

    def commit(self, now: datetime, claims: tuple[Claim, ...] = ()) -> Refused | None:
        """Make everything that happened durable in one transaction. Raises StaleVersion."""
        answer = self.tools.journal.commit(
            self.execution,
            expected_version=self._stored.version,
            records=tuple(self._records),
            claims=claims,
            release_locks=_lets_go(self.execution),
            evidence=self._evidence,
            now=now,
        )
        if isinstance(answer, Refused):
            return answer
        self.execution = replace(self.execution, version=answer.version)
        self._stored = self.execution
        self._records.clear()
        self._evidence = ()
        return None

    def _perform(self, move: Move, now: datetime) -> None:
        """Do the one thing of this turn that reaches outside."""
        match move:
            case Begin():
                begin(self, move, now)
            case Apply():
                self.happen(apply_resumed(self.execution, self.runbook, move.step, self.tools))
            case Notify():
                self.happen(tell(self.execution, self.runbook, move.notice_id, self.tools))
            case _ if isinstance(move, Look):
                seen = look(move, self.execution, self.runbook, self.tools, now)
                self._evidence = seen.evidence
                self.happen(seen.event)
            case _:
                raise AssertionError(f"{type(move).__name__} is decided, not performed")

    def _take_lease(self, now: datetime) -> None:
        """Taking the lease is a commit, so that the version is the fence."""
        lease = self.execution.lease
        if lease is not None and lease.owner == self._owner and lease.until - now > self.tools.lease / 2:
            return
        until = now + self.tools.lease
        leased = replace(self.execution, lease=Lease(self._owner, until), due_at=until)
        self.execution = leased if leased.ended else replace(leased, status="running")
        self.commit(now)
        self.tools.checkpoint("leased")

    def _rest(self, pause: Pause | None, now: datetime) -> Directive:
        """Store what happened and where the execution rests; say what the host does next."""
        self.execution = rest(self.execution, pause, now)
        if self._records or self.execution != self._stored:
            self.commit(now)
            self.tools.checkpoint("rested")
        if pause is None:
            return Next()
        match pause.kind:
            case "approval":
                wanted = self.execution.approval
                assert wanted is not None, "an approval pause has a question"
                return Approve(wanted.until, wanted.hash)
            case "done":
                return Done(self.execution.status, self.execution.reason)
            case "wait":
                return Wait(pause.until or now + NO_SIGNAL, pause.reason)
            case _:
                assert_never(pause.kind)


def _lets_go(execution: Execution) -> bool:
    """Locks are held from the first intent to the end, and again while something is undone."""
    return execution.stage == "ended" and execution.compensation != "undoing"
