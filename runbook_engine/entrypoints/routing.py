"""Routing: one port, several adapters. A target's place picks the adapter; without one, what is asked for raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from runbook_engine.errors import InvalidTarget, NoAdapter, Permanent
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.eviction import EvictionBatch, EvictionRules
from runbook_engine.model.node import Headroom, Node, Pod
from runbook_engine.model.observation import (
    ChangeEvent,
    ClusterEvent,
    Flag,
    Job,
    LogExcerpt,
    Message,
    Sample,
    Series,
    Setting,
    Workload,
)
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import (
    ChangeReader,
    ClusterReader,
    ClusterWriter,
    EventReader,
    FlagReader,
    FlagWriter,
    JobReader,
    JobWriter,
    LogReader,
    MetricReader,
    NodeReader,
    NodeWriter,
    Notifier,
    Port,
    SettingReader,
    SettingWriter,
)

Served = TypeVar("Served")


@dataclass(frozen=True, slots=True)
class Places(Generic[Served]):
    """Who serves a port, by place; the empty place stands for all that is not named.

    A place that is named with None is served by nobody, so that one which may only be looked at is touched by none.
    """

    port: Port
    by_place: Mapping[str, Served | None]

    def at(self, place: str) -> Served:
        """Return who serves a place. Raises NoAdapter."""
        found = self.by_place[place] if place in self.by_place else self.by_place.get("")
        if found is None:
            where = f" at {place}" if place else ""
            raise NoAdapter(f"nothing serves {self.port}{where}", f"name an adapter under adapters.{self.port}")
        return found


@dataclass(frozen=True, slots=True)
class Kinds(Generic[Served]):
    """Who serves a port, by the kind of the target where some kinds have servers of their own, and by place."""

    places: Places[Served]
    by_kind: Mapping[str, Places[Served]] = field(default_factory=dict)

    def of(self, target: Target) -> Served:
        """Return who serves a target. Raises NoAdapter."""
        return self.by_kind.get(target.kind, self.places).at(target.place)


@dataclass(frozen=True, slots=True)
class RoutedClusterReader:
    """Looks at workloads, each where it is."""

    places: Places[ClusterReader]

    def workload(self, target: Target) -> Workload:
        """Return the workload."""
        return self.places.at(target.place).workload(target)

    def glance(self, target: Target) -> Workload:
        """Return what one look shows of the workload."""
        return self.places.at(target.place).glance(target)


@dataclass(frozen=True, slots=True)
class RoutedClusterWriter:
    """Touches workloads, each where it is."""

    places: Places[ClusterWriter]

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the number of replicas, or its autoscaler's minimum."""
        return self.places.at(target.place).scale(target, replicas, expected=expected, minimum=minimum)

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica."""
        return self.places.at(target.place).restart(target, mark)

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision."""
        return self.places.at(target.place).rollback(target, revision, expected=expected)


@dataclass(frozen=True, slots=True)
class RoutedSettingReader:
    """Looks at what workloads are configured with, each where it is."""

    kinds: Kinds[SettingReader]

    def setting(self, target: Target, key: str) -> Setting:
        """Return one entry."""
        return self.kinds.of(target).setting(target, key)


@dataclass(frozen=True, slots=True)
class RoutedSettingWriter:
    """Touches what workloads are configured with, each where it is."""

    kinds: Kinds[SettingWriter]

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set or remove one entry."""
        return self.kinds.of(target).write(target, key, text, expected=expected)


@dataclass(frozen=True, slots=True)
class RoutedNodeReader:
    """Looks at nodes and pods, each where it is."""

    places: Places[NodeReader]

    def node(self, target: Target) -> Node:
        """Return one node."""
        return self.places.at(target.place).node(target)

    def nodes(self, place: str) -> tuple[Node, ...]:
        """Return every node of a cluster."""
        return self.places.at(place).nodes(place)

    def pods(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods on a node, or those of a workload."""
        return self.places.at(target.place).pods(target)

    def pod(self, target: Target) -> Pod:
        """Return one pod."""
        return self.places.at(target.place).pod(target)

    def headroom(self, target: Target) -> Headroom:
        """Return whether what a node runs would fit elsewhere."""
        return self.places.at(target.place).headroom(target)

    def workload_of(self, pod: Target) -> Target:
        """Return the workload that a pod belongs to."""
        return self.places.at(pod.place).workload_of(pod)

    def node_of(self, pod_or_instance: Target) -> Target:
        """Return the node of a pod or of an address."""
        return self.places.at(pod_or_instance.place).node_of(pod_or_instance)


@dataclass(frozen=True, slots=True)
class RoutedNodeWriter:
    """Touches nodes and pods, each where it is."""

    places: Places[NodeWriter]

    def cordon(self, target: Target) -> Mapping[str, Value]:
        """Keep new pods off a node."""
        return self.places.at(target.place).cordon(target)

    def uncordon(self, target: Target) -> Mapping[str, Value]:
        """Let pods onto a node again."""
        return self.places.at(target.place).uncordon(target)

    def evict(self, target: Target, rules: EvictionRules, *, limit: int) -> EvictionBatch:
        """Ask the next pods of a node to leave."""
        return self.places.at(target.place).evict(target, rules, limit=limit)

    def rehearse(self, target: Target, rules: EvictionRules) -> tuple[str, ...]:
        """Ask whether the pods of a node would be let go."""
        return self.places.at(target.place).rehearse(target, rules)

    def remove(self, pod: Target, *, evict: bool, grace: timedelta | None = None) -> Mapping[str, Value]:
        """Evict or delete one pod."""
        return self.places.at(pod.place).remove(pod, evict=evict, grace=grace)


@dataclass(frozen=True, slots=True)
class RoutedJobReader:
    """Looks at jobs, each where it is; the templates are the installation's."""

    places: Places[JobReader]
    templates: Mapping[str, JobTemplate]

    def template(self, name: str) -> JobTemplate:
        """Return a pinned template. Raises InvalidTarget."""
        if name not in self.templates:
            known = ", ".join(self.templates) or "none is named"
            raise InvalidTarget(f"unknown job {name!r}; known are {known} (add it under jobs in engine.yaml)")
        return self.templates[name]

    def job(self, target: Target) -> Job | None:
        """Return a job."""
        return self.places.at(target.place).job(target)


@dataclass(frozen=True, slots=True)
class RoutedJobWriter:
    """Starts jobs, each where it shall run."""

    places: Places[JobWriter]

    def start(self, target: Target, template: str, arguments: Mapping[str, str], *, digest: str) -> Mapping[str, Value]:
        """Start a job."""
        return self.places.at(target.place).start(target, template, arguments, digest=digest)


@dataclass(frozen=True, slots=True)
class RoutedEventReader:
    """Looks at what clusters say happened, each where it is."""

    places: Places[EventReader]

    def events(self, target: Target, since: datetime) -> tuple[ClusterEvent, ...]:
        """Return the events of a target."""
        return self.places.at(target.place).events(target, since)


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

    kinds: Kinds[ChangeReader]

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes."""
        return self.kinds.of(target).changes(target, since)


@dataclass(frozen=True, slots=True)
class RoutedLogReader:
    """Looks at logs, each target's where it is."""

    kinds: Kinds[LogReader]

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the last lines."""
        return self.kinds.of(target).logs(target, lines, previous=previous)


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

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the receiver's reference. Raises Permanent when nobody has this name."""
        if receiver not in self.receivers:
            known = ", ".join(self.receivers) or "none is named"
            raise Permanent(f"unknown receiver {receiver!r}; known are {known} (add it under receivers in engine.yaml)")
        return self.receivers[receiver].send(receiver, message)
