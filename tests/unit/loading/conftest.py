"""What the loading tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import Loaded, load_valid_files
from runbook_engine.registry import Registry

GOOD = Path(__file__).parents[2] / "data" / "good"


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Return the registry of what ships with the engine."""
    return Registry()


@pytest.fixture(scope="session")
def good() -> Path:
    """Return the folder of documents without an error."""
    return GOOD


@pytest.fixture(scope="session")
def loaded(registry: Registry) -> Loaded:
    """Return the good documents, loaded."""
    return load_valid_files([GOOD], registry)
