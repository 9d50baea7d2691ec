"""Ports: what the core asks of the world, as Protocols. Looking and touching are different types.

`World` holds readers only, so what gets a `World` cannot change anything: plan and dry run are safe by type.
Readers raise `Unreadable` (or `NoAdapter`) and never answer with a guess; writers raise `Conflict`,
`Retryable`, `Permanent` or `EffectUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from runbook_engine.errors import NoAdapter
from runbook_engine.model.guardrail import Claim, LastChange
from runbook_engine.model.plan import Change, Outcome, Progress, Value

if TYPE_CHECKING:
    from pydantic import BaseModel

    from runbook_engine.model.audit import AuditRecord
    from runbook_engine.model.configuration import Configuration, SecretReference
    from runbook_engine.model.episode import Episode
    from runbook_engine.model.execution import Execution
    from runbook_engine.model.incident import Arrival, Evidence, Incident, Intake
    from runbook_engine.model.observation import ChangeEvent, Flag, LogExcerpt, Message, Pause, Sample, Series, Workload
    from runbook_engine.model.runbook import Runbook
    from runbook_engine.model.signal import Signal
    from runbook_engine.model.target import Target


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...


# --- readers -------------------------------------------------------------------------------------------------


class ClusterReader(Protocol):
    """Looks at workloads."""

    def workload(self, target: Target) -> Workload:
        """Return the workload as it is now. Raises InvalidTarget when it does not exist, Unreadable otherwise."""
        ...


class FlagReader(Protocol):
    """Looks at parameters."""

    def flag(self, target: Target) -> Flag | None:
        """Return the parameter's value and version, None when it was never set. Raises Unreadable."""
        ...


class MetricReader(Protocol):
    """Looks at metrics. `where` is added to the query as escaped label matchers."""

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the newest sample of every series; empty when there is none. Raises Unreadable."""
        ...

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return every series between two instants. Raises Unreadable."""
        ...


class ChangeReader(Protocol):
    """Looks at what others changed."""

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes of a target since then, newest first. Raises Unreadable."""
        ...


class LogReader(Protocol):
    """Looks at logs."""

    def logs(self, target: Target, lines: int) -> tuple[LogExcerpt, ...]:
        """Return the last lines of the target's logs. Raises Unreadable."""
        ...


class PauseReader(Protocol):
    """Looks at the kill switch, which is stored outside the journal."""

    def pause(self, now: datetime) -> Pause | None:
        """Return the pause in force, None when there is none. Raises Unreadable, which counts as paused."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything that can be looked at; it has no method that writes."""

    clock: Clock
    cluster: ClusterReader
    flags: FlagReader
    metrics: MetricReader
    changes: ChangeReader
    logs: LogReader
    pauses: PauseReader
    metric_sources: Mapping[str, MetricReader] = field(default_factory=dict)  # besides the default one, by name

    def metric_reader(self, source: str) -> MetricReader:
        """Return the metric reader of that name, the default one for the empty name. Raises NoAdapter."""
        if not source:
            return self.metrics
        if source not in self.metric_sources:
            raise NoAdapter(f"no metric reader {source!r}", hint="name it under adapters.metrics in engine.yaml")
        return self.metric_sources[source]


# --- writers -------------------------------------------------------------------------------------------------


class ClusterWriter(Protocol):
    """Touches workloads. Each method is a compare-and-set: it raises Conflict when the world has moved.

    Each returns a receipt: what `observe` needs to find the effect again (`generation` after the write). What is
    already as wanted is left alone, whatever was expected, and the receipt says `unchanged: True`. An unknown
    workload or revision is Permanent.
    """

    def scale(self, target: Target, replicas: int, *, expected: int) -> Mapping[str, Value]:
        """Set the number of replicas (of an autoscaled workload: its autoscaler's minimum), if it is `expected`."""
        ...

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica, rolling; the same mark again does nothing."""
        ...

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision's settings, if the current revision still is `expected`."""
        ...


