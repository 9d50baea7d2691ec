"""What the tests of functions stand on."""

from collections.abc import Iterator

import pytest

from tests.contract.functions.bed import Bed, Workshop
from tests.contract.functions.lambda_rig import LambdaRig
from tests.contract.functions.revisions import revisions


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """moto, as long as this module runs."""
    with Workshop.open() as opened:
        yield opened


@pytest.fixture
def lambda_rig(workshop: Workshop) -> Iterator[LambdaRig]:
    """A function over moto that holds changes to their revision, as AWS does."""
    with Bed.on(workshop) as bed, revisions():
        yield LambdaRig(bed)
