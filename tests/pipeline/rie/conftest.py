"""The zip, unpacked, and an installation that runs it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws import Aws
from tests.packaging.lambda_zip import shared_folder
from tests.pipeline.installation import Installation
from tests.pipeline.rie.deployed import Deployed


@pytest.fixture(scope="session")
def zip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip as Lambda unpacks it."""
    return shared_folder(tmp_path_factory)


@pytest.fixture
def deploy(zip_folder: Path, tmp_path: Path) -> Iterator[Callable[..., Deployed]]:
    """Deploys an installation whose functions can be the zip's; each call ends the account of the one before."""
    with ExitStack() as stack:
        serial = count(1)

        def make(*, timeout: float = 30.0, **wishes: Any) -> Deployed:
            stack.close()
            scratch = tmp_path / str(next(serial))
            folder = scratch / "installation"
            folder.mkdir(parents=True)
            aws = stack.enter_context(Aws(clock=SimulatedClock(datetime.now(UTC))))
            installed = Installation(aws, folder, **wishes)
            return stack.enter_context(Deployed(aws, zip_folder, scratch, installed, timeout))

        yield make
