"""A simulated world: every port of the engine, in memory, under a clock that a test pushes.

Real enough that a runbook cannot tell: writes are compare-and-set, rollouts take time, metrics go stale, ports fail
on order. The contract suite that judges real adapters judges this one as well. It ships with the engine, because
whoever writes a runbook or an action needs it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from runbook_engine.errors import RunbookError
from runbook_engine.model.node import Node
from runbook_engine.model.observation import Autoscaler, ChangeEvent, Revision, Workload
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, MetricReader, World
from runbook_engine.testing.clock import EPOCH, SimulatedClock
from runbook_engine.testing.faults import Faults, Touch
from runbook_engine.testing.series import SCRAPE_PERIOD, SimulatedMetrics
from runbook_engine.testing.simulated_automations import SimulatedAutomations
from runbook_engine.testing.simulated_cluster import Remedy, SimulatedCluster, SimulatedWorkload
from runbook_engine.testing.simulated_events import SimulatedEvents
from runbook_engine.testing.simulated_fleet import SimulatedBudget, SimulatedNode, SimulatedPod
from runbook_engine.testing.simulated_functions import SimulatedAlias, SimulatedFunction, SimulatedFunctions
from runbook_engine.testing.simulated_jobs import SimulatedJobs
from runbook_engine.testing.simulated_nodes import SimulatedNodes, owner_of
from runbook_engine.testing.simulated_ports import (
    SimulatedChanges,
    SimulatedFlags,
    SimulatedInbox,
    SimulatedLogs,
    SimulatedPause,
)
from runbook_engine.testing.simulated_queues import SimulatedQueue, SimulatedQueues
from runbook_engine.testing.simulated_requests import SimulatedRequests
from runbook_engine.testing.simulated_settings import SimulatedConfigMap, SimulatedSettings

SOMEBODY = "somebody"


class SimulatedWorld:
    """The whole world of a test. `world` looks, `effects` touches, `clock` is pushed; the rest arranges."""

    def __init__(
        self, start: datetime = EPOCH, *, place: str = "local", receivers: Iterable[str] | None = None
    ) -> None:
        self.clock = SimulatedClock(start)
        self.place = place
        self.faults = Faults(self.clock)
        self.changes = SimulatedChanges(self.clock, self.faults)
        self.cluster = SimulatedCluster(self.clock, self.faults, self.changes.add_ours)
        self.flags = SimulatedFlags(self.faults, self.changes.add_ours)
        self.metrics = SimulatedMetrics(self.clock, self.faults)
        self.metric_sources: dict[str, MetricReader] = {}  # all of them are the one reader
        self.logs = SimulatedLogs(self.faults)
        self.pauses = SimulatedPause(self.faults)
        self.inbox = SimulatedInbox(self.faults, receivers)
        self.jobs = SimulatedJobs(self.clock, self.faults)
        self.functions = SimulatedFunctions(self.clock, self.faults, self.changes.add_ours)
        self.queues = SimulatedQueues(self.clock, self.faults, self.changes.add_ours)
        self.automations = SimulatedAutomations(self.clock, self.faults)
        self.requests = SimulatedRequests(self.clock, self.faults)
        self.settings = SimulatedSettings(self.clock, self.faults, self.cluster, self.changes.add_ours, self.functions)
        self.events = SimulatedEvents(self.clock, self.faults)
        self.nodes = SimulatedNodes(self.clock, self.faults, self.cluster, self.changes.add_ours)
        self.world = World(
            clock=self.clock,
            cluster=self.cluster,
            flags=self.flags,
            metrics=self.metrics,
            changes=self.changes,
            logs=self.logs,
            pauses=self.pauses,
            metric_sources=self.metric_sources,
            jobs=self.jobs,
            settings=self.settings,
            events=self.events,
            nodes=self.nodes,
            functions=self.functions,
            queues=self.queues,
            automations=self.automations,
            requests=self.requests,
        )
        self.effects = Effects(
            cluster=self.cluster,
            flags=self.flags,
            notifier=self.inbox,
            jobs=self.jobs,
            settings=self.settings,
            nodes=self.nodes,
            functions=self.functions,
            queues=self.queues,
            automations=self.automations,
            requests=self.requests,
        )

    @property
    def touches(self) -> tuple[Touch, ...]:
        """Every call of a writer, in order."""
        return tuple(self.faults.touches)

    @property
    def effects_made(self) -> tuple[Touch, ...]:
        """The calls that changed something: none lost and none doubled means one for each change."""
        return tuple(touch for touch in self.faults.touches if touch.changed and touch.method != "notifier.send")

    def push(self, by: timedelta) -> None:
        """Let time pass."""
        self.clock.push(by)

    def deploy(
        self,
        namespace: str,
        name: str,
        *,
        replicas: int,
        kind: str = "deployment",
        place: str | None = None,
        released_ago: timedelta | None = None,
        revisions: Sequence[Revision] = (),
        revision: int | None = None,
        autoscaler: Autoscaler | None = None,
        service: str = "",
        zone: str = "",
        broken: int = 0,
        mended_by: tuple[Remedy, ...] = (),
        paused: bool = False,
        rollout_time: timedelta = timedelta(seconds=10),
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Target:
        """Add a workload at rest; `released_ago` is remembered as a change by somebody.

        It has one container, named as it is, with this environment; all else is set on `cluster.state(target)`.
        """
        place = self.place if place is None else place
        target = Target(kind, place, namespace, name, uid=f"uid-{place}-{namespace}-{name}")
        now = self.clock.now()
        released_at = None if released_ago is None else now - released_ago
        kept = tuple(revisions) or (Revision(number=1, released_at=released_at),)
        workload = SimulatedWorkload(
            target=target,
            replicas=replicas,
            revision=kept[0].number if revision is None else revision,
            revisions=kept,
            service=service or name,
            zone=zone,
            settings=settings or {},
            autoscaler=autoscaler,
            paused=paused,
            broken=broken,
            mended_by=mended_by,
            rollout_time=rollout_time,
            containers={name: dict(environment or {})},
        )
        self.cluster.add(workload)
        if released_at is not None:
            self.changes.add(target, ChangeEvent(at=released_at, who=SOMEBODY, what=f"release {workload.revision}"))
        return msgspec.structs.replace(target, uid="")

    def parameter(self, name: str, place: str | None = None) -> Target:
        """Return the target of a parameter."""
        return Target("parameter", self.place if place is None else place, "", name)

    def set_parameter(self, name: str, value: str | None, *, place: str | None = None, by: str = "") -> Target:
        """Set or remove a parameter; with `by`, as a change that somebody makes now."""
        target = self.parameter(name, place)
        self.flags.put(target, value)
        if by:
            self.changes.add(target, ChangeEvent(at=self.clock.now(), who=by, what=f"set to {value!r}"))
        return target

    def add_config_map(self, namespace: str, name: str, entries: Mapping[str, str], place: str | None = None) -> Target:
        """Add a ConfigMap; all else is set on `settings.state(target)`."""
        place = self.place if place is None else place
        target = Target("configmap", place, namespace, name, uid=f"uid-{place}-{namespace}-{name}")
        self.settings.add(SimulatedConfigMap(target=target, entries=dict(entries)))
        return msgspec.structs.replace(target, uid="")

    def add_node(
        self,
        name: str,
        *,
        place: str | None = None,
        zone: str = "",
        pool: str = "",
        labels: Mapping[str, str] | None = None,
        capacity: int = 110,
        address: str = "",
    ) -> Target:
        """Add a node that is well; all else is said by `nodes.edit(target, ready=False)` and the like."""
        place = self.place if place is None else place
        target = Target("node", place, "", name, uid=f"uid-{place}-node-{name}")
        seen = Node(target=target, ready=True, zone=zone, pool=pool, labels=dict(labels or {}))
        self.nodes.add(SimulatedNode(seen=seen, capacity=capacity, address=address))
        return msgspec.structs.replace(target, uid="")

    def add_pod(
        self,
        namespace: str,
        name: str,
        node: Target,
        workload: Target | None = None,
        *,
        ready: bool = True,
        waiting: str = "",
        empty_dirs: Sequence[str] = (),
        stop_time: timedelta = timedelta(seconds=5),
        start_time: timedelta = timedelta(seconds=10),
    ) -> SimulatedPod:
        """Let a pod run on a node, of a workload or all by itself; all else is set on what is returned."""
        pod = SimulatedPod(
            target=Target("pod", node.place, namespace, name, uid=f"uid-{node.place}-{namespace}-pod-{name}"),
            node=node.name,
            workload=workload,
            owner=None if workload is None else owner_of(workload),
            ready=ready,
            owed=int(ready),
            waiting=waiting,
            empty_dirs=tuple(empty_dirs),
            stop_time=stop_time,
            start_time=start_time,
            created_at=self.clock.start - timedelta(days=1),
        )
        self.nodes.add_pod(pod)
        return pod

    def protect(self, name: str, workload: Target, wanted: int) -> None:
        """Add a disruption budget that wants so many healthy pods of a workload."""
        self.nodes.protect(SimulatedBudget(name=name, workload=workload, wanted=wanted))

    def add_function(
        self,
        name: str,
        *,
        aliases: Mapping[str, int] | None = None,
        versions: Sequence[Revision] = (),
        environment: Mapping[str, str] | None = None,
        concurrency: int | None = None,
        service: str = "",
        place: str = "",
    ) -> Target:
        """Add a function; all else is set on `functions.state_of(target)` and `functions.alias_of(target)`.

        The first alias is part of the target that is returned.
        """
        aliases = dict(aliases or {})
        target = Target("function", place, "", name)
        known = tuple(versions) or tuple(
            Revision(number=number) for number in sorted(set(aliases.values()), reverse=True)
        )
        self.functions.add(
            SimulatedFunction(
                target=target,
                versions=known,
                aliases={alias: SimulatedAlias(version) for alias, version in aliases.items()},
                environment=dict(environment or {}),
                concurrency=concurrency,
                service=service,
            )
        )
        return self.function(f"{name}:{next(iter(aliases))}" if aliases else name, place)

    def function(self, name: str, place: str = "") -> Target:
        """Return the target of a function, or of its alias."""
        return Target("function", place, "", name)

    def publish(self, target: Target, *, by: str = SOMEBODY, healthy: bool | None = None, summary: str = "") -> int:
        """Publish a new version of a function and point its alias to it, as somebody else would; return its number."""
        state = self.functions.state_of(target)
        number = max((kept.number for kept in state.versions), default=0) + 1
        new = Revision(number=number, released_at=self.clock.now(), healthy=healthy, summary=summary)
        state.versions = (new, *state.versions)
        if target.alias:
            alias = self.functions.alias_of(target)
            alias.version, alias.canary = number, ""
        self._edited(target, by, f"release {summary or number}")
        return number

    def add_queue(
        self, name: str, *, messages: int = 0, sources: Sequence[str] = (), service: str = "", place: str = ""
    ) -> Target:
        """Add a queue; all else is set on `queues.state_of(target)`."""
        target = Target("queue", place, "", name)
        self.queues.add(SimulatedQueue(target=target, messages=messages, sources=tuple(sources), service=service))
        return target

    def name_sources(self, names: Iterable[str]) -> None:
        """Let checks ask the metrics under these names too, as in `source: cloudwatch`; before an engine is built."""
        self.metric_sources.update(dict.fromkeys(names, self.metrics))

    def script(
        self,
        key: str,
        samples: str | Sequence[float | None],
        *,
        interval: timedelta = SCRAPE_PERIOD,
        stays: bool = False,
    ) -> None:
        """Add a series of samples from the start of the test on; with `stays` the last one holds for ever."""
        self.metrics.script(key, samples, interval=interval, stays=stays)

    def compute(self, key: str, function: Callable[[SimulatedWorld], float | None]) -> None:
        """Add a series that follows from the state of this world."""
        self.metrics.compute(key, lambda: function(self))

    def edit_replicas(self, target: Target, replicas: int, *, by: str = SOMEBODY) -> None:
        """Scale as somebody else would."""
        workload = self.cluster.state(target)
        workload.begin(self.clock.now(), replace=False)
        workload.replicas = replicas
        self._edited(target, by, f"replicas -> {replicas}")

    def release(self, target: Target, *, by: str = SOMEBODY, healthy: bool | None = None, summary: str = "") -> int:
        """Release a new revision as somebody else would; return its number."""
        workload = self.cluster.state(target)
        workload.begin(self.clock.now(), replace=True)
        number = max(kept.number for kept in workload.revisions) + 1
        new = Revision(number=number, released_at=self.clock.now(), healthy=healthy, summary=summary)
        workload.revision, workload.revisions = number, (new, *workload.revisions)
        self._edited(target, by, f"release {summary or number}")
        return number

    def get_stuck(self, target: Target, reason: str) -> None:
        """Let the next rollout of a workload fail with this reason; empty mends it."""
        self.cluster.state(target).stuck = reason

    def fail_next(self, method: str, error: RunbookError, *, times: int = 1, after_effect: bool = False) -> None:
        """Let the next calls of `port.method` fail, before or after their effect."""
        self.faults.fail_next(method, error, times=times, after_effect=after_effect)

    def value_of(self, name: str, place: str | None = None) -> str | None:
        """Return a parameter's value, whether or not it can be read."""
        return self.flags.values().get(self.parameter(name, place).key)

    def environment_of(self, target: Target) -> Mapping[str, str]:
        """Return the environment of a workload's first container, whether or not it can be read."""
        return next(iter(self.cluster.state(target).containers.values()), {})

    def seen(self, target: Target) -> Workload:
        """Return a workload, whether or not it can be read."""
        return self.cluster.state(target).seen(self.clock.now())

    def settle(self) -> None:
        """Let time pass until no rollout is under way, and no pod on its way."""
        while self.nodes.moving() or any(
            self.seen(target).rollout == "progressing" for target in self.cluster.targets()
        ):
            self.push(timedelta(seconds=1))

    def _edited(self, target: Target, by: str, what: str) -> None:
        self.changes.add(target, ChangeEvent(at=self.clock.now(), who=by, what=what))
