"""Loading does each thing once, and leaves the process as it was."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from unittest import mock

import pytest

from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading import matchers
from runbook_engine.loading.files import load_valid_files
from runbook_engine.matching.regexes import compile_pattern
from runbook_engine.registry import Registry

RUNBOOK = (Path(__file__).parents[2] / "data" / "good" / "high-error-rate.yaml").read_text()


def test_a_pattern_is_compiled_once_when_a_runbook_is_judged_and_compiled(tmp_path: Path, registry: Registry) -> None:
    """Compiling takes the matchers that judging has read."""
    (tmp_path / "a.yaml").write_text(RUNBOOK)

    with mock.patch.object(matchers, "compile_pattern", side_effect=compile_pattern) as compiled:
        loaded = load_valid_files([tmp_path], registry)

    assert ["critical|high"] == [call.args[0] for call in compiled.call_args_list]
    assert "critical|high" in [matcher.value for matcher in loaded.bundle.runbooks[0].matchers]


@pytest.mark.parametrize("text", [pytest.param(RUNBOOK, id="what is right"), pytest.param("kind: x\n", id="an error")])
def test_garbage_is_collected_again_when_files_were_read(tmp_path: Path, registry: Registry, text: str) -> None:
    """Whatever reads files may live for months."""
    (tmp_path / "a.yaml").write_text(text)

    with contextlib.suppress(InvalidRunbook):
        load_valid_files([tmp_path], registry)

    assert gc.isenabled()
