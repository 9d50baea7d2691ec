"""The demo's exit codes, without a demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.demo import story
from runbook_engine.entrypoints.demo.children import DemoFailed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(KeyboardInterrupt(), 130, id="interrupted"),
        pytest.param(DemoFailed("no port is free"), 1, id="failed"),
    ],
)
def test_a_demo_that_was_not_seen_to_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, code: int
) -> None:
    """A script can tell a Ctrl-C from a failure."""

    def stop(*arguments: object, **settings: object) -> None:
        raise error

    monkeypatch.setattr(story, "set_stage", stop)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))

    assert code == story.run(shipped_runbooks=tmp_path, shop=tmp_path, say=lambda text: None, show=lambda lines: None)
