"""What tests of scripts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Scripts among programs that only note their calls."""
    return Rig(tmp_path)
