"""The in-process AWS, one for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation


@pytest.fixture
def aws() -> Iterator[Aws]:
    """An AWS without anything in it."""
    with Aws() as opened:
        yield opened


@pytest.fixture
def install(aws: Aws, tmp_path: Path) -> Callable[..., Installation]:
    """Deploys an installation."""

    def make(**wishes: Any) -> Installation:
        return Installation(aws, tmp_path, **wishes)

    return make
