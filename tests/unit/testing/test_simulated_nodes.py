"""Simulated nodes: pods leave in time, come back where a scheduler would put them, and a silent kubelet holds them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.eviction import EvictionRules
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.simulated_fleet import SimulatedPod

SECOND = timedelta(seconds=1)
RULES = EvictionRules()
WEB = Target("deployment", "local", "apps", "web")


def cluster(**pod: object) -> tuple[SimulatedWorld, Target, SimulatedPod]:
    """Return a cluster of two nodes with one pod on the first, of a deployment of one."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.add_node("worker-2")
    simulated.deploy("apps", "web", replicas=1)
    running = simulated.add_pod("apps", "web-0", node, WEB)
    for name, value in pod.items():
        setattr(running, name, value)
    return simulated, node, running


def drain(simulated: SimulatedWorld, node: Target) -> None:
    """Cordon a node and ask its one pod to leave."""
    simulated.nodes.cordon(node)
    simulated.nodes.evict(node, RULES, limit=5)


def on(simulated: SimulatedWorld, name: str) -> list[str]:
    """Return the pods on a node."""
    return [pod.target.name for pod in simulated.nodes.seen_on(Target("node", "local", "", name))]


def test_pod_is_terminating_gone_and_replaced_when_time_passes() -> None:
    """The deletion time stamp is when it was asked plus its grace; the workload is short until the next is ready."""
    simulated, node, pod = cluster()

    drain(simulated, node)
    terminating = simulated.nodes.pod(pod.target)
    simulated.push(5 * SECOND)
    starting = (on(simulated, "worker-1"), on(simulated, "worker-2"), simulated.seen(WEB).ready)
    simulated.push(10 * SECOND)

    assert terminating.deleted_at == simulated.clock.start + 30 * SECOND
    assert starting == ([], ["web-rs-new1"], 0)
    assert simulated.seen(WEB).ready == 1
    assert not simulated.nodes.moving()


def test_short_grace_ends_a_pod_sooner_when_it_is_given() -> None:
    """A pod that would take five seconds gets two."""
    simulated, node, _ = cluster()
    simulated.nodes.cordon(node)
    simulated.nodes.evict(node, EvictionRules(grace=2 * SECOND), limit=5)

    simulated.push(2 * SECOND)

    assert on(simulated, "worker-1") == []


def test_stateful_pod_keeps_its_name_when_it_comes_back() -> None:
    """With another uid."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.add_node("worker-2")
    store = simulated.deploy("apps", "store", replicas=1, kind="statefulset")
    pod = simulated.add_pod("apps", "store-0", node, store)

    drain(simulated, node)
    simulated.settle()

    again = simulated.nodes.pod(pod.target)
    assert (again.node, again.ready) == ("worker-2", True)
    assert again.target.uid != pod.target.uid


def test_pods_stay_when_the_kubelet_is_silent_and_leave_when_it_answers() -> None:
    """Nothing confirms a deletion on a node that does not answer, even one that was under way."""
    simulated, node, _ = cluster()
    drain(simulated, node)

    simulated.nodes.edit(node, ready=False)
    simulated.push(timedelta(minutes=10))
    silent = on(simulated, "worker-1")
    simulated.nodes.edit(node, ready=True)
    simulated.push(5 * SECOND)

    assert (silent, on(simulated, "worker-1")) == (["web-0"], [])


def test_pod_with_a_finalizer_stays_when_it_was_asked() -> None:
    """Until whoever set it takes it away."""
    simulated, node, _ = cluster(finalizers=("example.com/keep",))

    drain(simulated, node)
    simulated.push(timedelta(minutes=10))

    assert on(simulated, "worker-1") == ["web-0"]


def test_workload_is_short_when_the_node_of_its_pods_is_not_ready() -> None:
    """A pod on a silent node does not count as ready."""
    simulated, node, _ = cluster()

    simulated.nodes.edit(node, ready=False)

    assert simulated.seen(WEB).ready == 0


def test_pod_that_does_not_heal_stays_broken_when_it_is_replaced() -> None:
    """Its successor waits for the same reason."""
    simulated, node, _ = cluster(ready=False, owed=0, waiting="CrashLoopBackOff", heals=False)

    drain(simulated, node)
    simulated.settle()

    [pod] = simulated.nodes.pods(WEB)
    assert (pod.ready, pod.waiting, pod.node) == (False, "CrashLoopBackOff", "worker-2")


def test_pod_is_pending_when_no_node_has_room_and_starts_when_one_has() -> None:
    """A scheduler waits for room."""
    simulated, node, _ = cluster()
    other = simulated.nodes.fleet.nodes[Target("node", "local", "", "worker-2").key]
    other.capacity = 0

    drain(simulated, node)
    simulated.push(timedelta(minutes=1))
    [pending] = simulated.nodes.pods(WEB)
    other.capacity = 1
    simulated.settle()

    assert (pending.node, pending.phase) == ("", "Pending")
    assert simulated.seen(WEB).ready == 1


def test_pods_come_back_elsewhere_when_their_node_is_taken_away() -> None:
    """And the node is no longer there to be read."""
    simulated, node, _ = cluster()

    simulated.nodes.remove_node(node)
    simulated.settle()

    assert on(simulated, "worker-2") == ["web-rs-new1"]
    with pytest.raises(InvalidTarget):
        simulated.nodes.node(node)


def test_budget_counts_go_down_when_a_pod_leaves_and_up_again_when_it_is_replaced() -> None:
    """Its numbers are those of the workload at every instant."""
    simulated, node, _ = cluster()
    simulated.cluster.state(WEB).replicas = 3
    simulated.protect("keep-web", WEB, 2)

    def numbers() -> tuple[int, int, int]:
        [budget] = simulated.nodes.pods(WEB)[0].budgets
        return budget.healthy, budget.allowed, budget.expected

    before = numbers()
    drain(simulated, node)
    leaving = numbers()
    simulated.settle()

    assert (before, leaving, numbers()) == ((3, 1, 3), (2, 0, 3), (3, 1, 3))


@pytest.mark.parametrize("name", ["worker-1", "10.0.0.1", "10.0.0.1:9100"])
def test_node_of_an_instance_is_found_by_name_or_address(name: str) -> None:
    """As exporters write it."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1", address="10.0.0.1")

    assert simulated.nodes.node_of(Target("instance", "local", "", name)).key == node.key


@pytest.mark.parametrize("method", ["node", "nodes", "pods", "pod", "headroom", "workload_of", "node_of"])
def test_looking_fails_when_nodes_are_made_unreadable(method: str) -> None:
    """Every look at nodes, and none is an answer."""
    simulated, node, pod = cluster()
    simulated.faults.make_unreadable("nodes")
    argument = {"nodes": "local", "pod": pod.target, "workload_of": pod.target, "node_of": pod.target}.get(method, node)

    with pytest.raises(Unreadable):
        getattr(simulated.world.nodes, method)(argument)
