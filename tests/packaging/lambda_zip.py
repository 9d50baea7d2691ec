"""The zip of the AWS host, built as `make lambda` builds it, once for a whole test run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.pipeline.installation import CONFIG, SHED

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "scripts" / "lambda_zip"
VERSION = "{}.{}".format(*sys.version_info[:2])
NAME = "runbook-engine-x86_64.zip"
DONE = "done"


def build_zip(output: Path, sources: Path, *wishes: str) -> subprocess.CompletedProcess[str]:
    """Build the zip for this interpreter from a folder of runbooks; return how that went."""
    arch = () if "--arch" in wishes else ("--arch", "x86_64")
    version = () if "--python" in wishes else ("--python", VERSION)
    config = ("--config", str(sources / "engine.yaml"))
    command = [sys.executable, str(BUILD), *arch, *version, "--runbooks", str(sources), *config]
    return subprocess.run(
        [*command, "--output", str(output), *wishes], capture_output=True, text=True, check=False, cwd=ROOT
    )


def write_sources(folder: Path) -> Path:
    """Write the small runbook and its engine.yaml that go into the zip; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shed.yaml").write_text(SHED)
    (folder / "engine.yaml").write_text(CONFIG)
    return folder


def shared_zip(factory: pytest.TempPathFactory) -> Path:
    """Return the zip of this test run, whichever worker built it."""
    base = factory.getbasetemp()
    home = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "lambda-zip"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / DONE).exists():
            built = build_zip(home, write_sources(home / "runbooks"))
            assert built.returncode == 0, built.stderr
            with zipfile.ZipFile(home / NAME) as archive:
                archive.extractall(home / "unpacked")
            (home / DONE).write_text(built.stdout)
    return home / NAME


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return that zip as Lambda unpacks it. Nothing may write there."""
    return shared_zip(factory).parent / "unpacked"
