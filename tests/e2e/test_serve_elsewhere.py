"""`runbook serve` started in a folder that holds modules of the same names as ours, or as what we need."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.local.installation import install
from tests.chaos.local.program import Program

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_what_lies_in_the_working_folder_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout of runbooks is a usual place to start it, and whoever may write there runs no code in it."""
    for name in ("calendar", "flask", "gunicorn", "runbook_engine"):
        (tmp_path / f"{name}.py").write_text(
            f"open({name!r}, 'w').close()\nraise ImportError('of the working folder')\n"
        )
    installation = tmp_path / "installation"
    installation.mkdir()
    install(installation, "http://127.0.0.1:9")
    program = Program(installation, "http://127.0.0.1:9", random.Random())
    monkeypatch.chdir(tmp_path)

    try:
        program.start_until_it_answers()
        code = program.stop()
    finally:
        program.leave_nothing()

    assert 0 == code
    assert [] == [path.name for path in tmp_path.iterdir() if path.is_file() and path.suffix != ".py"]
