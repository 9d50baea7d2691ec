"""What the tests of queues stand on."""

from collections.abc import Iterator

import pytest

from tests.contract.functions.bed import Bed, Workshop
from tests.contract.queues.rigs import SqsRig


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """moto, as long as this module runs."""
    with Workshop.open() as opened:
        yield opened


@pytest.fixture
def sqs_rig(workshop: Workshop) -> Iterator[SqsRig]:
    """A dead-letter queue over moto."""
    with Bed.on(workshop) as bed:
        yield SqsRig(bed)
