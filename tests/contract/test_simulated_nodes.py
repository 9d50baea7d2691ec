"""The simulated nodes keep the contract that a real cluster's adapter keeps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.simulated_nodes import SimulatedNodes
from tests.contract.nodes_contract import NodesContract


@dataclass
class SimulatedNodesRig:
    """Three simulated nodes; the first runs two of a deployment's three pods, and a pod of a DaemonSet."""

    simulated: SimulatedWorld
    reader: SimulatedNodes
    writer: SimulatedNodes
    node: Target
    workload: Target

    def settle(self) -> None:
        """Push the clock until nothing moves."""
        self.simulated.settle()

    def stray(self) -> Target:
        """Put a pod that nothing controls onto the node."""
        return self.simulated.add_pod("apps", "stray", self.node).target

    def protect(self, healthy: int) -> str:
        """Give the deployment a disruption budget."""
        self.simulated.protect("keep", self.workload, healthy)
        return "keep"


class TestSimulatedNodes(NodesContract):
    """The simulated nodes."""

    @pytest.fixture
    def rig(self) -> SimulatedNodesRig:
        simulated = SimulatedWorld()
        first, second, _ = (simulated.add_node(f"node-{number}") for number in (1, 2, 3))
        web = simulated.deploy("apps", "web", replicas=3)
        for number, node in enumerate((first, first, second)):
            simulated.add_pod("apps", f"web-{number}", node, web)
        simulated.add_pod("kube-system", "agent-1", first, Target("daemonset", "local", "kube-system", "agent"))
        return SimulatedNodesRig(simulated, simulated.nodes, simulated.nodes, first, web)
