"""Tests that share an expensive stage run in one process, or each process would build one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """\
import os
import pytest


@pytest.mark.parametrize("number", range(12))
@pytest.mark.xdist_group("one")
def test_grouped(number):
    print(f"PID={os.getpid()}")
"""


def test_a_group_stays_in_one_process(tmp_path: Path) -> None:
    """However many there are."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(TESTS)

    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "3",
            "--dist",
            "loadgroup",
            "-rP",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            tmp_path,
        ],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert "12 passed" in ran.stdout, ran.stdout + ran.stderr
    assert 1 == len(set(re.findall(r"PID=(\d+)", ran.stdout)))
