"""The journal in memory: the same promises as the durable ones, for tests and for the scenario runner.

Every value is packed and unpacked as it is stored, so what cannot be kept in a file fails here too, and nobody's
later change to a mapping reaches what was stored.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TypeVar

import msgspec

from runbook_engine.errors import StaleVersion, UnknownExecution, UnknownIncident, UnknownRunbook
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.claims import refuse_slot
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.due import due_after_commit, due_after_signal
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group, Part
from runbook_engine.model.guardrail import Claim, LastChange, Slot
from runbook_engine.model.incident import Arrival, Evidence, Incident, Intake, Join
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal
from runbook_engine.model.standing import LOWERED, End, with_faults
from runbook_engine.model.storm import Latch
from runbook_engine.model.target import Target
from runbook_engine.ports import Committed, Refused
from runbook_engine.testing.memory_changes import MemoryChanges
from runbook_engine.testing.memory_claims import MemoryClaims
from runbook_engine.testing.memory_groups import MemoryGroups
from runbook_engine.testing.memory_inbox import MemoryInbox

Kept = TypeVar("Kept", bound=msgspec.Struct)


@dataclass(slots=True)
class _Entry:
    """One execution with all that lies beside it."""

    execution: Execution
    due: datetime | None
    signals: list[Signal] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    trace: list[bytes] = field(default_factory=list)

    @property
    def unheard(self) -> bool:
        """Whether a signal waits that nobody has consumed, nor is about to."""
        return self.execution.lease is None and len(self.signals) > self.execution.signals_consumed


class MemoryJournal:
    """The atomic store of one process, under one lock; see `Journal` for what each method promises."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.inbox = MemoryInbox(self._lock)
        self._entries: dict[str, _Entry] = {}
        self._slots: dict[str, str] = {}
        self._followers: set[tuple[str, str]] = set()  # alert key, execution id
        self._claims = MemoryClaims()
        self._changes = MemoryChanges()
        self._episodes: dict[str, Episode] = {}
        self._incidents: dict[str, Incident] = {}
        self._groups = MemoryGroups()
        self._arrivals: list[Arrival] = []
        self._runbooks: dict[str, Runbook] = {}
        self._latch = Latch()
        self._ends: dict[str, End] = {}  # by execution

    def load(self, execution_id: str) -> Execution:
        """Return the newest version. Raises UnknownExecution."""
        with self._lock:
            return self._entry(execution_id).execution

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
        following = _kept(msgspec.structs.replace(execution, version=expected_version + 1))
        kept_records, kept_evidence = [_kept(record) for record in records], [_kept(piece) for piece in evidence]
        with self._lock:
            entry = self._entry(following.id)
            _refuse_stale(entry, following, expected_version, records)
            self._refuse_lost_slots(joins, self._slots)
            refused = self._slot_refusal(entry.execution, following) or self._claims.first_refusal(
                claims, following.id, now
            )
            if refused is not None:
                return refused
            self._groups.refuse_moved(_given(group))
            for claim in claims:
                self._claims.take(claim, following.id, now)
            if release_locks:
                self._claims.release_locks(following.id)
            if entry.execution.absorbing:
                self._move(entry.execution, following)
            entry.execution = following
            entry.due = due_after_commit(following, signals=len(entry.signals), now=now)
            entry.audit.extend(kept_records)
            entry.evidence.extend(kept_evidence)
            entry.trace.extend([trace] if trace else [])
            if end is not None:
                self._ends[end.execution_id] = _kept(end)
            self._groups.store(_given(group))
            self._join(joins)
        return Committed(following.version)

    def trace(self, execution_id: str) -> tuple[bytes, ...]:
        """Return what commits said had happened, in their order."""
        with self._lock:
            entry = self._entries.get(execution_id)
            return tuple(entry.trace) if entry else ()

    def signals(self, execution_id: str, after: int) -> tuple[Signal, ...]:
        """Return the signals with a number above `after`, in order."""
        with self._lock:
            entry = self._entries.get(execution_id)
            return tuple(signal for signal in entry.signals if signal.number > after) if entry else ()

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append a signal and wake the execution. Raises UnknownExecution."""
        with self._lock:
            return self._append_signal(execution_id, signal)

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return ids of executions that are due: those that a signal waits for, then the others, longest due first."""
        with self._lock:
            entries = ((id, entry) for id, entry in self._entries.items() if entry.due is not None and entry.due <= now)
            return tuple(id for *_, id in sorted((not entry.unheard, entry.due, id) for id, entry in entries)[:limit])

    def next_due(self) -> datetime | None:
        """Return when the earliest execution becomes due."""
        with self._lock:
            return min((entry.due for entry in self._entries.values() if entry.due is not None), default=None)

    def executions(
        self, *, limit: int, incident_id: str = "", runbook: str = "", active_only: bool = False
    ) -> tuple[Execution, ...]:
        """Return executions, newest first; `active_only`: those not finished."""
        with self._lock:
            found = [
                entry.execution
                for entry in self._entries.values()
                if incident_id in ("", entry.execution.incident_id)
                and runbook in ("", entry.execution.runbook)
                and not (active_only and entry.execution.finished)
            ]
        by_id = sorted(found, key=lambda execution: execution.id)
        return tuple(sorted(by_id, key=lambda execution: execution.opened_at, reverse=True)[:limit])

    def audit(self, execution_id: str, after: int = 0) -> tuple[AuditRecord, ...]:
        """Return an execution's audit records, oldest first; those after a number."""
        with self._lock:
            entry = self._entries.get(execution_id)
            return tuple(entry.audit[after:]) if entry else ()

    def audited(self, limit: int, after: str = "") -> tuple[str, ...]:
        """Return ids of what has audit records, in order; after an id."""
        with self._lock:
            return tuple(sorted(id for id, entry in self._entries.items() if entry.audit and id > after)[:limit])

    def evidence(self, execution_id: str) -> tuple[Evidence, ...]:
        """Return what was captured before the first change, oldest first."""
        with self._lock:
            entry = self._entries.get(execution_id)
            return tuple(sorted(entry.evidence, key=lambda piece: piece.at)) if entry else ()

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        with self._lock:
            return self._claims.lock_holder(key)

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        with self._lock:
            return self._claims.last_change(key)

    def changes_within(self, key: str, since: datetime, *, other_than: str) -> int:
        """Return how many changes of other executions stand under a budget key after `since`."""
        with self._lock:
            return len(self._claims.changes_after(key, since, other_than))

    def latch(self) -> Latch:
        """Return the storm latch."""
        with self._lock:
            return self._latch

    def ends(self, runbook: str, digest: str, limit: int) -> tuple[End, ...]:
        """Return how runs of a runbook as it is written in this digest ended, newest first."""
        with self._lock:
            found = [end for end in self._ends.values() if (end.runbook, end.digest) == (runbook, digest)]
        newest = tuple(sorted(found, key=lambda end: (end.at, end.execution_id), reverse=True))
        lowering = [[end for end in newest if end.lowers_to == mode][:limit] for mode in LOWERED]
        return with_faults(newest[:limit], chain.from_iterable(lowering))

    def record(self, intake: Intake) -> None:
        """Store what one delivery means, or nothing. Raises StaleVersion, and Conflict when it was decided before."""
        with self._lock:
            self.inbox.refuse_decided(intake.delivery)
            self._refuse_moved(intake)
            self.inbox.leave(intake.delivery)
            self._episodes |= {new.alert_key: _following(new) for new in intake.episodes}
            self._incidents |= {new.id: _following(new) for new in intake.incidents}
            self._groups.store(intake.groups)
            if intake.latch is not None:
                self._latch = _following(intake.latch)
            for runbook in intake.runbooks:
                self._runbooks.setdefault(runbook.digest, _kept(runbook))
            for execution in intake.opened:
                self._open(_kept(msgspec.structs.replace(execution, version=0)))
            self._join(intake.joined)
            for execution_id, signal in intake.signals:
                if (signal.alert_key, execution_id) in self._followers:
                    self._append_signal(execution_id, signal)
            self._arrivals.extend(_kept(arrival) for arrival in intake.arrivals)

    def newest_group(self, runbook: str) -> Group | None:
        """Return the newest group of a runbook, whatever its state."""
        with self._lock:
            return self._groups.newest(runbook)

    def group(self, group_id: str) -> Group:
        """Return one group. Raises UnknownExecution."""
        with self._lock:
            return self._groups.group(group_id)

    def parts(self, group_id: str) -> tuple[Part, ...]:
        """Return every execution of a group as the group sees it, oldest first."""
        with self._lock:
            return self._groups.parts(group_id, lambda execution_id: self._entries[execution_id].execution)

    def episodes(self, alert_keys: Sequence[str]) -> Mapping[str, Episode]:
        """Return the known episodes among these alert keys."""
        with self._lock:
            return {key: self._episodes[key] for key in alert_keys if key in self._episodes}

    def open_episodes(self, seen_before: datetime, limit: int) -> tuple[Episode, ...]:
        """Return open episodes last seen before then, longest unseen first."""
        with self._lock:
            found = [new for new in self._episodes.values() if new.is_open and new.last_seen < seen_before]
        return tuple(sorted(found, key=lambda episode: (episode.last_seen, episode.alert_key))[:limit])

    def holders(self, slots: Sequence[str]) -> Mapping[str, str]:
        """Return slot -> id of the execution that absorbs for it."""
        with self._lock:
            return {slot: self._slots[slot] for slot in slots if slot in self._slots}

    def followers(self, alert_keys: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return alert key -> ids of absorbing executions that this alert has joined."""
        wanted = set(alert_keys)
        found: dict[str, tuple[str, ...]] = {}
        with self._lock:
            for alert_key, execution_id in sorted(pair for pair in self._followers if pair[0] in wanted):
                found[alert_key] = (*found.get(alert_key, ()), execution_id)
        return found

    def incident(self, incident_id: str) -> Incident:
        """Return one incident. Raises UnknownIncident."""
        with self._lock:
            if incident_id not in self._incidents:
                raise UnknownIncident(f"no incident {incident_id} (`runbook incidents` lists them)")
            return self._incidents[incident_id]

    def newest_incident(self, key: str) -> Incident | None:
        """Return the newest incident of a correlation key, open or not."""
        with self._lock:
            return next(iter(_newest(new for new in self._incidents.values() if new.key == key)), None)

    def newest_incidents(self, keys: Sequence[str]) -> Mapping[str, Incident]:
        """Return correlation key -> its newest incident, of those that have one."""
        wanted = set(keys)
        with self._lock:
            newest = _newest(new for new in self._incidents.values() if new.key in wanted)
        return {incident.key: incident for incident in reversed(newest)}

    def incidents(self, *, limit: int, open_only: bool = False) -> tuple[Incident, ...]:
        """Return incidents, open ones first, then newest first."""
        with self._lock:
            newest = _newest(self._incidents.values())
        opened = [incident for incident in newest if incident.resolved_at is None]
        resolved = [] if open_only else [incident for incident in newest if incident.resolved_at is not None]
        return tuple([*opened, *resolved][:limit])

    def arrivals(self, incident_id: str) -> tuple[Arrival, ...]:
        """Return what arrived for an incident, oldest first."""
        with self._lock:
            found = [arrival for arrival in self._arrivals if arrival.incident_id == incident_id]
        return tuple(sorted(found, key=lambda arrival: arrival.at))

    def runbook(self, digest: str) -> Runbook:
        """Return a compiled runbook that some execution uses. Raises UnknownRunbook."""
        with self._lock:
            if digest not in self._runbooks:
                raise UnknownRunbook(f"the journal keeps no runbook with digest {digest}")
            return self._runbooks[digest]

    def keep_runbook(self, runbook: Runbook) -> None:
        """Keep a compiled runbook by its digest."""
        with self._lock:
            self._runbooks.setdefault(runbook.digest, _kept(runbook))

    def record_change(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change that somebody made; the same one is kept once."""
        with self._lock:
            self._changes.record(target, _kept(event))

    def recorded_changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the kept changes of a target since then, newest first, 500 at most."""
        with self._lock:
            return self._changes.since(target, since)

    def counts(self) -> Mapping[str, int]:
        """Return numbers for metrics: `executions.<status>`, `incidents.open`, `signals.waiting`."""
        with self._lock:
            statuses = Counter(f"executions.{entry.execution.status}" for entry in self._entries.values())
            opened = sum(incident.resolved_at is None for incident in self._incidents.values())
            waiting = sum(
                max(0, len(entry.signals) - entry.execution.signals_consumed) for entry in self._entries.values()
            )
        return {**statuses, "incidents.open": opened, "signals.waiting": waiting}

    def _entry(self, execution_id: str) -> _Entry:
        if execution_id not in self._entries:
            raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")
        return self._entries[execution_id]

    def _move(self, old: Execution, new: Execution) -> None:
        """Let an execution that absorbed give up its slot for another one; or, with its followers, for good."""
        if old.slot == new.slot and new.absorbing:
            return
        if self._slots.get(old.slot) == old.id:
            del self._slots[old.slot]
        if new.absorbing:
            self._slots[new.slot] = new.id
        else:
            self._followers = {pair for pair in self._followers if pair[1] != new.id}

    def _slot_refusal(self, old: Execution, new: Execution) -> Refused | None:
        """Refuse a slot that another execution holds."""
        if not new.absorbing or new.slot == old.slot:
            return None
        claim = Slot(new.slot)
        refusal = refuse_slot(claim, new.id, self._slots.get(new.slot))
        return Refused(claim, refusal.says) if refusal else None

    def _join(self, joins: Iterable[Join]) -> None:
        for _, execution_id, signal in joins:
            self._followers.add((signal.alert_key, execution_id))
            self._append_signal(execution_id, signal)

    def _open(self, execution: Execution) -> None:
        due = due_after_commit(execution, signals=0, now=execution.opened_at)
        self._entries[execution.id] = _Entry(execution, due)
        self._groups.add(execution)
        if execution.absorbing:
            self._slots[execution.slot] = execution.id
            self._followers |= {(member.alert_key, execution.id) for member in execution.members}

    def _append_signal(self, execution_id: str, signal: Signal) -> int:
        entry = self._entry(execution_id)
        number = len(entry.signals) + 1
        entry.signals.append(_kept(msgspec.structs.replace(signal, number=number)))
        entry.due = due_after_signal(entry.due, leased=entry.execution.lease is not None, at=signal.at)
        return number

    def _refuse_moved(self, intake: Intake) -> None:
        """Raise StaleVersion unless everything in a delivery was decided on what is still so."""
        opened = intake.opened
        _refuse_versions(
            "an episode of this delivery", [(new.alert_key, new.version) for new in intake.episodes], self._episodes
        )
        _refuse_versions(
            "an incident of this delivery", [(new.id, new.version) for new in intake.incidents], self._incidents
        )
        self._groups.refuse_moved(intake.groups)
        if intake.latch is not None and intake.latch.version != self._latch.version:
            raise StaleVersion("the storm latch has moved since it was read: read it again")
        if _any_taken([execution.id for execution in opened], self._entries):
            raise StaleVersion("an execution of this delivery is there already: read the slots again")
        if _any_taken([execution.slot for execution in opened], self._slots):
            raise StaleVersion("a slot of this delivery has been taken since it was read: read it again")
        held = self._slots | {execution.slot: execution.id for execution in opened if execution.absorbing}
        self._refuse_lost_slots(intake.joined, held)

    def _refuse_lost_slots(self, joins: Iterable[Join], held: Mapping[str, str]) -> None:
        """Raise StaleVersion unless what is to be joined holds its slot."""
        for slot, execution_id, _ in joins:
            if held.get(slot) != execution_id:
                raise StaleVersion(f"slot {slot} is no longer held by execution {execution_id}: read it again")


def _refuse_stale(entry: _Entry, execution: Execution, expected_version: int, records: Sequence[AuditRecord]) -> None:
    """Raise StaleVersion unless this commit follows directly on what is stored."""
    name, waiting, audited = f"execution {execution.id}", len(entry.signals), len(entry.audit)
    if entry.execution.version != expected_version:
        raise StaleVersion(f"{name} has version {entry.execution.version}, not {expected_version}: read it again")
    if entry.execution.absorbing and not execution.absorbing and waiting > execution.signals_consumed:
        raise StaleVersion(f"{name} may not end while signal {waiting} waits: read its signals first")
    if [record.number for record in records] != list(range(audited + 1, audited + 1 + len(records))):
        raise StaleVersion(f"{name} has {audited} audit records, the next number is {audited + 1}")


def _given(group: Group | None) -> tuple[Group, ...]:
    return () if group is None else (group,)


def _refuse_versions(what: str, read: list[tuple[str, int]], stored: Mapping[str, Episode | Incident]) -> None:
    versions = dict(read)
    known = {key: stored[key].version if key in stored else 0 for key in versions}
    if known != versions or len(versions) != len(read):
        raise StaleVersion(f"{what} has moved since it was read: read it again")


def _any_taken(names: list[str], taken: Container[str]) -> bool:
    return len(set(names)) != len(names) or any(name in taken for name in names)


def _following(value: Kept) -> Kept:
    return _kept(msgspec.structs.replace(value, version=value.version + 1))  # type: ignore[attr-defined]


def _newest(incidents: Iterable[Incident]) -> list[Incident]:
    by_id = sorted(incidents, key=lambda incident: incident.id)
    return sorted(by_id, key=lambda incident: incident.opened_at, reverse=True)


def _kept(value: Kept) -> Kept:
    """Return the value as a durable journal would give it back."""
    return from_msgpack(msgspec.msgpack.encode(value), type(value))
