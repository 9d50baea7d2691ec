"""Streams that are closed, or full: one sentence and an exit code, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.length import LONG

pytestmark = pytest.mark.slow

REDIRECTED = {
    "closed": (">&-", "standard output is closed (send it to /dev/null instead)"),
    "full": (">/dev/full", "No space left on device (send it somewhere else)"),
}
AS_OTHERS = {("schema", "closed"), ("lint good.yaml", "full")}  # tried by night: each half is tried with another
MAIN = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"


def _shell(folder: Path, typed: str) -> subprocess.CompletedProcess[str]:
    command = f'{sys.executable} -c "{MAIN}" {typed}'
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("command", "redirection", "said"),
    [
        pytest.param(command, *REDIRECTED[way], id=f"{way}-{command}")
        for way in REDIRECTED
        for command in ("--help", "schema", "lint good.yaml")
        if LONG or (command, way) not in AS_OTHERS
    ],
)
def test_an_answer_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, command: str, redirection: str, said: str
) -> None:
    """No traceback, not even the interpreter's own at its end."""
    (tmp_path / "good.yaml").write_text("apiVersion: runbook-engine/v1\nkind: EngineConfig\n")

    result = _shell(tmp_path, f"{command} {redirection}")

    assert (3, f"runbook: the answer cannot be written: {said}\n") == (result.returncode, result.stderr)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"], ids=["closed", "full"])
def test_a_complaint_that_cannot_be_written_is_an_exit_code(tmp_path: Path, redirection: str) -> None:
    """Scripts read that."""
    result = _shell(tmp_path, f"plna {redirection}")

    assert result.returncode in (2, 3)
    assert "" == result.stdout + result.stderr


def test_no_standard_input_is_an_empty_one(tmp_path: Path) -> None:
    """Nobody is there to be asked."""
    result = _shell(tmp_path, "alerts --alert - <&-")

    assert 2 == result.returncode
    assert result.stderr.startswith("runbook: ")
    assert 1 == len(result.stderr.splitlines())