class FlagWriter(Protocol):
    """Touches parameters."""

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) the parameter, if its value still is `expected`; None = absent.

        Receipt: `version` after the write; a parameter that already is as wanted is left alone, whatever was
        expected, and the receipt says `unchanged: True`.
        """
        ...


class PauseWriter(Protocol):
    """Throws and lifts the kill switch."""

    def throw(self, pause: Pause) -> None:
        """Pause every change until then."""
        ...

    def lift(self) -> None:
        """End the pause; nothing happens when there is none."""
        ...


class Notifier(Protocol):
    """Tells receivers, by name."""

    def send(self, receiver: str, message: Message) -> None:
        """Deliver one message. Raises Retryable or Permanent; a second delivery of one id is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Everything that can be touched."""

    cluster: ClusterWriter
    flags: FlagWriter
    notifier: Notifier


# --- the journal ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit is durable."""

    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A claim does not hold, so nothing was stored. `until` is when it may, if that is known."""

    claim: Claim
    says: str
    until: datetime | None = None


class Ledger(Protocol):
    """The reading side of claims, for verdicts; the commit itself checks them again."""

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        ...

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        ...

    def changes_within(self, key: str, since: datetime, *, other_than: str) -> int:
        """Return how many changes of other executions stand under a budget key since then."""
        ...


class Journal(Ledger, Protocol):
    """The atomic store. A method that writes is one transaction; when it returns, it is durable."""

    def load(self, execution_id: str) -> Execution:
        """Return the newest version. Raises UnknownExecution."""
        ...

    def commit(
        self,
        execution: Execution,
        *,
        expected_version: int,
        records: Sequence[AuditRecord] = (),
        claims: Sequence[Claim] = (),
        release_locks: bool = False,
        evidence: Sequence[Evidence] = (),
        now: datetime,
    ) -> Committed | Refused:
        """Store version `expected_version + 1` with its audit records, if the stored version is the expected one.

        Claims are checked and taken in the same transaction: the first that does not hold refuses the whole.
        Due is `execution.due_at`, or now when signals wait that this version has not consumed. An execution
        that no longer absorbs gives up its slot and its followers; while unconsumed signals wait it may not:
        StaleVersion. Raises StaleVersion.
        """
        ...

    def signals(self, execution_id: str, after: int) -> tuple[Signal, ...]:
        """Return the signals with a number above `after`, in order."""
        ...

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append a signal, make the execution due now unless somebody drives it, return the signal's number."""
        ...

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return ids of executions that are due (lease expired included), longest due first."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the earliest execution becomes due."""
        ...

    def record(self, intake: Intake) -> None:
        """Store one delivery. Raises StaleVersion when an episode, incident or slot has moved."""
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

    def audit(self, execution_id: str) -> tuple[AuditRecord, ...]:
        """Return an execution's audit records, oldest first."""
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

    def counts(self) -> Mapping[str, int]:
        """Return numbers for metrics: `executions.<status>`, `incidents.open`, `signals.waiting`."""
        ...


# --- extension points ----------------------------------------------------------------------------------------

Repeat = Literal["declarative", "token", "observable", "once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One action: its parameters, its three functions, and what it declares of itself.

    `repeat` says what a resumed intent may do: apply again (declarative), apply again with the same key
    (token), look first (observable), never (once). `message_only` actions tell somebody and change nothing.
    """

    name: str
    summary: str
    params: type[BaseModel]
    prepare: Callable[[Any, Target, World], Change | None]
    apply: Callable[[Change, str, Effects], Outcome]
    observe: Callable[[Change, Mapping[str, Value], World], Progress]
    repeat: Repeat
    reversible: bool
    permissions: tuple[str, ...]
    time_limit: timedelta = timedelta(minutes=10)
    target_kinds: tuple[str, ...] = ()  # empty = any, `none` included
    message_only: bool = False
    hands_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidenced:
    """What a collector saw: text for people, points for a small chart."""

    title: str
    text: str
    points: tuple[tuple[datetime, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSpec:
    """One read-only collector of evidence; it raises Unreadable, and its failure blocks nothing."""

    name: str
    summary: str
    arguments: type[BaseModel]
    collect: Callable[[Any, Target, datetime, World], Evidenced]


Port = Literal["cluster", "flags", "metrics", "changes", "logs", "pause", "journal", "receiver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """What an adapter is built with, besides its own settings."""

    clock: Clock
    configuration: Configuration
    base: Path  # relative paths in settings start here
    state: Path  # where the host keeps its files
    secret: Callable[[SecretReference], str]
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an adapter gives for one port: something that looks, something that touches, or both."""

    reader: Any = None
    writer: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """One adapter. `settings` is a frozen msgspec Struct; unknown keys are refused before `build` is called."""

    name: str
    provides: tuple[Port, ...]
    settings: type[Any]
    build: Callable[[Port, Any, AdapterContext], Served]
