"""Every mistake in `tests/data/bad` is told as its author should read it, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import load_files
from runbook_engine.registry import Registry

BAD = Path(__file__).parents[2] / "data" / "bad"
NAMES = sorted(path.name for path in BAD.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_load_files_says_what_is_wrong_when_a_document_is_bad(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finding has its place, its line, its caret, its sentence and its remedy."""
    monkeypatch.chdir(BAD)
    expected = (BAD / name).with_suffix(".txt").read_text(encoding="utf-8")

    loaded = load_files([name], registry)

    assert expected == "".join(f"{diagnostic}\n" for diagnostic in loaded.diagnostics)


def test_bad_documents_are_many_when_counted() -> None:
    """At least twenty-five bad files are pinned, and no expectation is left without its file."""
    expectations = {path.stem for path in BAD.glob("*.txt")}

    assert expectations == {Path(name).stem for name in NAMES}
    assert len(NAMES) >= 25
