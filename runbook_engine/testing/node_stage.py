"""The nodes of a scenario: put up, edited and judged as a test document says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runbook_engine.documents.test_nodes import BudgetDocument, NodeDocument, NodeEdit, NodeExpectation, PodDocument
from runbook_engine.documents.test_world import WorldDocument
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SOMEBODY, SimulatedWorld


def put_up_nodes(simulated: SimulatedWorld, world: WorldDocument) -> None:
    """Add the nodes, pods and budgets of a test. Raises ValueError when one names what is not there."""
    for node in world.nodes:
        _add_node(simulated, node)
    for pod in world.pods:
        _add_pod(simulated, pod)
    for budget in world.budgets:
        simulated.protect(budget.name, _workload(simulated, budget.workload, budget), budget.min_available)


def edit_nodes(simulated: SimulatedWorld, edits: Iterable[NodeEdit]) -> None:
    """Change nodes as others do."""
    for change in edits:
        node = find_node(simulated, change.name, change.cluster)
        if change.ready is not None:
            simulated.nodes.edit(node, ready=change.ready, ready_reason="" if change.ready else "KubeletStopped")
        if change.cordoned is not None:
            simulated.nodes.edit(node, cordoned=change.cordoned)
        if change.gone is not None:
            simulated.nodes.remove_node(node)


def judge_nodes(simulated: SimulatedWorld, wanted: Iterable[NodeExpectation]) -> Iterator[tuple[str, object, object]]:
    """Return what is demanded of nodes, what was expected, and what is, where these differ."""
    for demand in wanted:
        node = find_node(simulated, demand.name, demand.cluster)
        seen, pods = simulated.nodes.seen(node), len(simulated.nodes.seen_on(node))
        for what, expected, actual in (("cordoned", demand.cordoned, seen.cordoned), ("pods", demand.pods, pods)):
            if expected is not None and expected != actual:
                yield f"{what} of node {demand.name}", expected, actual


def find_node(simulated: SimulatedWorld, name: str, cluster: str) -> Target:
    """Return the target of a node. Raises ValueError when the test's world has none of that name."""
    target = Target("node", cluster, "", name)
    if target.key not in simulated.nodes.fleet.nodes:
        raise ValueError(f"no node {name!r} in this test's world (add it under world.nodes)")
    return target


def _add_node(simulated: SimulatedWorld, document: NodeDocument) -> None:
    node = simulated.add_node(
        document.name,
        place=document.cluster,
        zone=document.zone,
        pool=document.pool,
        labels=document.labels,
        capacity=document.capacity,
    )
    simulated.nodes.edit(
        node,
        ready=document.ready,
        ready_reason=document.reason,
        cordoned=document.cordoned,
        pressures=document.pressures,
        ignored=document.ignored,
        holds_us=document.holds_us,
        cordoned_by=SOMEBODY if document.cordoned else "",
    )


def _add_pod(simulated: SimulatedWorld, document: PodDocument) -> None:
    workload = None
    if document.workload is not None:
        workload = _workload(simulated, document.workload, document)
    elif document.daemonset is not None:
        workload = Target("daemonset", document.cluster, document.namespace, document.daemonset)
    pod = simulated.add_pod(
        document.namespace,
        document.name,
        find_node(simulated, document.node, document.cluster),
        workload,
        ready=document.ready,
        waiting=document.waiting,
        empty_dirs=("data",) if document.empty_dir else (),
        stop_time=document.stops_in,
        start_time=document.starts_in,
    )
    pod.restarts, pod.heals = document.restarts, document.heals
    pod.mirror, pod.ignored = document.mirror, document.ignored


def _workload(simulated: SimulatedWorld, name: str, near: PodDocument | BudgetDocument) -> Target:
    """Return a workload of the test's world, in the namespace of what names it."""
    for target in simulated.cluster.targets():
        if (target.place, target.namespace, target.name) == (near.cluster, near.namespace, name):
            return target
    raise ValueError(f"no workload {near.namespace}/{name} in this test's world (add it under world.deployments)")
