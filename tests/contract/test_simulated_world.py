"""The simulated world keeps the contracts that real adapters keep."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runbook_engine.model.observation import Revision
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.simulated_cluster import SimulatedCluster
from runbook_engine.testing.simulated_ports import SimulatedFlags
from tests.contract.cluster_contract import ClusterContract
from tests.contract.flags_contract import FlagsContract


@dataclass
class SimulatedClusterRig:
    """A simulated deployment of three replicas at its second revision."""

    simulated: SimulatedWorld
    reader: SimulatedCluster
    writer: SimulatedCluster
    target: Target

    def settle(self) -> None:
        """Push the clock until nothing rolls out."""
        self.simulated.settle()


@dataclass
class SimulatedFlagRig:
    """A simulated parameter that was never set."""

    reader: SimulatedFlags
    writer: SimulatedFlags
    target: Target

    def settle(self) -> None:
        """A simulated write can be read at once."""


class TestSimulatedCluster(ClusterContract):
    """The simulated cluster."""

    @pytest.fixture
    def rig(self) -> SimulatedClusterRig:
        simulated = SimulatedWorld()
        revisions = (Revision(number=2), Revision(number=1, healthy=True))
        target = simulated.deploy("apps", "checkout", replicas=3, revisions=revisions)
        return SimulatedClusterRig(simulated, simulated.cluster, simulated.cluster, target)


class TestSimulatedFlags(FlagsContract):
    """The simulated flag store."""

    @pytest.fixture
    def rig(self) -> SimulatedFlagRig:
        simulated = SimulatedWorld()
        return SimulatedFlagRig(simulated.flags, simulated.flags, simulated.parameter("/checkout/degraded_mode"))
