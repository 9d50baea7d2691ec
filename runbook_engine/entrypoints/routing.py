"""Routing: one port, several adapters. A target's place picks the adapter; without one, what is asked for raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from runbook_engine.errors import NoAdapter, Permanent
from runbook_engine.model.observation import ChangeEvent, Flag, LogExcerpt, Message, Sample, Series, Workload
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import (
    ChangeReader,
    ClusterReader,
    ClusterWriter,
    FlagReader,
    FlagWriter,
    LogReader,
    MetricReader,
    Notifier,
    Port,
)

Served = TypeVar("Served")


@dataclass(frozen=True, slots=True)
class Places(Generic[Served]):
    """Who serves a port, by place; the empty place stands for all that is not named."""

    port: Port
    by_place: Mapping[str, Served]

    def at(self, place: str) -> Served:
        """Return who serves a place. Raises NoAdapter."""
        found = self.by_place.get(place) or self.by_place.get("")
        if found is None:
            where = f" at {place}" if place else ""
            raise NoAdapter(f"nothing serves {self.port}{where}", f"name an adapter under adapters.{self.port}")
        return found


@dataclass(frozen=True, slots=True)
class RoutedClusterReader:
    """Looks at workloads, each where it is."""

    places: Places[ClusterReader]

    def workload(self, target: Target) -> Workload:
        """Return the workload."""
        return self.places.at(target.place).workload(target)


@dataclass(frozen=True, slots=True)
class RoutedClusterWriter:
    """Touches workloads, each where it is."""

    places: Places[ClusterWriter]

    def scale(self, target: Target, replicas: int, *, expected: int) -> Mapping[str, Value]:
        """Set the number of replicas."""
        return self.places.at(target.place).scale(target, replicas, expected=expected)

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica."""
        return self.places.at(target.place).restart(target, mark)

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision."""
        return self.places.at(target.place).rollback(target, revision, expected=expected)


@dataclass(frozen=True, slots=True)
class RoutedFlagReader:
    """Looks at parameters, each where it is."""

    places: Places[FlagReader]

    def flag(self, target: Target) -> Flag | None:
        """Return the parameter."""
        return self.places.at(target.place).flag(target)


@dataclass(frozen=True, slots=True)
class RoutedFlagWriter:
    """Touches parameters, each where it is."""

    places: Places[FlagWriter]

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set or remove the parameter."""
        return self.places.at(target.place).write(target, value, expected=expected)


@dataclass(frozen=True, slots=True)
class RoutedChangeReader:
    """Looks at what others changed, each target where it is."""

    places: Places[ChangeReader]

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes."""
        return self.places.at(target.place).changes(target, since)


@dataclass(frozen=True, slots=True)
class RoutedLogReader:
    """Looks at logs, each target's where it is."""

    places: Places[LogReader]

    def logs(self, target: Target, lines: int) -> tuple[LogExcerpt, ...]:
        """Return the last lines."""
        return self.places.at(target.place).logs(target, lines)


@dataclass(frozen=True, slots=True)
class RoutedMetricReader:
    """Looks at metrics: at those of the cluster that `where` names, else at those that stand for all."""

    places: Places[MetricReader]

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the newest sample of every series."""
        return self._reader(where).query(query, where, at)

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return every series between two instants."""
        return self._reader(where).history(query, where, start, end, step)

    def _reader(self, where: Mapping[str, str]) -> MetricReader:
        return self.places.at(where.get("cluster", ""))


@dataclass(frozen=True, slots=True)
class RoutedNotifier:
    """Tells receivers, each through its own adapter."""

    receivers: Mapping[str, Notifier]

    def send(self, receiver: str, message: Message) -> None:
        """Deliver one message. Raises Permanent when nobody has this name."""
        if receiver not in self.receivers:
            known = ", ".join(self.receivers) or "none is named"
            raise Permanent(f"unknown receiver {receiver!r}; known are {known} (add it under receivers in engine.yaml)")
        self.receivers[receiver].send(receiver, message)
