"""External programs for tests: the pinned ones of `.tools/` first, then those on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

FETCHED = Path(__file__).parents[1] / ".tools"


def find_tool(name: str) -> Path:
    """Return where the program is. Without it the test is skipped, or fails when the variable CI is set."""
    found = shutil.which(name, path=str(FETCHED)) or shutil.which(name)
    if found is not None:
        return Path(found)
    reason = f"{name} is neither in .tools nor on PATH (make tools)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
