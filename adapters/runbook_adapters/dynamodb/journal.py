"""The Journal port on one DynamoDB table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from itertools import chain, islice

import msgspec

from runbook_adapters.dynamodb import alerts, changes, commits, deliveries, executions, keys, ledger, lists, versions
from runbook_adapters.dynamodb.commits import Commit
from runbook_adapters.dynamodb.cutting import Cut
from runbook_adapters.dynamodb.deliveries import Delivery
from runbook_adapters.dynamodb.items import BODY, Item, Kind, bodies_of, body_of
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.problems import explained
from runbook_adapters.dynamodb.table import Table
from runbook_adapters.dynamodb.work import Work, settle
from runbook_engine.errors import UnknownExecution, UnknownIncident, UnknownRunbook
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group, Part
from runbook_engine.model.guardrail import Claim, LastChange
from runbook_engine.model.incident import Arrival, Evidence, Incident, Intake, Join
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal
from runbook_engine.model.standing import LOWERED, End, with_faults
from runbook_engine.model.storm import Latch
from runbook_engine.model.target import Target
from runbook_engine.ports import Committed, Refused

MOST_JOINS = 40  # alerts that one commit moves to another execution; of more, the first steps are taken before it


class DynamoJournal:
    """The atomic store of any number of machines; see `Journal` for what each method promises.

    `serial` gives texts that sort in the order in which they were asked for.
    """

    inbox = None  # a body may be larger than an item: deliveries are decided at the front door

    def __init__(self, table: Table, serial: Callable[[], str]) -> None:
        self._table = table
        self._serial = serial

    def load(self, execution_id: str) -> Execution:
        """Return the newest version. Raises UnknownExecution."""
        item = self._item(keys.execution(execution_id))
        if item is None:
            raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")
        with self._explained():
            return body_of(item, Execution)

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
        """Store the next version with all that belongs to it, or nothing. Raises StaleVersion."""
        commit = Commit(
            execution=msgspec.structs.replace(execution, version=expected_version + 1),
            expected_version=expected_version,
            records=records,
            claims=claims,
            joins=joins,
            group=group,
            release_locks=release_locks,
            evidence=evidence,
            trace=trace,
            end=end,
            now=now,
        )
        with self._explained():
            self._lead(joins)
            return settle(self._table, lambda work: commits.apply(work, commit, self._serial))

    def trace(self, execution_id: str) -> tuple[bytes, ...]:
        """Return what commits said had happened, in their order."""
        return self._all(bytes, keys.execution(execution_id).pk, "TRC#", "TRC#~")

    def signals(self, execution_id: str, after: int) -> tuple[Signal, ...]:
        """Return the signals with a number above `after`, in order."""
        pk = keys.execution(execution_id).pk
        together = self._all(tuple[Signal, ...], pk, keys.signals(execution_id, after + 1).sk, "SIG#~")
        return tuple(signal for signals in together for signal in signals if signal.number > after)

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append a signal and wake the execution. Raises UnknownExecution."""
        with self._explained():
            return settle(self._table, lambda work: executions.append_signals(work, execution_id, (signal,)))

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return ids of executions that are due, longest due first."""
        with self._explained():
            return lists.due(self._table, now, limit)

    def next_due(self) -> datetime | None:
        """Return when the earliest execution becomes due."""
        with self._explained():
            return lists.next_due(self._table)

    def executions(
        self, *, limit: int, incident_id: str = "", runbook: str = "", active_only: bool = False
    ) -> tuple[Execution, ...]:
        """Return executions, newest first; `active_only`: those not finished."""
        with self._explained():
            return lists.executions(
                self._table, limit=limit, incident_id=incident_id, runbook=runbook, active_only=active_only
            )

    def audit(self, execution_id: str, after: int = 0) -> tuple[AuditRecord, ...]:
        """Return an execution's audit records, oldest first; those after the last one of an earlier answer.

        An item holds what one commit wrote, under the first of its numbers, and an earlier answer ended with one.
        """
        first = keys.audit(execution_id, after + 1)
        together = self._all(tuple[AuditRecord, ...], first.pk, first.sk, "AUD#~")
        return tuple(record for records in together for record in records)

    def audited(self, limit: int, after: str = "") -> tuple[str, ...]:
        """Return ids of what has audit records, in order; after an id. Read from an index, which is a moment late."""
        with self._explained():
            return lists.audited(self._table, limit, after)

    def evidence(self, execution_id: str) -> tuple[Evidence, ...]:
        """Return what was captured before the first change, oldest first."""
        found = self._all(Evidence, keys.execution(execution_id).pk, "EVI#", "EVI#~")
        return tuple(sorted(found, key=lambda piece: piece.at))

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        with self._explained():
            holder = ledger.lock_holder(Work(self._table), key)
        return holder.execution_id if holder else None

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        with self._explained():
            return ledger.last_change(Work(self._table), key)

    def changes_within(self, key: str, since: datetime, *, other_than: str) -> int:
        """Return how many changes of other executions stand under a budget key after `since`."""
        with self._explained():
            return len(ledger.changes_after(Work(self._table), key, since, other_than))

    def latch(self) -> Latch:
        """Return the storm latch."""
        item = self._item(versions.LATCH)
        with self._explained():
            return Latch() if item is None else body_of(item, Latch)

    def ends(self, runbook: str, digest: str, limit: int) -> tuple[End, ...]:
        """Return how runs of a runbook as it is written in this digest ended, newest first."""
        place = keys.ends(runbook, digest)
        with self._explained():
            newest = bodies_of(islice(self._table.query(place, "0", "9~", page=limit), limit), End)
            if len(newest) < limit:
                return newest
            found = [self._table.query(place, f"LOWERS#{mode}#", f"LOWERS#{mode}#~", page=limit) for mode in LOWERED]
            return with_faults(newest, bodies_of(chain.from_iterable(islice(each, limit) for each in found), End))

    def record(self, intake: Intake) -> None:
        """Store one delivery. Raises StaleVersion when an episode, incident, group or slot has moved.

        One that is too large for a transaction is judged whole, and then stored in parts, each a delivery of its own.
        """
        whole = Delivery.of(intake)
        with self._explained():
            cut = Cut(whole)
            for part in (whole,) if cut.whole else cut.parts(self._judged(intake)):
                self._store(part)

    def newest_group(self, runbook: str) -> Group | None:
        """Return the newest group of a runbook, whatever its state."""
        with self._explained():
            return versions.newest_group(self._table, runbook)

    def group(self, group_id: str) -> Group:
        """Return one group. Raises UnknownExecution."""
        item = self._item(keys.group(group_id))
        if item is None:
            raise UnknownExecution(f"no group {group_id}")
        with self._explained():
            return body_of(item, Group)

    def parts(self, group_id: str) -> tuple[Part, ...]:
        """Return every execution of a group as the group sees it, oldest first."""
        return self._all(Part, keys.group(group_id).pk, "PART#", "PART#~")

    def episodes(self, alert_keys: Sequence[str]) -> Mapping[str, Episode]:
        """Return the known episodes among these alert keys."""
        with self._explained():
            items = self._table.read(keys.alert(alert_key) for alert_key in alert_keys)
            found = bodies_of((item for item in items.values() if BODY in item), Episode)
        return {episode.alert_key: episode for episode in found}

    def open_episodes(self, seen_before: datetime, limit: int) -> tuple[Episode, ...]:
        """Return open episodes last seen before then, longest unseen first."""
        with self._explained():
            return lists.open_episodes(self._table, seen_before, limit)

    def holders(self, slots: Sequence[str]) -> Mapping[str, str]:
        """Return slot -> id of the execution that absorbs for it."""
        items = self._table.read(map(executions.slot_key, slots))
        places = {slot: executions.slot_key(slot) for slot in slots}
        return {slot: str(items[place]["execution"]) for slot, place in places.items() if place in items}

    def followers(self, alert_keys: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return alert key -> ids of absorbing executions that this alert has joined."""
        with self._explained():
            return alerts.followers(self._table, alert_keys)

    def incident(self, incident_id: str) -> Incident:
        """Return one incident. Raises UnknownIncident."""
        item = self._item(keys.incident(incident_id))
        if item is None:
            raise UnknownIncident(f"no incident {incident_id} (`runbook incidents` lists them)")
        with self._explained():
            return body_of(item, Incident)

    def newest_incident(self, key: str) -> Incident | None:
        """Return the newest incident of a correlation key, open or not."""
        with self._explained():
            return versions.newest_incident(self._table, key)

    def newest_incidents(self, keys: Sequence[str]) -> Mapping[str, Incident]:
        """Return correlation key -> its newest incident, of those that have one."""
        with self._explained():
            found = {key: versions.newest_incident(self._table, key) for key in dict.fromkeys(keys)}
        return {key: incident for key, incident in found.items() if incident is not None}

    def incidents(self, *, limit: int, open_only: bool = False) -> tuple[Incident, ...]:
        """Return incidents, open ones first, then newest first."""
        with self._explained():
            return lists.incidents(self._table, limit=limit, open_only=open_only)

    def arrivals(self, incident_id: str) -> tuple[Arrival, ...]:
        """Return what arrived for an incident, oldest first."""
        together = self._all(tuple[Arrival, ...], keys.incident(incident_id).pk, "ARR#", "ARR#~")
        return tuple(sorted((each for arrived in together for each in arrived), key=lambda arrival: arrival.at))

    def runbook(self, digest: str) -> Runbook:
        """Return a compiled runbook that some execution uses. Raises UnknownRunbook."""
        item = self._item(keys.one("DIGEST", digest))
        if item is None:
            raise UnknownRunbook(f"the journal keeps no runbook with digest {digest}")
        with self._explained():
            return body_of(item, Runbook)

    def keep_runbook(self, runbook: Runbook) -> None:
        """Keep a compiled runbook by its digest."""
        with self._explained():
            settle(self._table, lambda work: deliveries.keep_runbooks(work, (runbook,)))

    def record_change(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change that somebody made; the same one is kept once."""
        with self._explained():
            settle(self._table, lambda work: changes.record_change(work, self._table, target, event, self._serial))

    def recorded_changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the kept changes of a target since then, newest first, 500 at most."""
        with self._explained():
            return changes.recorded_changes(self._table, target, since)

    def counts(self) -> Mapping[str, int]:
        """Return numbers for metrics: `executions.<status>`, `incidents.open`, `signals.waiting`."""
        with self._explained():
            return lists.counts(self._table)

    def _judged(self, intake: Intake) -> dict[str, Incident]:
        """Judge a whole delivery, and return its incidents as they are stored. Raises StaleVersion."""
        work = Work(self._table)
        deliveries.judge(work, intake)
        stored = {incident.id: work.get(keys.incident(incident.id)) for incident in intake.incidents}
        return {name: body_of(item, Incident) for name, item in stored.items() if item is not None}

    def _store(self, part: Delivery) -> None:
        settle(self._table, lambda work: deliveries.store(work, part, self._serial))

    def _lead(self, joins: Sequence[Join]) -> None:
        """Let alerts follow what they are about to join, when they are too many for the commit that joins them.

        If that commit never comes, an execution hears of alerts that it has no part in, which it ignores.
        """
        if len(joins) <= MOST_JOINS:
            return
        for begin in range(0, len(joins), MOST_JOINS):
            some = joins[begin : begin + MOST_JOINS]
            settle(self._table, partial(deliveries.lead, joined=some))

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._table.name)

    def _item(self, place: Key) -> Item | None:
        return self._table.read([place]).get(place)

    def _all(self, kind: type[Kind], pk: str, low: str, high: str) -> tuple[Kind, ...]:
        with self._explained():
            return bodies_of(self._table.query(pk, low, high), kind)
