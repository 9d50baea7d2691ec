"""Turn: one drive's hold on an execution: what was read, what has happened since, and the records of that."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from msgspec.structs import replace

from runbook_engine.executor.tools import Tools
from runbook_engine.machine import audit_record, evolve
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import Event, Prepared
from runbook_engine.machine.evolve import rest
from runbook_engine.machine.moves import Pause
from runbook_engine.machine.trace import repeats, trace_of, write_trace
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution, Lease
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Claim, Lock
from runbook_engine.model.incident import Evidence, Join
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.standing import MOST_ENDS, End, among, end_to_keep
from runbook_engine.ports import Committed, Refused


class Turn:
    """The only writer of an execution while it lasts: everything that happens is committed through it."""

    def __init__(self, tools: Tools, execution: Execution, runbook: Runbook, owner: str, asked_at: datetime) -> None:
        self.tools = tools
        self.execution = execution
        self.runbook = runbook
        self.asked_at = asked_at
        self.prepared: int | None = None  # the step that was looked at in this turn, and is as it was seen
        self._owner = owner
        self._stored = execution
        self._records: list[AuditRecord] = []
        self._events: tuple[tuple[datetime, Event], ...] = ()
        self._evidence: tuple[Evidence, ...] = ()

    def happen(self, event: Event, evidence: tuple[Evidence, ...] = ()) -> None:
        """Let the execution evolve, and keep the record of it (and its evidence) for the next commit."""
        self._evidence = (*self._evidence, *evidence)
        after = evolve(self.execution, event, self.runbook)
        record = audit_record(self.execution, event, after)
        if not repeats(event, record):
            self._events = (*self._events, (self.asked_at, event))
        if isinstance(event, Prepared):
            self.prepared = event.step
        self.execution = after
        if record is not None:
            self._records.append(record)
            self.execution = chained(after, record)

    def attempt(self, event: Event, claims: tuple[Claim, ...], now: datetime) -> Refused | None:
        """Let the event happen and commit it with its claims; refused, it has not happened."""
        before, records, events = self.execution, list(self._records), self._events
        self.happen(event)
        refused = self.commit(now, claims)
        if refused is not None:
            self.execution, self._records, self._events = before, records, events
        return refused

    def commit(
        self,
        now: datetime,
        claims: tuple[Claim, ...] = (),
        *,
        joins: tuple[Join, ...] = (),
        group: Group | None = None,
    ) -> Refused | None:
        """Make everything that happened durable in one transaction. Raises StaleVersion."""
        answer = self._store(now, claims, joins, group)
        if isinstance(answer, Refused):
            return answer
        self.execution = replace(self.execution, version=answer.version)
        self._stored = self.execution
        self._records.clear()
        self._evidence = ()
        self._events = ()
        return None

    def _store(
        self, now: datetime, claims: tuple[Claim, ...], joins: tuple[Join, ...], group: Group | None
    ) -> Committed | Refused:
        kept = _kept(self.execution, self._stored)
        commit = partial(
            self.tools.journal.commit,
            self.execution,
            expected_version=self._stored.version,
            records=tuple(self._records),
            joins=joins,
            group=group,
            release_locks=_lets_go(self.execution),
            evidence=self._evidence,
            end=self._end(),
            trace=write_trace(trace_of(self._events, self.asked_at, None if self._stored.version else self._stored)),
            now=now,
        )
        answer = commit(claims=(*claims, *kept))
        another_has_it = isinstance(answer, Refused) and answer.claim in kept
        return commit(claims=claims) if another_has_it else answer

    def _end(self) -> End | None:
        """Return the end that is news; of one that fixed nothing, whether it was the second in a row."""
        end = end_to_keep(self._stored, self.execution)
        if end is None or not end.fixed_nothing:
            return end
        return among(end, self.tools.journal.ends(end.runbook, end.digest, MOST_ENDS))

    def take_lease(self, now: datetime) -> None:
        """Taking the lease is a commit, so that the version is the fence."""
        lease = self.execution.lease
        if lease is not None and lease.owner == self._owner and lease.until - now > self.tools.lease / 2:
            return
        until = now + self.tools.lease
        leased = replace(self.execution, lease=Lease(self._owner, until), due_at=until)
        self.execution = leased if leased.ended else replace(leased, status="running")
        self.commit(now)
        self.tools.checkpoint("leased")

    def settle(self, now: datetime, place: str = "settled") -> None:
        """Store what happened so far, if anything did: what comes next tells of it, or builds on it."""
        if self._records or self.execution != self._stored:
            self.commit(now)
            self.tools.checkpoint(place)

    def rest(self, pause: Pause | None, now: datetime) -> None:
        """Store what happened and where the execution rests, if that is news."""
        self.execution = rest(self.execution, pause, now)
        self.settle(now, "rested")


def _lets_go(execution: Execution) -> bool:
    """Locks are held from the first intent to the end, while something is undone, and while a person keeps them."""
    return execution.stage == "ended" and execution.compensation != "undoing" and execution.kept_until is None


def _kept(execution: Execution, stored: Execution) -> tuple[Lock, ...]:
    """Return the lock that a person takes with a run: of what it acts on, changed or not."""
    taken = execution.kept_until is not None and stored.kept_until is None
    return (Lock(execution.target.key),) if taken and execution.placed and execution.target.kind != "none" else ()
