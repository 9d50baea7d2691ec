"""The journal: the atomic store of executions, signals, claims, incidents and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook_engine.model.audit import AuditRecord
    from runbook_engine.model.episode import Episode
    from runbook_engine.model.execution import Execution
    from runbook_engine.model.group import Group, Part
    from runbook_engine.model.guardrail import Claim, LastChange, Slot
    from runbook_engine.model.incident import Arrival, Evidence, Incident, Intake, Join
    from runbook_engine.model.observation import ChangeEvent
    from runbook_engine.model.runbook import Runbook
    from runbook_engine.model.signal import Signal
    from runbook_engine.model.standing import End
    from runbook_engine.model.storm import Latch
    from runbook_engine.model.target import Target
    from runbook_engine.ports.inbox import Inbox


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit is durable."""

    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A claim does not hold, so nothing was stored. `until` is when it may, if that is known."""

    claim: Claim | Slot
    says: str
    until: datetime | None = None


class Ledger(Protocol):
    """The reading side of claims, for verdicts; the commit itself checks them again."""

    def load(self, execution_id: str) -> Execution:
        """Return the newest version. Raises UnknownExecution."""
        ...

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        ...

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        ...

    def changes_within(self, key: str, since: datetime, *, other_than: str) -> int:
        """Return how many changes of other executions stand under a budget key since then."""
        ...

    def latch(self) -> Latch:
        """Return the storm latch; version 0 when nothing was ever stored."""
        ...

    def ends(self, runbook: str, digest: str, limit: int) -> tuple[End, ...]:
        """Return how runs of a runbook as it is written in this digest ended, newest first.

        These are the newest `limit`; and of all before them that lowered the runbook, the newest `limit` of each mode
        that it was lowered to: so however many runs end afterwards, what lowered it is still known.
        """
        ...


class Journal(Ledger, Protocol):
    """The atomic store. A method that writes is one transaction; when it returns, it is durable."""

    @property
    def inbox(self) -> Inbox | None:
        """Where deliveries wait; None = this store has no such place, and each is decided at the front door."""
        ...

    def commit(
        self,
        execution: Execution,
        *,
        expected_version: int,
        records: Sequence[AuditRecord] = (),
        claims: Sequence[Claim] = (),
        joins: Sequence[Join] = (),
        group: Group | None = None,
        release_locks: bool = False,
        evidence: Sequence[Evidence] = (),
        trace: bytes = b"",
        end: End | None = None,
        now: datetime,
    ) -> Committed | Refused:
        """Store version `expected_version + 1` with its audit records, if the stored version is the expected one.

        Claims are checked and taken in the same transaction: the first that does not hold refuses the whole. So
        does a slot that the execution names now, did not name before, and another one holds; the execution gives up
        the one it had. `joins` let its alerts join others: StaleVersion unless those hold the slots. `group` is
        stored with it, under the version that it was read with: StaleVersion when it has moved. `trace` is what
        happened, as bytes for `trace`; `end` is how it ended, kept once for each execution.
        Due is `execution.due_at`, or now when signals wait that this version has not consumed. An execution
        that no longer absorbs gives up its slot and its followers; while unconsumed signals wait it may not:
        StaleVersion. Raises StaleVersion.
        """
        ...

    def trace(self, execution_id: str) -> tuple[bytes, ...]:
        """Return what commits said had happened, in their order; empty = there was no room for it."""
        ...

    def signals(self, execution_id: str, after: int) -> tuple[Signal, ...]:
        """Return the signals with a number above `after`, in order."""
        ...

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append a signal, make the execution due now unless somebody drives it, return the signal's number."""
        ...

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return ids of executions that are due (lease expired included), longest due first.

        Before all others come those without a lease that an unconsumed signal waits for: no word stands behind a crowd.
        """
        ...

    def next_due(self) -> datetime | None:
        """Return when the earliest execution becomes due."""
        ...

    def record(self, intake: Intake) -> None:
        """Store what one delivery means; when it names one of the inbox, that leaves with it.

        Raises StaleVersion when an episode, incident, group or slot has moved, Conflict when somebody else has decided
        the waiting delivery.
        """
        ...

    def newest_group(self, runbook: str) -> Group | None:
        """Return the newest group of a runbook, whatever its state."""
        ...

    def group(self, group_id: str) -> Group:
        """Return one group. Raises UnknownExecution."""
        ...

    def parts(self, group_id: str) -> tuple[Part, ...]:
        """Return every execution of a group as the group sees it, oldest first."""
        ...

    def episodes(self, alert_keys: Sequence[str]) -> Mapping[str, Episode]:
        """Return the known episodes among these alert keys."""
        ...

    def open_episodes(self, seen_before: datetime, limit: int) -> tuple[Episode, ...]:
        """Return open episodes without a sign of life since then: candidates for expiry."""
        ...

    def holders(self, slots: Sequence[str]) -> Mapping[str, str]:
        """Return slot -> id of the execution that absorbs for it."""
        ...

    def followers(self, alert_keys: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return alert key -> ids of absorbing executions that this alert has joined."""
        ...

    def incident(self, incident_id: str) -> Incident:
        """Return one incident. Raises UnknownIncident."""
        ...

    def newest_incident(self, key: str) -> Incident | None:
        """Return the newest incident of a correlation key, open or not."""
        ...

    def newest_incidents(self, keys: Sequence[str]) -> Mapping[str, Incident]:
        """Return correlation key -> its newest incident, of those that have one: all at once, for a storm."""
        ...

    def incidents(self, *, limit: int, open_only: bool = False) -> tuple[Incident, ...]:
        """Return incidents, open ones first, then newest first."""
        ...

    def arrivals(self, incident_id: str) -> tuple[Arrival, ...]:
        """Return what arrived for an incident, oldest first."""
        ...

    def executions(
        self, *, limit: int, incident_id: str = "", runbook: str = "", active_only: bool = False
    ) -> tuple[Execution, ...]:
        """Return executions, newest first; `active_only`: those not finished."""
        ...

    def audit(self, execution_id: str, after: int = 0) -> tuple[AuditRecord, ...]:
        """Return an execution's audit records, oldest first; those after the last one of an earlier answer."""
        ...

    def audited(self, limit: int, after: str = "") -> tuple[str, ...]:
        """Return ids of what has audit records, whether its execution is still there or not, in order; after an id."""
        ...

    def evidence(self, execution_id: str) -> tuple[Evidence, ...]:
        """Return what was captured before the first change."""
        ...

    def runbook(self, digest: str) -> Runbook:
        """Return a compiled runbook that some execution uses. Raises UnknownRunbook."""
        ...

    def keep_runbook(self, runbook: Runbook) -> None:
        """Keep a compiled runbook by its digest."""
        ...

    def record_change(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change that somebody made, or how a release did, for 90 days. The same one is kept once.

        The same is what has one target, time and text; how a revision of one object (its uid) did is said once.
        """
        ...

    def recorded_changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the kept changes of a target since then, newest first, 500 at most."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return numbers for metrics: `executions.<status>`, `incidents.open`, `signals.waiting`."""
        ...
