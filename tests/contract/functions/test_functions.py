"""Every adapter for functions keeps the contract; a new one joins it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.contract.functions.functions_contract import FunctionsContract, FunctionsRig
from tests.contract.functions.simulated_rig import SimulatedFunctionsRig

RIGS: Mapping[str, Callable[[pytest.FixtureRequest], FunctionsRig]] = {
    "lambda": lambda request: request.getfixturevalue("lambda_rig"),
    "simulated": lambda request: SimulatedFunctionsRig(),
}


class TestFunctions(FunctionsContract):
    """A function with three versions and an alias."""

    @pytest.fixture(params=RIGS)
    def rig(self, request: pytest.FixtureRequest) -> FunctionsRig:
        return RIGS[request.param](request)
