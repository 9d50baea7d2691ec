"""Every adapter for queues keeps the contract; a new one joins it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.contract.queues.queues_contract import QueuesContract, QueuesRig
from tests.contract.queues.rigs import SimulatedQueuesRig

RIGS: Mapping[str, Callable[[pytest.FixtureRequest], QueuesRig]] = {
    "sqs": lambda request: request.getfixturevalue("sqs_rig"),
    "simulated": lambda request: SimulatedQueuesRig(),
}


class TestQueues(QueuesContract):
    """A dead-letter queue with three messages."""

    @pytest.fixture(params=RIGS)
    def rig(self, request: pytest.FixtureRequest) -> QueuesRig:
        return RIGS[request.param](request)
