"""Readers: what the core asks of the world. `World` holds nothing else, so what gets it cannot change anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from runbook_engine.errors import NoAdapter
from runbook_engine.ports.absent import absent

if TYPE_CHECKING:
    from runbook_engine.model.configuration import JobTemplate, RequestTemplate
    from runbook_engine.model.node import Headroom, Node, Pod
    from runbook_engine.model.observation import (
        ChangeEvent,
        ClusterEvent,
        Flag,
        Job,
        LogExcerpt,
        Pause,
        Sample,
        Series,
        Setting,
        Workload,
    )
    from runbook_engine.model.request import RequestState
    from runbook_engine.model.serverless import AutomationRun, AutomationTemplate, Function, Queue
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

    def glance(self, target: Target) -> Workload:
        """Return what can be seen of the workload in one look, for who asks again and again while it rolls out.

        Its revisions, its autoscaler and what surrounds it may be missing. Raises as `workload` does.
        """
        ...


class SettingReader(Protocol):
    """Looks at what a workload is configured with. A key is `env:CONTAINER/NAME` or, of a ConfigMap, `data:KEY`.

    An empty CONTAINER means the only one; a workload with several raises InvalidTarget.
    """

    def setting(self, target: Target, key: str) -> Setting:
        """Return one entry. Raises InvalidTarget when the target or the container does not exist, Unreadable."""
        ...


class NodeReader(Protocol):
    """Looks at nodes and at the pods on them."""

    def node(self, target: Target) -> Node:
        """Return one node. Raises InvalidTarget when it does not exist, Unreadable otherwise."""
        ...

    def nodes(self, place: str) -> tuple[Node, ...]:
        """Return every node of a cluster. Raises Unreadable."""
        ...

    def pods(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods on a node, or those of a workload. Raises InvalidTarget, Unreadable."""
        ...

    def pod(self, target: Target) -> Pod:
        """Return one pod. Raises InvalidTarget when it does not exist, Unreadable otherwise."""
        ...

    def headroom(self, target: Target) -> Headroom:
        """Return whether what a node runs would fit onto the others. Raises Unreadable."""
        ...

    def workload_of(self, pod: Target) -> Target:
        """Return the workload that a pod belongs to, through its owners. Raises InvalidTarget, Unreadable."""
        ...

    def node_of(self, pod_or_instance: Target) -> Target:
        """Return the node that a pod runs on, or whose address an instance has. Raises InvalidTarget, Unreadable."""
        ...


class JobReader(Protocol):
    """Looks at jobs, and at the templates that engine.yaml allows."""

    def template(self, name: str) -> JobTemplate:
        """Return a pinned template. Raises InvalidTarget when engine.yaml names none of that name."""
        ...

    def job(self, target: Target) -> Job | None:
        """Return a job, None when there is none. Raises Unreadable."""
        ...


class FunctionReader(Protocol):
    """Looks at functions and their aliases. A target's name is `NAME` or `NAME:ALIAS`."""

    def function(self, target: Target) -> Function:
        """Return the function as it is now. Raises InvalidTarget when it or its alias does not exist, Unreadable."""
        ...


class QueueReader(Protocol):
    """Looks at queues."""

    def queue(self, target: Target) -> Queue:
        """Return the queue as it is now. Raises InvalidTarget when it does not exist, Unreadable."""
        ...


class AutomationReader(Protocol):
    """Looks at the pinned automations of engine.yaml, and at their runs."""

    def template(self, name: str) -> AutomationTemplate:
        """Return a pinned automation. Raises InvalidTarget when engine.yaml names none of that name."""
        ...

    def run(self, template: str, run_id: str) -> AutomationRun | None:
        """Return one run, None when there is none. Raises Unreadable."""
        ...


class RequestReader(Protocol):
    """Looks at the pinned requests of engine.yaml, and at what became of one."""

    def template(self, name: str) -> RequestTemplate:
        """Return a pinned request. Raises InvalidTarget when engine.yaml names none of that name."""
        ...

    def state(self, name: str, arguments: Mapping[str, str], answer_id: str) -> RequestState:
        """Return how far a request is that was sent with these arguments. Raises Unreadable."""
        ...


class SecretReader(Protocol):
    """Looks up secrets."""

    def secret(self, path: str) -> str:
        """Return a secret, at most five minutes old. Raises NoAdapter when there is none, Unreadable."""
        ...


class BundleReader(Protocol):
    """Fetches the compiled runbooks of an installation."""

    def bundle(self) -> bytes:
        """Return the bytes whose digest was asked for. Raises Unreadable, also when they are others."""
        ...


class EventReader(Protocol):
    """Looks at what a cluster says happened."""

    def events(self, target: Target, since: datetime) -> tuple[ClusterEvent, ...]:
        """Return the events of a target and of its pods since then, newest first. Raises Unreadable."""
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


class ChangeWatcher(Protocol):
    """Tells of changes as they happen, in a thread of its own."""

    def watch(self, tell: Callable[[Target, ChangeEvent], None], stopped: Callable[[], bool]) -> None:
        """Tell of every change until stopped. Raises Unreadable when the source is lost: watch again."""
        ...


class LogReader(Protocol):
    """Looks at logs."""

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the last lines of the target's logs; `previous`: of the containers before. Raises Unreadable."""
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
    settings: SettingReader = field(default_factory=lambda: absent("settings"))
    nodes: NodeReader = field(default_factory=lambda: absent("nodes"))
    jobs: JobReader = field(default_factory=lambda: absent("jobs"))
    events: EventReader = field(default_factory=lambda: absent("events"))
    functions: FunctionReader = field(default_factory=lambda: absent("functions"))
    queues: QueueReader = field(default_factory=lambda: absent("queues"))
    automations: AutomationReader = field(default_factory=lambda: absent("automations"))
    requests: RequestReader = field(default_factory=lambda: absent("requests"))

    def metric_reader(self, source: str) -> MetricReader:
        """Return the metric reader of that name, the default one for the empty name. Raises NoAdapter."""
        if not source:
            return self.metrics
        if source not in self.metric_sources:
            raise NoAdapter(f"no metric reader {source!r}", hint="name it under adapters.metrics in engine.yaml")
        return self.metric_sources[source]
