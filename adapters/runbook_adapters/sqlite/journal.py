"""The Journal port on one SQLite file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from heapq import nsmallest
from itertools import chain
from typing import Any

import msgspec

from runbook_adapters.sqlite import changes, deliveries, executions, groups, ledger
from runbook_adapters.sqlite import records as beside
from runbook_adapters.sqlite.codec import Body, from_micros, json_list, pack, to_micros, unpack_all
from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.inbox import SqliteInbox
from runbook_engine.errors import UnknownExecution, UnknownIncident, UnknownRunbook
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.decoding import from_exact_msgpack, from_msgpack
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

MOST_KEPT = 10_000  # digests that a process remembers
MOST_ENDS_READ = 200  # ends that it has read and remembers, a kilobyte each


class SqliteJournal:
    """The atomic store of one machine; see `Journal` for what each method promises."""

    def __init__(self, database: Database) -> None:
        self.inbox = SqliteInbox(database)
        self._database = database
        self._kept: set[str] = set()  # digests of runbooks that are stored, as far as this process knows
        # The same hundred are read before every change of a runbook, and hardly ever is one of them new.
        self._read_end = lru_cache(MOST_ENDS_READ)(partial(from_msgpack, kind=End))

    def close(self) -> None:
        """Close this process's connections; nothing is lost without it."""
        self._database.close()

    def load(self, execution_id: str) -> Execution:
        """Return the newest version. Raises UnknownExecution."""
        found = self._all(Execution, "SELECT body FROM executions WHERE id = ?", execution_id)
        if not found:
            raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")
        return found[0]

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
        following = msgspec.structs.replace(execution, version=expected_version + 1)
        body = pack(following)
        with self._database.writing() as connection:
            old = executions.stored(connection, following.id)
            executions.refuse_stale(old, following, expected_version, records)
            deliveries.refuse_lost_slots(connection, joins)
            refused = executions.slot_refusal(connection, old, following) or ledger.first_refusal(
                connection, claims, following.id, now
            )
            if refused is not None:
                return refused
            groups.write_groups(connection, (group,) if group is not None else ())
            for claim in claims:
                ledger.take(connection, claim, following.id, now)
            if release_locks:
                ledger.release_locks(connection, following.id)
            executions.append_records(connection, following.id, records, evidence)
            executions.write_version(connection, following, body, old, len(records), now)
            groups.write_part(connection, following)
            beside.write_trace(connection, following.id, following.version, trace)
            beside.write_end(connection, end)
            deliveries.join(connection, joins)
        return Committed(following.version)

    def trace(self, execution_id: str) -> tuple[bytes, ...]:
        """Return what commits said had happened, in their order."""
        query = "SELECT body FROM traces WHERE execution_id = ? ORDER BY version"
        return tuple(body for (body,) in self._rows(query, execution_id))

    def signals(self, execution_id: str, after: int) -> tuple[Signal, ...]:
        """Return the signals with a number above `after`, in order."""
        query = "SELECT body FROM signals WHERE execution_id = ? AND number > ? ORDER BY number"
        return self._all(Signal, query, execution_id, after)

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append a signal and wake the execution. Raises UnknownExecution."""
        with self._database.writing() as connection:
            return executions.append_signals(connection, execution_id, (signal,))

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return ids of executions that are due: those that a signal waits for, then the others, longest due first."""
        query = (
            "SELECT due, id FROM executions INDEXED BY executions_waiting"
            " WHERE signals > consumed AND lease_until IS NULL AND due <= ?"
        )
        said = [id for _, id in nsmallest(limit, self._rows(query, to_micros(now)))]
        query = "SELECT id FROM executions WHERE due <= ? ORDER BY due, id LIMIT ?"
        rows = self._rows(query, to_micros(now), limit) if len(said) < limit else []
        return tuple(dict.fromkeys([*said, *(id for (id,) in rows)]))[:limit]

    def next_due(self) -> datetime | None:
        """Return when the earliest execution becomes due."""
        ((due,),) = self._rows("SELECT min(due) FROM executions WHERE due IS NOT NULL")
        return None if due is None else from_micros(due)

    def executions(
        self, *, limit: int, incident_id: str = "", runbook: str = "", active_only: bool = False
    ) -> tuple[Execution, ...]:
        """Return executions, newest first; `active_only`: those not finished."""
        wanted = {"incident_id = ?": incident_id, "runbook = ?": runbook}
        conditions = [condition for condition, value in wanted.items() if value] + ["finished = 0"] * active_only
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        query = f"SELECT body FROM executions {where}ORDER BY opened_at DESC, id LIMIT ?"
        return self._all(Execution, query, *filter(None, wanted.values()), limit)

    def audit(self, execution_id: str, after: int = 0) -> tuple[AuditRecord, ...]:
        """Return an execution's audit records, oldest first; those after a number."""
        query = "SELECT body FROM audit WHERE execution_id = ? AND number > ? ORDER BY number"
        return tuple(from_exact_msgpack(body, AuditRecord) for (body,) in self._rows(query, execution_id, after))

    def audited(self, limit: int, after: str = "") -> tuple[str, ...]:
        """Return ids of what has audit records, in order; after an id."""
        query = "SELECT DISTINCT execution_id FROM audit WHERE execution_id > ? ORDER BY execution_id LIMIT ?"
        return tuple(id for (id,) in self._rows(query, after, limit))

    def evidence(self, execution_id: str) -> tuple[Evidence, ...]:
        """Return what was captured before the first change, oldest first."""
        query = "SELECT body FROM evidence WHERE execution_id = ? ORDER BY at, serial"
        return self._all(Evidence, query, execution_id)

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        with self._database.reading() as connection:
            holder = ledger.lock_holder(connection, key)
        return holder.execution_id if holder else None

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        with self._database.reading() as connection:
            return ledger.last_change(connection, key)

    def changes_within(self, key: str, since: datetime, *, other_than: str) -> int:
        """Return how many changes of other executions stand under a budget key after `since`."""
        with self._database.reading() as connection:
            return len(ledger.changes_after(connection, key, since, other_than))

    def latch(self) -> Latch:
        """Return the storm latch."""
        with self._database.reading() as connection:
            return beside.read_latch(connection)

    def ends(self, runbook: str, digest: str, limit: int) -> tuple[End, ...]:
        """Return how runs of a runbook as it is written in this digest ended, newest first."""
        query = "SELECT body FROM ends WHERE runbook = ? AND digest = ? ORDER BY at DESC, execution_id DESC LIMIT ?"
        newest = self._ends(query, runbook, digest, limit)
        if len(newest) < limit:
            return newest
        query = (
            "SELECT body FROM ends WHERE runbook = ? AND digest = ? AND lowers_to = ?"
            " ORDER BY at DESC, execution_id DESC LIMIT ?"
        )
        lowering = [self._ends(query, runbook, digest, mode, limit) for mode in LOWERED]
        return with_faults(newest, chain.from_iterable(lowering))

    def record(self, intake: Intake) -> None:
        """Store what one delivery means, or nothing. Raises StaleVersion, and Conflict when it was decided before."""
        with self._database.writing() as connection:
            deliveries.write_intake(connection, intake, self._kept)
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        self._kept.update([runbook.digest for runbook in intake.runbooks])

    def newest_group(self, runbook: str) -> Group | None:
        """Return the newest group of a runbook, whatever its state."""
        query = "SELECT body FROM groups WHERE runbook = ? ORDER BY opened_at DESC, id LIMIT 1"
        return next(iter(self._all(Group, query, runbook)), None)

    def group(self, group_id: str) -> Group:
        """Return one group. Raises UnknownExecution."""
        found = self._all(Group, "SELECT body FROM groups WHERE id = ?", group_id)
        if not found:
            raise UnknownExecution(f"no group {group_id}")
        return found[0]

    def parts(self, group_id: str) -> tuple[Part, ...]:
        """Return every execution of a group as the group sees it, oldest first."""
        query = "SELECT body FROM parts WHERE group_id = ? ORDER BY opened_at, execution_id"
        return self._all(Part, query, group_id)

    def episodes(self, alert_keys: Sequence[str]) -> Mapping[str, Episode]:
        """Return the known episodes among these alert keys."""
        one = len(alert_keys) == 1  # the usual notification, at half the cost
        query = "= ?" if one else "IN (SELECT value FROM json_each(?))"
        wanted = alert_keys[0] if one else json_list(alert_keys)
        found = self._all(Episode, f"SELECT body FROM episodes WHERE alert_key {query}", wanted)
        return {episode.alert_key: episode for episode in found}

    def open_episodes(self, seen_before: datetime, limit: int) -> tuple[Episode, ...]:
        """Return open episodes last seen before then, longest unseen first."""
        query = "SELECT body FROM episodes WHERE open = 1 AND last_seen < ? ORDER BY last_seen, alert_key LIMIT ?"
        return self._all(Episode, query, to_micros(seen_before), limit)

    def holders(self, slots: Sequence[str]) -> Mapping[str, str]:
        """Return slot -> id of the execution that absorbs for it."""
        with self._database.reading() as connection:
            return deliveries.holders(connection, slots)

    def followers(self, alert_keys: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return alert key -> ids of absorbing executions that this alert has joined."""
        with self._database.reading() as connection:
            return deliveries.followers(connection, alert_keys)

    def incident(self, incident_id: str) -> Incident:
        """Return one incident. Raises UnknownIncident."""
        found = self._all(Incident, "SELECT body FROM incidents WHERE id = ?", incident_id)
        if not found:
            raise UnknownIncident(f"no incident {incident_id} (`runbook incidents` lists them)")
        return found[0]

    def newest_incident(self, key: str) -> Incident | None:
        """Return the newest incident of a correlation key, open or not."""
        return self.newest_incidents([key]).get(key)

    def newest_incidents(self, keys: Sequence[str]) -> Mapping[str, Incident]:
        """Return correlation key -> its newest incident, of those that have one."""
        newest = "SELECT id FROM incidents WHERE key = wanted.value ORDER BY opened_at DESC, id LIMIT 1"
        query = f"SELECT body FROM incidents WHERE id IN (SELECT ({newest}) FROM json_each(?) AS wanted)"
        return {incident.key: incident for incident in self._all(Incident, query, json_list(keys))}

    def incidents(self, *, limit: int, open_only: bool = False) -> tuple[Incident, ...]:
        """Return incidents, open ones first, then newest first."""
        where = "WHERE open = 1 " if open_only else ""
        query = f"SELECT body FROM incidents {where}ORDER BY open DESC, opened_at DESC, id LIMIT ?"
        return self._all(Incident, query, limit)

    def arrivals(self, incident_id: str) -> tuple[Arrival, ...]:
        """Return what arrived for an incident, oldest first."""
        query = "SELECT body FROM arrivals WHERE incident_id = ? ORDER BY at, serial"
        return self._all(Arrival, query, incident_id)

    def runbook(self, digest: str) -> Runbook:
        """Return a compiled runbook that some execution uses. Raises UnknownRunbook."""
        found = self._all(Runbook, "SELECT body FROM runbooks WHERE digest = ?", digest)
        if not found:
            raise UnknownRunbook(f"the journal keeps no runbook with digest {digest}")
        return found[0]

    def keep_runbook(self, runbook: Runbook) -> None:
        """Keep a compiled runbook by its digest."""
        with self._database.writing() as connection:
            deliveries.write_runbooks(connection, (runbook,))

    def record_change(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change that somebody made; the same one is kept once."""
        with self._database.writing() as connection:
            changes.record_change(connection, target, event)

    def recorded_changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the kept changes of a target since then, newest first, 500 at most."""
        with self._database.reading() as connection:
            return changes.recorded_changes(connection, target, since)

    def counts(self) -> Mapping[str, int]:
        """Return numbers for metrics: `executions.<status>`, `incidents.open`, `signals.waiting`."""
        rows = self._rows(
            "SELECT 'executions.' || status, executions FROM statuses WHERE executions > 0"
            " UNION ALL SELECT 'incidents.open', count(*) FROM incidents WHERE open = 1"
            " UNION ALL SELECT 'signals.waiting', coalesce(sum(signals - consumed), 0)"
            " FROM executions WHERE signals > consumed"
        )
        return dict(rows)

    def _ends(self, query: str, *parameters: object) -> tuple[End, ...]:
        with self._database.reading() as connection:
            return tuple(self._read_end(body) for (body,) in connection.execute(query, parameters).fetchall())

    def _rows(self, query: str, *parameters: object) -> list[Any]:
        with self._database.reading() as connection:
            return connection.execute(query, parameters).fetchall()

    def _all(self, kind: type[Body], query: str, *parameters: object) -> tuple[Body, ...]:
        with self._database.reading() as connection:
            return unpack_all(connection.execute(query, parameters).fetchall(), kind)
