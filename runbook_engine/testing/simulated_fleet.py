"""A simulated fleet: nodes, the pods on them and their disruption budgets, as simulated time passes.

A pod that is asked to leave is terminating for a while, then its controller makes another one elsewhere, which is
ready a while later. On a node whose kubelet does not answer nothing ever leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from runbook_engine.model.node import DisruptionBudget, Node, Owner, Phase, Pod
from runbook_engine.model.observation import Workload
from runbook_engine.model.target import Target

OWN_GRACE = timedelta(seconds=30)  # what Kubernetes gives a pod that says nothing


@dataclass(slots=True, kw_only=True)
class SimulatedNode:
    """The state of one node, as a reader sees it, and how many pods it takes."""

    seen: Node
    capacity: int = 110
    address: str = ""

    @property
    def takes_pods(self) -> bool:
        """Whether a scheduler would put a pod there."""
        return self.seen.ready and not self.seen.cordoned and not self.seen.deleting

    def edit(self, **changes: object) -> None:
        """Change what a reader sees."""
        self.seen = msgspec.structs.replace(self.seen, **changes)


@dataclass(slots=True, kw_only=True)
class SimulatedPod:
    """The state of one pod. `owed` is how much its place counted as ready when the test began: 1 or 0."""

    target: Target
    node: str
    workload: Target | None = None
    owner: Owner | None = None
    owner_exists: bool = True
    phase: Phase = "Running"
    ready: bool = True
    heals: bool = True  # what replaces it becomes ready
    owed: int = 1
    mirror: bool = False
    empty_dirs: tuple[str, ...] = ()
    finalizers: tuple[str, ...] = ()
    tolerates_cordon: bool = False
    ignored: str = ""
    waiting: str = ""
    restarts: int = 0
    stop_time: timedelta = timedelta(seconds=5)
    start_time: timedelta = timedelta(seconds=10)
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    gone_at: datetime | None = None
    ready_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When something happens to it next."""
        return self.gone_at or self.ready_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBudget:
    """A disruption budget over the pods of one workload."""

    name: str
    workload: Target
    wanted: int
    problem: str = ""


