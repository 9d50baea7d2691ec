"""What the tests of automations stand on."""

from collections.abc import Iterator

import pytest

from tests.contract.automations.rigs import CONFIGURATION, SsmAutomationRig
from tests.contract.functions.bed import Bed, Workshop


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """moto, as long as this module runs."""
    with Workshop.open() as opened:
        yield opened


@pytest.fixture
def ssm_rig(workshop: Workshop) -> Iterator[SsmAutomationRig]:
    """One pinned automation."""
    with Bed.on(workshop, configuration=CONFIGURATION) as bed:
        yield SsmAutomationRig(bed)
