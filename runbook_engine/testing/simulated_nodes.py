"""Simulated nodes: reader and writer of nodes and of the pods on them, judging by the same state and the same rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Retryable
from runbook_engine.model.eviction import (
    EvictionBatch,
    EvictionRules,
    delays,
    guarding,
    name_of,
    next_batch,
    objections,
    remaining,
    remarks,
    to_go,
)
from runbook_engine.model.node import Headroom, Node, Owner, Pod
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults
from runbook_engine.testing.simulated_cluster import SimulatedCluster
from runbook_engine.testing.simulated_fleet import SimulatedBudget, SimulatedFleet, SimulatedNode, SimulatedPod

ENGINE = "runbook-engine"
CONTROLLERS: Mapping[str, str] = {
    "deployment": "ReplicaSet",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job": "Job",
}
EVERYTHING = EvictionRules(empty_dir="delete", unmanaged_pods="evict")


class SimulatedNodes:
    """Reader and writer of simulated nodes and pods."""

    def __init__(
        self, clock: Clock, faults: Faults, cluster: SimulatedCluster, changed: Callable[[Target, str], None]
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._cluster = cluster
        self._changed = changed
        self.fleet = SimulatedFleet(self._workload)
        self.denied: dict[str, str] = {}  # namespaces whose pods a rule lets not go, and why

    # --- arranging --------------------------------------------------------------------------------------------

    def add(self, node: SimulatedNode) -> None:
        """Put a node into the cluster."""
        self.fleet.nodes[node.seen.target.key] = node

    def add_pod(self, pod: SimulatedPod) -> None:
        """Let a pod run; its workload's ready count follows from it from now on."""
        self.fleet.put(pod)
        workload = pod.workload
        if workload is not None and self._workload(workload) is not None:
            self._cluster.state(workload).away = lambda now: self.fleet.away(workload, now)

    def protect(self, budget: SimulatedBudget) -> None:
        """Give the pods of a workload a disruption budget."""
        self.fleet.budgets.append(budget)

    def edit(self, node: Target, **changes: object) -> None:
        """Change a node as others do, by the fields of `model.node.Node`."""
        self._state(node)
        if changes.get("cordoned") is True:
            changes = {"cordoned_at": self._now, "cordoned_by": "somebody", **changes}
        self.fleet.edit_node(node.key, self._now, **changes)

    def remove_node(self, node: Target) -> None:
        """Take a node away, as a cloud does."""
        self._state(node)
        self.fleet.remove_node(node.key, self._now)

    def seen(self, node: Target) -> Node:
        """Return a node, whether or not it can be read."""
        return self._state(node).seen

    def seen_on(self, node: Target) -> tuple[Pod, ...]:
        """Return the pods on a node, whether or not they can be read."""
        self._state(node)
        self.fleet.advance(self._now)
        return tuple(self.fleet.seen(pod) for pod in self.fleet.pods_on(node))

    def moving(self) -> bool:
        """Whether any pod is on its way."""
        return self.fleet.moving(self._now)

    # --- looking ----------------------------------------------------------------------------------------------

    def node(self, target: Target) -> Node:
        """Return one node."""
        self._faults.look("nodes.node")
        return self.seen(target)

    def nodes(self, place: str) -> tuple[Node, ...]:
        """Return every node of a cluster."""
        self._faults.look("nodes.nodes")
        return tuple(node.seen for node in self.fleet.nodes.values() if node.seen.target.place == place)

    def pods(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods on a node, or those of a workload."""
        self._faults.look("nodes.pods")
        if target.kind == "node":
            return self.seen_on(target)
        if self._workload(target) is None:
            raise InvalidTarget(f"{target} does not exist in cluster {target.place!r}")
        self.fleet.advance(self._now)
        return tuple(self.fleet.seen(pod) for pod in self.fleet.pods_of(target))

    def pod(self, target: Target) -> Pod:
        """Return one pod."""
        self._faults.look("nodes.pod")
        return self.fleet.seen(self._pod(target))

    def headroom(self, target: Target) -> Headroom:
        """Return whether the pods of a node would find room on the others."""
        self._faults.look("nodes.headroom")
        movable = len(remaining(self.seen_on(target), EVERYTHING, self._now))
        room, others = self.fleet.room(target)
        says = f"pods to move: {movable}, and room for {room} on other nodes ({others})"
        return Headroom(fits=movable <= room, says=says)

    def workload_of(self, pod: Target) -> Target:
        """Return the workload that a pod belongs to."""
        self._faults.look("nodes.workload_of")
        workload = self._pod(pod).workload
        if workload is None or workload.kind == "job":
            raise InvalidTarget(f"{pod} belongs to no workload")
        return workload

    def node_of(self, pod_or_instance: Target) -> Target:
        """Return the node that a pod runs on, or whose name or address an instance has."""
        self._faults.look("nodes.node_of")
        target = pod_or_instance
        name = self._pod(target).node if target.kind == "pod" else target.name.rpartition(":")[0] or target.name
        for node in self.fleet.nodes.values():
            if node.seen.target.place == target.place and name and name in (node.seen.target.name, node.address):
                return node.seen.target
        raise InvalidTarget(f"{target} is on no node of cluster {target.place!r}")

    # --- touching ---------------------------------------------------------------------------------------------

    def cordon(self, target: Target) -> Mapping[str, Value]:
        """Keep new pods off a node."""
        return self._faults.touch("nodes.cordon", str(target), True, lambda: self._cordon(target))

    def uncordon(self, target: Target) -> Mapping[str, Value]:
        """Let pods onto a node again."""
        return self._faults.touch("nodes.uncordon", str(target), False, lambda: self._uncordon(target))

    def evict(self, target: Target, rules: EvictionRules, *, limit: int) -> EvictionBatch:
        """Ask the next pods of a cordoned node to leave; each is a touch of its own."""
        if target.uid and target.key not in self.fleet.nodes:
            return EvictionBatch()  # it is gone, and has taken its pods along
        node = self._owned(target)
        if not node.cordoned:
            raise Permanent(f"cannot evict pods of {target}: it is not cordoned, so they would come straight back")
        pods, now = self.seen_on(target), self._now
        blocked = objections(pods, rules, now)
        if blocked:
            return EvictionBatch(blocked=blocked, left=len(to_go(pods, rules, now)))
        batch = next_batch(pods, rules, now, limit)
        for pod in batch:
            self._ask(pod, rules.grace)
        after = self.seen_on(target)
        return EvictionBatch(
            evicted=tuple(name_of(pod) for pod in batch),
            left=len(to_go(after, rules, now)),
            waiting=delays(after, rules, now),
            warnings=remarks(pods, rules, now),
        )

    def rehearse(self, target: Target, rules: EvictionRules) -> tuple[str, ...]:
        """Ask whether the pods of a node would be let go; `denied` namespaces let none go."""
        self._faults.look("nodes.rehearse")
        namespaces = {pod.target.namespace for pod in to_go(self.seen_on(target), rules, self._now)}
        return tuple(f"pods of {name} are not let go: {why}" for name, why in self.denied.items() if name in namespaces)

    def remove(self, pod: Target, *, evict: bool, grace: timedelta | None = None) -> Mapping[str, Value]:
        """Evict one pod, or delete it."""
        return self._faults.touch("nodes.remove", str(pod), pod.uid, lambda: self._remove(pod, grace, evict=evict))

    def _cordon(self, target: Target) -> Mapping[str, Value]:
        if self._owned(target).cordoned:
            return {"unchanged": True}
        self.fleet.edit_node(target.key, self._now, cordoned=True, cordoned_at=self._now, cordoned_by=ENGINE)
        self._changed(target, "cordoned")
        return {}

    def _uncordon(self, target: Target) -> Mapping[str, Value]:
        node = self._owned(target)
        if not node.cordoned:
            return {"unchanged": True}
        if node.cordoned_by != ENGINE:
            raise Conflict(f"{target} was cordoned by {node.cordoned_by or 'somebody'}, so it stays cordoned")
        self.fleet.edit_node(target.key, self._now, cordoned=False, cordoned_at=None, cordoned_by="")
        self._changed(target, "uncordoned")
        return {}

    def _ask(self, pod: Pod, grace: timedelta | None) -> None:
        self._faults.touch("nodes.evict", str(pod.target), pod.target.uid, lambda: self._leave(pod, grace))

    def _leave(self, pod: Pod, grace: timedelta | None) -> Mapping[str, Value]:
        self.fleet.ask_to_leave(self.fleet.pods[pod.target.key], self._now, grace)
        self._changed(pod.target, "evicted")
        return {}

    def _remove(self, target: Target, grace: timedelta | None, *, evict: bool) -> Mapping[str, Value]:
        self.fleet.advance(self._now)
        state = self.fleet.pods.get(target.key)
        if state is None or target.uid not in ("", state.target.uid):
            return {"gone": True, "unchanged": True}
        pod = self.fleet.seen(state)
        if pod.deleted_at is not None:
            return {"unchanged": True}
        budget = guarding(pod)
        if evict and budget is not None and budget.allowed < 1:
            raise Retryable(
                f"disruption budget {budget.name} needs {budget.wanted} healthy pods and has {budget.healthy}"
            )
        return self._leave(pod, grace)

    def _owned(self, target: Target) -> Node:
        try:
            node = self.seen(target)
        except InvalidTarget as error:
            if target.uid:
                raise Conflict(f"{target} is gone: somebody else has removed it") from error
            raise Permanent(str(error)) from error
        if target.uid not in ("", node.target.uid):
            raise Conflict(f"{target} is another one now: it was replaced since")
        return node

    def _state(self, target: Target) -> SimulatedNode:
        if target.key not in self.fleet.nodes:
            raise InvalidTarget(f"{target} does not exist in cluster {target.place!r}")
        return self.fleet.nodes[target.key]

    def _pod(self, target: Target) -> SimulatedPod:
        self.fleet.advance(self._now)
        if target.key not in self.fleet.pods:
            raise InvalidTarget(f"{target} does not exist in cluster {target.place!r}")
        return self.fleet.pods[target.key]

    def _workload(self, target: Target) -> Workload | None:
        try:
            return self._cluster.state(target).seen(self._now)
        except InvalidTarget:
            return None

    @property
    def _now(self) -> datetime:
        return self._clock.now()


def owner_of(workload: Target) -> Owner:
    """Return the controller that makes the pods of a workload."""
    kind = CONTROLLERS[workload.kind]
    name = f"{workload.name}-rs" if kind == "ReplicaSet" else workload.name
    return Owner(kind=kind, name=name, uid=f"uid-{kind}-{workload.place}-{workload.namespace}-{workload.name}")
