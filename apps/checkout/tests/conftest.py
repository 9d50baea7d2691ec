"""What the tests of the checkout service share."""

from pathlib import Path

import pytest

from apps.checkout.tests.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench with degraded mode off and no fault."""
    bench = Bench(tmp_path)
    bench.set_flag("false")
    return bench
