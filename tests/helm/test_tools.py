"""External programs are found where they are, and their absence is never silent where it matters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tools
from tests.tools import find_tool

Place = Callable[[str], Path]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return what puts a program into a folder; `.tools` and PATH are two empty folders of the test."""

    def put(folder: str) -> Path:
        program = tmp_path / folder / "prober"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        return program

    for folder in ("fetched", "path"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(tools, "FETCHED", tmp_path / "fetched")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("CI", raising=False)
    return put


def test_pinned_program_is_found_before_the_one_on_path(place: Place) -> None:
    """Two versions would answer differently, and the pinned one is the one that was tested."""
    pinned, _ = place("fetched"), place("path")

    assert pinned == find_tool("prober")


def test_program_on_path_is_found_when_none_is_fetched(place: Place) -> None:
    """Who has the program need not fetch it."""
    installed = place("path")

    assert installed == find_tool("prober")


@pytest.mark.usefixtures("place")
def test_test_is_skipped_when_the_program_is_missing() -> None:
    """The reason names the remedy."""
    with pytest.raises(pytest.skip.Exception, match=r"^prober is neither in \.tools nor on PATH \(make tools\)$"):
        find_tool("prober")


@pytest.mark.usefixtures("place")
def test_test_fails_in_ci_when_the_program_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that skips proves nothing."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=r"^prober is neither in \.tools nor on PATH \(make tools\)$"):
        find_tool("prober")
