"""The simulated settings keep the contract that a real cluster's adapter keeps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.simulated_settings import SimulatedSettings
from tests.contract.settings_contract import SettingsContract


@dataclass
class SimulatedSettingsRig:
    """A simulated workload, or a simulated ConfigMap, of which one key is set."""

    simulated: SimulatedWorld
    reader: SimulatedSettings
    writer: SimulatedSettings
    target: Target
    key: str
    absent: str
    text: str = "off"

    def settle(self) -> None:
        """Push the clock until nothing rolls out."""
        self.simulated.settle()


class TestSimulatedEnvironment(SettingsContract):
    """The environment of a simulated workload."""

    @pytest.fixture
    def rig(self) -> SimulatedSettingsRig:
        simulated = SimulatedWorld()
        target = simulated.deploy("apps", "checkout", replicas=2, environment={"PORT": "80", "DEGRADED": "off"})
        settings = simulated.settings
        return SimulatedSettingsRig(simulated, settings, settings, target, "env:/DEGRADED", "env:checkout/ABSENT")


class TestSimulatedConfigMap(SettingsContract):
    """A simulated ConfigMap."""

    @pytest.fixture
    def rig(self) -> SimulatedSettingsRig:
        simulated = SimulatedWorld()
        target = simulated.add_config_map("apps", "flags", {"limit": "9", "degraded": "off"})
        settings = simulated.settings
        return SimulatedSettingsRig(simulated, settings, settings, target, "data:degraded", "data:absent")
