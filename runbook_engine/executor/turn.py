"""Turn: one drive's hold on an execution: what was read, what has happened since, and the records of that."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from runbook_engine.executor.tools import Tools
from runbook_engine.machine import audit_record, evolve
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import Event
from runbook_engine.machine.evolve import rest
from runbook_engine.machine.moves import Pause
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution, Lease
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Claim
from runbook_engine.model.incident import Evidence, Join
from runbook_engine.model.runbook import Runbook
from runbook_engine.ports import Refused


class Turn:
    """The only writer of an execution while it lasts: everything that happens is committed through it."""

    def __init__(self, tools: Tools, execution: Execution, runbook: Runbook, owner: str) -> None:
        self.tools = tools
        self.execution = execution
        self.runbook = runbook
        self._owner = owner
        self._stored = execution
        self._records: list[AuditRecord] = []
        self._evidence: tuple[Evidence, ...] = ()

    def happen(self, event: Event, evidence: tuple[Evidence, ...] = ()) -> None:
        """Let the execution evolve, and keep the record of it (and its evidence) for the next commit."""
        self._evidence = (*self._evidence, *evidence)
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

    def commit(
        self,
        now: datetime,
        claims: tuple[Claim, ...] = (),
        *,
        joins: tuple[Join, ...] = (),
        group: Group | None = None,
    ) -> Refused | None:
        """Make everything that happened durable in one transaction. Raises StaleVersion."""
        answer = self.tools.journal.commit(
            self.execution,
            expected_version=self._stored.version,
            records=tuple(self._records),
            claims=claims,
            joins=joins,
            group=group,
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

    def rest(self, pause: Pause | None, now: datetime) -> None:
        """Store what happened and where the execution rests, if that is news."""
        self.execution = rest(self.execution, pause, now)
        if self._records or self.execution != self._stored:
            self.commit(now)
            self.tools.checkpoint("rested")


def _lets_go(execution: Execution) -> bool:
    """Locks are held from the first intent to the end, and again while something is undone."""
    return execution.stage == "ended" and execution.compensation != "undoing"
