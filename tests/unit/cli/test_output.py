"""Output: colour and folding on a terminal, plain text elsewhere, and encodings that cannot carry a bar."""

from __future__ import annotations

import io

import pytest

from runbook_engine.entrypoints.cli.output import write_lines
from runbook_engine.render.lines import Span, line
from tests.unit.cli.desks import Stream

LINES = [line(Span("NEEDS YOU", "bad"), " by 09:12:00 and soon")]


def _written(stream: Stream, **environment: str) -> str:
    write_lines(stream, LINES, environment)
    return stream.getvalue()


def test_a_terminal_sees_colour() -> None:
    """What is bad is red."""
    assert "\x1b[1;31mNEEDS YOU\x1b[0m by 09:12:00 and soon\n" == _written(Stream(terminal=True))


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "a terminal without colour"]
)
def test_colour_is_left_out_when_it_is_not_wanted(environment: dict[str, str]) -> None:
    """The words are the same."""
    assert "NEEDS YOU by 09:12:00 and soon\n" == _written(Stream(terminal=True), **environment)


def test_an_empty_no_color_is_no_wish() -> None:
    """As no-color.org says."""
    assert "\x1b[" in _written(Stream(terminal=True), NO_COLOR="")


def test_a_pipe_sees_whole_lines_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that grep finds what stands on one line."""
    monkeypatch.setenv("COLUMNS", "20")

    assert "NEEDS YOU by 09:12:00 and soon\n" == _written(Stream())


def test_a_narrow_terminal_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a space."""
    monkeypatch.setenv("COLUMNS", "22")

    assert "NEEDS YOU by 09:12:00\nand soon\n" == _written(Stream(terminal=True), NO_COLOR="1")


def test_an_encoding_without_bars_shows_escapes_instead_of_failing() -> None:
    """A chart never ends a pipe."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    write_lines(stream, [line("chart ▁█")], {})

    assert b"chart \\u2581\\u2588\n" == raw.getvalue()
