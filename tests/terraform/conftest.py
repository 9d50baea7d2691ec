"""What is made once for all tests and all workers: the applied pipeline, and the survey of what is written."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.state import Applied, apply_pipeline
from tests.terraform.survey import Survey, survey_configurations
from tests.tools import find_tool


@pytest.fixture(scope="session")
def terraform() -> Path:
    """Return where Terraform is."""
    return find_tool("terraform")


@pytest.fixture(scope="session")
def pipeline(terraform: Path, tmp_path_factory: pytest.TempPathFactory) -> Applied:
    """Return the applied pipeline."""
    return Applied(once("pipeline", tmp_path_factory, lambda shared: apply_pipeline(terraform, shared)))


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """Return what is written in the folders of Terraform."""
    found: Survey = once("survey", tmp_path_factory, lambda _: survey_configurations())
    return found


def once(name: str, factory: pytest.TempPathFactory, make: Callable[[Path], Any]) -> Any:
    """Return what the first worker that needs it makes; the others wait and read it."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    made = shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(json.dumps(make(shared)), encoding="utf-8")
    return json.loads(made.read_text(encoding="utf-8"))
