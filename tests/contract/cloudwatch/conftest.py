"""What the tests of CloudWatch stand on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from runbook_engine.testing.clock import SimulatedClock
from tests.contract.functions.bed import Bed, Workshop


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    """moto, as long as this module runs."""
    with Workshop.open() as opened:
        yield opened


@pytest.fixture
def bed(workshop: Workshop) -> Iterator[Bed]:
    """An empty AWS at half past an hour that has just been: log lines and figures must not be too old."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with Bed.on(workshop, clock=SimulatedClock(hour - timedelta(minutes=30))) as made:
        yield made