@dataclass(slots=True)
class SimulatedFleet:
    """Everything that runs, and what becomes of it. `workload` is one as it is now, None when there is none."""

    workload: Callable[[Target], Workload | None]
    nodes: dict[str, SimulatedNode] = field(default_factory=dict)
    pods: dict[str, SimulatedPod] = field(default_factory=dict)
    budgets: list[SimulatedBudget] = field(default_factory=list)
    _made: int = 0

    def put(self, pod: SimulatedPod) -> None:
        """Let a pod run."""
        self.pods[pod.target.key] = pod

    def advance(self, now: datetime) -> None:
        """Let happen what is due, one after the other."""
        while due := [(pod.due_at, key) for key, pod in self.pods.items() if pod.due_at and pod.due_at <= now]:
            at, key = min(due, key=lambda entry: entry[0])
            self._happen(self.pods[key], at)
        for pod in [pod for pod in self.pods.values() if not pod.node and pod.deleted_at is None]:
            self._schedule(pod, now)

    def moving(self, now: datetime) -> bool:
        """Whether anything is on its way."""
        self.advance(now)
        return any(pod.due_at is not None for pod in self.pods.values())

    def ask_to_leave(self, pod: SimulatedPod, now: datetime, grace: timedelta | None = None) -> None:
        """Give a pod its deletion time stamp; asked again, nothing changes."""
        if pod.deleted_at is not None:
            return
        granted = OWN_GRACE if grace is None else grace
        pod.deleted_at, pod.ready_at = now + granted, None
        if self._leaves(pod):
            pod.gone_at = now + min(granted, pod.stop_time)

    def edit_node(self, key: str, now: datetime, **changes: object) -> None:
        """Change a node. While its kubelet is silent nothing leaves; once it answers, what was asked to leave does."""
        self.advance(now)
        node = self.nodes[key]
        node.edit(**changes)
        for pod in self.pods.values():
            if pod.node == node.seen.target.name and pod.deleted_at is not None:
                pod.gone_at = (pod.gone_at or now + pod.stop_time) if self._leaves(pod) else None

    def remove_node(self, key: str, now: datetime) -> None:
        """Take a node away; the pods on it go with it, and come back elsewhere."""
        self.advance(now)
        name = self.nodes.pop(key).seen.target.name
        for pod in self.pods.values():
            if pod.node == name:
                pod.deleted_at, pod.gone_at, pod.ready_at = pod.deleted_at or now, now, None
        self.advance(now)

    def serves(self, pod: SimulatedPod) -> bool:
        """Whether a pod counts as ready: it is, it is not on its way out, and its kubelet says so."""
        return pod.deleted_at is None and self._is_ready(pod)

    def away(self, workload: Target, now: datetime) -> int:
        """Return how many replicas fewer are ready than when the test began."""
        self.advance(now)
        return sum(pod.owed - self.serves(pod) for pod in self.pods_of(workload))

    def pods_of(self, workload: Target) -> Iterator[SimulatedPod]:
        """Return the pods of a workload."""
        return (pod for pod in self.pods.values() if pod.workload is not None and pod.workload.key == workload.key)

    def pods_on(self, node: Target) -> Iterator[SimulatedPod]:
        """Return the pods on a node."""
        return (pod for pod in self.pods.values() if (pod.node, pod.target.place) == (node.name, node.place))

    def room(self, besides: Target) -> tuple[int, int]:
        """Return for how many pods there is room on the other nodes, and how many nodes those are."""
        others = [
            node
            for node in self.nodes.values()
            if node.takes_pods and node.seen.target.place == besides.place and node.seen.target.name != besides.name
        ]
        return sum(max(0, self._free(node)) for node in others), len(others)

    def seen(self, pod: SimulatedPod) -> Pod:
        """Return a pod as a reader sees it."""
        return Pod(
            target=pod.target,
            node=pod.node,
            phase=pod.phase,
            ready=self._is_ready(pod),
            owner=pod.owner,
            owner_exists=pod.owner_exists,
            mirror=pod.mirror,
            empty_dirs=pod.empty_dirs,
            created_at=pod.created_at,
            deleted_at=pod.deleted_at,
            finalizers=pod.finalizers,
            tolerates_cordon=pod.tolerates_cordon,
            ignored=pod.ignored,
            waiting=pod.waiting,
            restarts=pod.restarts,
            budgets=tuple(self._count(budget) for budget in self.budgets if _covers(budget, pod)),
        )

    def _happen(self, pod: SimulatedPod, at: datetime) -> None:
        if pod.gone_at is None:
            pod.ready_at, pod.phase, pod.ready = None, "Running", True
            return
        del self.pods[pod.target.key]
        if pod.owner is not None and pod.owner_exists and pod.phase in ("Running", "Pending"):
            self._replace(pod, at)

    def _replace(self, gone: SimulatedPod, at: datetime) -> None:
        """Do as its controller does. A StatefulSet gives the name again, a DaemonSet stays on its node."""
        assert gone.owner is not None, "only a controller replaces a pod"
        self._made += 1
        kept = gone.owner.kind == "StatefulSet"
        name = gone.target.name if kept else f"{gone.owner.name}-new{self._made}"
        target = msgspec.structs.replace(gone.target, name=name, uid=f"{gone.target.uid.split('+')[0]}+{self._made}")
        pod = SimulatedPod(
            target=target,
            node=gone.node if gone.owner.kind == "DaemonSet" else "",
            workload=gone.workload,
            owner=gone.owner,
            phase="Pending",
            ready=False,
            heals=gone.heals,
            owed=gone.owed,
            empty_dirs=gone.empty_dirs,
            tolerates_cordon=gone.tolerates_cordon,
            ignored=gone.ignored,
            waiting="" if gone.heals else gone.waiting,
            stop_time=gone.stop_time,
            start_time=gone.start_time,
            created_at=at,
        )
        self.put(pod)
        if pod.node:
            self._start(pod, at)
        else:
            self._schedule(pod, at)

    def _schedule(self, pod: SimulatedPod, at: datetime) -> None:
        """Put a pod where most room is; without room it stays pending."""
        fit = [
            node
            for node in self.nodes.values()
            if node.seen.target.place == pod.target.place and self._free(node) > 0
            and (node.takes_pods or (pod.tolerates_cordon and node.seen.ready))
        ]  # fmt: skip
        if fit:
            # What tolerates a cordon is put straight back, which is the case that a drain must survive.
            best = min(fit, key=lambda node: (not node.seen.cordoned, -self._free(node), node.seen.target.name))
            pod.node = best.seen.target.name
            self._start(pod, at)

    def _start(self, pod: SimulatedPod, at: datetime) -> None:
        pod.phase = "Running" if not pod.heals else pod.phase
        pod.ready_at = at + pod.start_time if pod.heals else None

    def _is_ready(self, pod: SimulatedPod) -> bool:
        node = self.nodes.get(self._key_of(pod))
        return pod.ready and node is not None and node.seen.ready

    def _leaves(self, pod: SimulatedPod) -> bool:
        node = self.nodes.get(self._key_of(pod))
        return not pod.finalizers and (node is None or node.seen.ready)

    def _free(self, node: SimulatedNode) -> int:
        return node.capacity - sum(1 for _ in self.pods_on(node.seen.target))

    def _key_of(self, pod: SimulatedPod) -> str:
        return Target("node", pod.target.place, "", pod.node).key

    def _count(self, budget: SimulatedBudget) -> DisruptionBudget:
        workload, pods = self.workload(budget.workload), list(self.pods_of(budget.workload))
        healthy = sum(self.serves(pod) for pod in pods) if workload is None else workload.ready
        return DisruptionBudget(
            name=budget.name,
            allowed=max(0, healthy - budget.wanted),
            healthy=healthy,
            wanted=budget.wanted,
            expected=len(pods) if workload is None else workload.replicas,
            problem=budget.problem,
        )


def _covers(budget: SimulatedBudget, pod: SimulatedPod) -> bool:
    return pod.workload is not None and pod.workload.key == budget.workload.key
