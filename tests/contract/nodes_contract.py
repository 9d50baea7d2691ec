"""The contract of NodeReader and NodeWriter: import the class into a test module that has a `rig` fixture.

A rig is a ready node, not cordoned, that runs at least two pods of a deployment with three replicas, all ready, and a
pod of a DaemonSet; other nodes have room for what leaves. `settle()` lets time pass until what was asked to leave has
left and what replaces it is ready.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Retryable
from runbook_engine.model.eviction import EvictionBatch, EvictionRules
from runbook_engine.model.node import Pod
from runbook_engine.model.target import Target
from runbook_engine.ports import NodeReader, NodeWriter

MOST_BATCHES = 20
RULES = EvictionRules(grace=timedelta(seconds=1))


class NodesRig(Protocol):
    """What an adapter brings to be judged."""

    reader: NodeReader
    writer: NodeWriter
    node: Target
    workload: Target

    def settle(self) -> None:
        """Let time pass until nothing moves."""

    def stray(self) -> Target:
        """Put a pod that nothing controls onto the node, and return it once it runs."""

    def protect(self, healthy: int) -> str:
        """Give the deployment a disruption budget that wants so many healthy pods, and return its name once counted."""


class NodesContract:
    """What every adapter for nodes, simulated or real, does alike."""

    def test_node_is_ready_when_nothing_is_wrong(self, rig: NodesRig) -> None:
        """A healthy node is ready, takes pods, and is known by its uid."""
        node = rig.reader.node(rig.node)

        assert (node.ready, node.cordoned, node.deleting, node.pressures) == (True, False, False, ())
        assert node.target.key == rig.node.key
        assert node.target.uid

    def test_nodes_are_all_there_when_listed(self, rig: NodesRig) -> None:
        """The list of a cluster holds the node, and others."""
        names = [node.target.name for node in rig.reader.nodes(rig.node.place)]

        assert rig.node.name in names
        assert len(names) > 1

    def test_pods_of_a_node_are_those_that_it_runs(self, rig: NodesRig) -> None:
        """Each pod names its node, its uid and its controller."""
        pods = rig.reader.pods(rig.node)

        assert {pod.node for pod in pods} == {rig.node.name}
        assert all(pod.target.uid and pod.owner is not None for pod in pods)
        assert len(_of(rig, pods)) >= 2

    def test_pods_of_a_workload_are_all_of_its_replicas(self, rig: NodesRig) -> None:
        """A deployment's pods are found on whatever node they run."""
        pods = rig.reader.pods(rig.workload)

        assert [pod.ready for pod in pods] == [True, True, True]
        assert {pod.target.namespace for pod in pods} == {rig.workload.namespace}

    def test_pod_is_the_one_that_was_named(self, rig: NodesRig) -> None:
        """One pod read by itself is the pod of the list."""
        listed = _of(rig, rig.reader.pods(rig.node))[0]

        assert listed.target == rig.reader.pod(msgspec.structs.replace(listed.target, uid="")).target

    @pytest.mark.parametrize("method", ["node", "pods", "pod", "workload_of", "node_of"])
    def test_looking_is_refused_when_there_is_no_such_thing(self, rig: NodesRig, method: str) -> None:
        """What does not exist is an invalid target, never an empty answer."""
        kind = "node" if method in ("node", "pods") else "pod"
        namespace = rig.workload.namespace if kind == "pod" else ""
        target = Target(kind, rig.node.place, namespace, "no-such-thing")

        with pytest.raises(InvalidTarget):
            getattr(rig.reader, method)(target)

    def test_workload_of_a_pod_is_its_deployment(self, rig: NodesRig) -> None:
        """Owners are followed to what one would restart."""
        pod = _of(rig, rig.reader.pods(rig.node))[0]

        assert rig.reader.workload_of(pod.target).key == rig.workload.key

    def test_workload_of_a_pod_is_refused_when_nothing_controls_it(self, rig: NodesRig) -> None:
        """A pod that stands alone belongs to no workload."""
        pod = rig.stray()

        with pytest.raises(InvalidTarget):
            rig.reader.workload_of(pod)

    def test_node_of_a_pod_is_where_it_runs(self, rig: NodesRig) -> None:
        """A pod leads to its node, uid included."""
        pod = _of(rig, rig.reader.pods(rig.node))[0]

        assert rig.reader.node_of(pod.target) == rig.reader.node(rig.node).target

    def test_headroom_is_there_when_other_nodes_are_empty(self, rig: NodesRig) -> None:
        """What the node runs fits elsewhere, and the sentence says so."""
        headroom = rig.reader.headroom(rig.node)

        assert headroom.fits
        assert headroom.says

    def test_cordon_takes_effect_when_the_node_takes_pods(self, rig: NodesRig) -> None:
        """A cordoned node says so, and since when."""
        receipt = rig.writer.cordon(rig.node)

        assert not receipt.get("unchanged")
        node = rig.reader.node(rig.node)
        assert node.cordoned
        assert node.cordoned_at is not None

    def test_cordon_is_left_alone_when_already_so(self, rig: NodesRig) -> None:
        """A cordon that is asked for twice happens once."""
        rig.writer.cordon(rig.node)

        assert rig.writer.cordon(rig.node)["unchanged"] is True

    def test_uncordon_takes_effect_when_the_cordon_was_ours(self, rig: NodesRig) -> None:
        """The node takes pods again; a second time there is nothing to do."""
        rig.writer.cordon(rig.node)

        receipt = rig.writer.uncordon(rig.node)

        assert not receipt.get("unchanged")
        assert not rig.reader.node(rig.node).cordoned
        assert rig.writer.uncordon(rig.node)["unchanged"] is True

    @pytest.mark.parametrize("method", ["cordon", "uncordon", "evict"])
    def test_writing_is_refused_when_there_is_no_such_node(self, rig: NodesRig, method: str) -> None:
        """A node that does not exist is no success."""
        with pytest.raises(Permanent):
            _write(rig, method, Target("node", rig.node.place, "", "no-such-thing"))

    @pytest.mark.parametrize("method", ["cordon", "uncordon", "evict"])
    def test_writing_conflicts_when_the_node_is_another(self, rig: NodesRig, method: str) -> None:
        """A node of the same name with another uid is not the one that was judged."""
        with pytest.raises(Conflict):
            _write(rig, method, msgspec.structs.replace(rig.node, uid="00000000-0000-0000-0000-000000000000"))

        assert not rig.reader.node(rig.node).cordoned

    def test_evict_is_refused_when_the_node_takes_pods(self, rig: NodesRig) -> None:
        """What leaves would come straight back."""
        with pytest.raises(Permanent):
            rig.writer.evict(rig.node, RULES, limit=5)

    def test_evict_empties_the_node_when_repeated(self, rig: NodesRig) -> None:
        """Batch by batch all leave but the DaemonSet's; the deployment is whole again elsewhere."""
        rig.writer.cordon(rig.node)

        batches = _drain(rig)

        assert batches[-1].left == 0
        assert not [sentence for batch in batches for sentence in batch.blocked]
        assert {pod.owner.kind for pod in rig.reader.pods(rig.node) if pod.owner is not None} == {"DaemonSet"}
        assert [pod.ready for pod in rig.reader.pods(rig.workload)] == [True, True, True]

    def test_evict_asks_one_pod_of_a_workload_when_it_has_several(self, rig: NodesRig) -> None:
        """Replicas never all leave at once, whatever the limit."""
        before = {f"{pod.target.namespace}/{pod.target.name}" for pod in _of(rig, rig.reader.pods(rig.node))}
        rig.writer.cordon(rig.node)

        batch = rig.writer.evict(rig.node, RULES, limit=50)

        assert len(before & set(batch.evicted)) == 1
        assert batch.left >= len(before)

    def test_evict_does_nothing_when_one_pod_forbids_it(self, rig: NodesRig) -> None:
        """A pod that nothing brings back forbids the whole, by name."""
        stray = rig.stray()
        rig.writer.cordon(rig.node)

        batch = rig.writer.evict(rig.node, RULES, limit=5)

        assert batch.evicted == ()
        assert batch.blocked == (
            f"pod {stray.namespace}/{stray.name} has no controller: nothing brings it back "
            "(set unmanagedPods: evict to lose it)",
        )

    def test_evict_takes_lone_pods_along_when_it_may(self, rig: NodesRig) -> None:
        """Who says that they may be lost loses them."""
        stray = rig.stray()
        rig.writer.cordon(rig.node)

        batches = _drain(rig, msgspec.structs.replace(RULES, unmanaged_pods="evict"))

        assert batches[-1].left == 0
        with pytest.raises(InvalidTarget):
            rig.reader.pod(stray)

    def test_evict_keeps_a_disruption_budget_when_there_is_one(self, rig: NodesRig) -> None:
        """With two of three wanted the drain still ends, and two serve at any time."""
        rig.protect(2)
        rig.writer.cordon(rig.node)

        serving = []
        batch = rig.writer.evict(rig.node, RULES, limit=5)
        for _ in range(MOST_BATCHES):
            serving.append(sum(pod.ready and pod.deleted_at is None for pod in rig.reader.pods(rig.workload)))
            rig.settle()
            batch = rig.writer.evict(rig.node, RULES, limit=5)
            if batch.left == 0:
                break

        assert batch.left == 0
        assert min(serving) >= 2

    def test_evict_is_blocked_when_a_budget_can_never_allow_it(self, rig: NodesRig) -> None:
        """A budget that wants every pod is not waited for."""
        budget = rig.protect(3)
        rig.writer.cordon(rig.node)

        batch = rig.writer.evict(rig.node, RULES, limit=5)

        assert batch.evicted == ()
        assert all(
            sentence.endswith(
                f" can never leave: disruption budget {budget} wants 3 healthy pods and there are meant to be 3 "
                "(lower it, or add replicas)"
            )
            for sentence in batch.blocked
        )
        assert len(batch.blocked) >= 2

    def test_remove_takes_a_pod_away_when_evicting(self, rig: NodesRig) -> None:
        """The pod goes, another takes its place, and asking again changes nothing."""
        pod = _of(rig, rig.reader.pods(rig.node))[0].target

        receipt = rig.writer.remove(pod, evict=True, grace=timedelta(seconds=1))
        rig.settle()

        assert not receipt.get("unchanged")
        pods = rig.reader.pods(rig.workload)
        assert pod.uid not in {found.target.uid for found in pods}
        assert [found.ready for found in pods] == [True, True, True]
        assert rig.writer.remove(pod, evict=True)["gone"] is True

    @pytest.mark.parametrize("evict", [True, False], ids=["evicting", "deleting"])
    def test_remove_leaves_a_namesake_alone(self, rig: NodesRig, evict: bool) -> None:
        """A pod of the same name with another uid has replaced the one that was meant."""
        pod = _of(rig, rig.reader.pods(rig.node))[0].target
        other = msgspec.structs.replace(pod, uid="00000000-0000-0000-0000-000000000000")

        receipt = rig.writer.remove(other, evict=evict)
        rig.settle()

        assert receipt["gone"] is True
        assert rig.reader.pod(pod).deleted_at is None

    def test_remove_is_put_off_when_a_budget_says_no(self, rig: NodesRig) -> None:
        """An eviction obeys the budget; the pod stays."""
        rig.protect(3)
        pod = _of(rig, rig.reader.pods(rig.node))[0].target

        with pytest.raises(Retryable):
            rig.writer.remove(pod, evict=True)

        assert rig.reader.pod(pod).deleted_at is None

    def test_remove_obeys_no_budget_when_deleting(self, rig: NodesRig) -> None:
        """A deletion is a deletion: whether a budget allows it is judged before."""
        rig.protect(3)
        pod = _of(rig, rig.reader.pods(rig.node))[0].target

        rig.writer.remove(pod, evict=False, grace=timedelta(seconds=1))
        rig.settle()

        with pytest.raises(InvalidTarget):
            rig.reader.pod(pod)


def _of(rig: NodesRig, pods: tuple[Pod, ...]) -> list[Pod]:
    """Return those that belong to the rig's deployment."""
    ours = {pod.target.uid for pod in rig.reader.pods(rig.workload)}
    return [pod for pod in pods if pod.target.uid in ours]


def _write(rig: NodesRig, method: str, target: Target) -> None:
    match method:
        case "cordon":
            rig.writer.cordon(target)
        case "uncordon":
            rig.writer.uncordon(target)
        case _:
            rig.writer.evict(target, RULES, limit=5)


def _drain(rig: NodesRig, rules: EvictionRules = RULES) -> list[EvictionBatch]:
    """Evict batch after batch until nothing is left, or for too long."""
    batches: list[EvictionBatch] = []
    while len(batches) < MOST_BATCHES:
        batches.append(rig.writer.evict(rig.node, rules, limit=5))
        if batches[-1].left == 0:
            break
        rig.settle()
    return batches
