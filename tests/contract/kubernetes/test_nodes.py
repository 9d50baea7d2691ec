"""The adapter for Kubernetes keeps the contract of nodes, and finds the way from pods and addresses to workloads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
from runbook_engine.model.target import Target
from tests.contract.kubernetes.bed import OLD, OURS, PLACE, Bed, template
from tests.contract.nodes_contract import NodesContract


@dataclass
class KubernetesNodesRig:
    """Three replicas and an agent on one node of the tests' own, with other such nodes beside it."""

    bed: Bed
    reader: KubernetesNodeReader
    writer: KubernetesNodeWriter
    node: Target
    workload: Target

    def settle(self) -> None:
        """Wait until every replica is ready, nothing leaves, and the budget has counted."""
        self.bed.wait(self._is_at_rest, "rest")

    def stray(self) -> Target:
        """Put a pod that nothing controls onto the node."""
        spec = template({"app": "stray"})["spec"] | {"nodeName": self.node.name}
        made = self.bed.client.create(
            "pod", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stray"}, "spec": spec}
        )
        self.bed.wait(lambda: _phase(self.bed.client.get("pod", "stray")) == "Running", "the stray pod")
        return Target("pod", PLACE, self.bed.namespace, "stray", made["metadata"]["uid"])

    def protect(self, healthy: int) -> str:
        """Give the deployment a disruption budget."""
        spec = {"minAvailable": healthy, "selector": {"matchLabels": {"app": "web"}}}
        body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
        self.bed.client.create("budget", body)
        self.settle()
        return "web"

    def _is_at_rest(self) -> bool:
        leaving = any("deletionTimestamp" in pod["metadata"] for pod in self.bed.client.list("pod"))
        whole = self.bed.is_whole("deployment", "web") and self.bed.is_whole("daemonset", "agent")
        if leaving or not whole or [pod.ready for pod in self.reader.pods(self.workload)] != [True, True, True]:
            return False  # a status may be a moment late, pods are not
        return all((each.get("status") or {}).get("currentHealthy") == 3 for each in self.bed.client.list("budget"))


class TestKubernetesNodes(NodesContract):
    """Nodes of an emulated cluster, or of a real one's that are labelled for it."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> Iterator[KubernetesNodesRig]:
        here, *others = sorted(_names(cluster))
        node = Target("node", PLACE, "", here)
        workload = cluster.target("deployment", "web")
        reader = KubernetesNodeReader(cluster.transport, PLACE)
        writer = KubernetesNodeWriter(cluster.transport, PLACE, cluster.clock)
        rig = KubernetesNodesRig(cluster, reader, writer, node, workload)
        try:
            _mark(cluster, others, cordoned=True)
            cluster.deployment("web", replicas=3, image=OLD)
            cluster.settle("deployment", "web")
            _mark(cluster, others, cordoned=False)
            cluster.daemonset("agent", image=OLD)
            rig.settle()
            yield rig
        finally:
            _mark(cluster, [here, *others], cordoned=False)


def _names(cluster: Bed) -> list[str]:
    nodes = cluster.client.list("node", ",".join(f"{key}={value}" for key, value in OURS.items()))
    return [str(node["metadata"]["name"]) for node in nodes]


def _mark(cluster: Bed, names: list[str], *, cordoned: bool) -> None:
    for name in names:
        cluster.client.patch("node", name, {"spec": {"unschedulable": True if cordoned else None}})


def _phase(pod: dict[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase"))
