"""Readers: what the core asks of the world. `World` holds nothing else, so what gets it cannot change anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from runbook_engine.errors import NoAdapter

if TYPE_CHECKING:
    from runbook_engine.model.observation import ChangeEvent, Flag, LogExcerpt, Pause, Sample, Series, Workload
    from runbook_engine.model.target import Target


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...


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
