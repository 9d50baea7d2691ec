"""Every adapter for automations keeps the contract; a new one joins it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.contract.automations.automations_contract import AutomationsContract, AutomationsRig
from tests.contract.automations.rigs import SimulatedAutomationsRig

RIGS: Mapping[str, Callable[[pytest.FixtureRequest], AutomationsRig]] = {
    "ssmAutomation": lambda request: request.getfixturevalue("ssm_rig"),
    "simulated": lambda request: SimulatedAutomationsRig(),
}


class TestAutomations(AutomationsContract):
    """One pinned automation."""

    @pytest.fixture(params=RIGS)
    def rig(self, request: pytest.FixtureRequest) -> AutomationsRig:
        return RIGS[request.param](request)
