"""The table of senders is what the registry knows, and the page shows it as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.sender_table import main
from runbook_engine.model.delivery import SenderNote, SourceSpec
from runbook_engine.registry import Registry
from runbook_engine.render.senders import UnmarkedPage, render_senders, with_senders
from runbook_engine.sources import datadog

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "senders.md"


def test_the_page_shows_every_sender_as_it_is() -> None:
    """When this fails: python -m runbook_engine.entrypoints.sender_table docs/senders.md."""
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_senders(page, Registry().sources.values())


def test_the_command_writes_the_table_anew(tmp_path: Path) -> None:
    """And nothing else of the page."""
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- senders: begin -->\nold\n<!-- senders: end -->\nb\n")

    main(str(page))

    written = page.read_text()
    assert written.startswith("a\n<!-- senders: begin -->\n| `source` |")
    assert written.endswith("\n<!-- senders: end -->\nb\n")
    assert "old" not in written


def test_a_source_is_a_line_for_everybody_who_sends_in_it() -> None:
    """One that tells nothing of itself is told by the first line of its module."""
    told = SenderNote(sender="A", proves="a token", retries="never", example="a.json")
    also = SenderNote(sender="B", comes="through AWS", proves="its origin", retries="for a day")
    sources = (
        SourceSpec(name="x", parse=datadog.parse, methods=("POST", "PUT"), notes=(told, also)),
        SourceSpec(name="y", parse=datadog.parse),
    )

    lines = render_senders(sources).splitlines()[2:]

    assert [
        "| `x` | A | posted (POST or PUT) | a token | never | [a.json](../tests/data/alerts/a.json) |",
        "| `x` | B | through AWS | its origin | for a day | |",
        "| `y` | Datadog's webhooks, through the payload that we ship in docs/senders.md | posted "
        "| bearer token, or as `presentedAs` says | see its own pages | |",
    ] == lines


def test_a_page_without_a_place_is_refused() -> None:
    """Rather than left as it is."""
    with pytest.raises(UnmarkedPage) as refused:
        with_senders("# Senders\n<!-- senders: begin -->\n", ())

    assert (
        "the page has no place for the table (write <!-- senders: begin --> and <!-- senders: end --> on lines of "
        "their own)"
    ) == str(refused.value)


def test_every_example_is_there() -> None:
    """People look at it, and tests read it."""
    examples = [note.example for source in Registry().sources.values() for note in source.notes if note.example]

    assert examples
    assert all((ROOT / "tests" / "data" / "alerts" / example).is_file() for example in examples)
