"""Hostile text, made harmless before it reaches a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.render.lines import Span, line, plain
from runbook_engine.render.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("checkout-7f9c", "checkout-7f9c", id="ordinary text stays"),
        pytest.param("Zürich 東京 🚀", "Zürich 東京 🚀", id="letters of any script stay"),
        pytest.param("\x1b[2Jgone", "\\x1b[2Jgone", id="an escape sequence that clears the screen"),
        pytest.param("\x1b]0;title\x07", "\\x1b]0;title\\x07", id="an escape sequence that sets the title"),
        pytest.param("a\rb", "a\\rb", id="a return that paints over the line"),
        pytest.param("a\nfake: ok", "a\\nfake: ok", id="a line break that forges a line"),
        pytest.param("a\tb", "a\\tb", id="a tab that shifts a column"),
        pytest.param("\x9b31m", "\\x9b31m", id="a one-byte control sequence"),
        pytest.param("ok\u202edne", "ok\\u202edne", id="a mark that reverses the reading order"),
        pytest.param("a\u2066b\u2069", "a\\u2066b\\u2069", id="an isolate"),
        pytest.param("pay\u200bload", "pay\\u200bload", id="a space without width"),
        pytest.param("\ufeffx", "\\ufeffx", id="a byte order mark"),
        pytest.param("\ud800", "\\ud800", id="half a character"),
        pytest.param("\U000e0041", "\\U000e0041", id="a tag character"),
        pytest.param("a\u2028b", "a\\u2028b", id="a line separator"),
    ],
)
def test_visible_escapes_what_a_terminal_would_obey(text: str, shown: str) -> None:
    """Each becomes the escape that a programmer would write; anything else stays."""
    assert shown == visible(text)


@given(st.text())
def test_visible_leaves_nothing_that_steers_a_terminal(text: str) -> None:
    """No control, format, surrogate or separator character survives, and doing it twice changes nothing."""
    shown = visible(text)

    steering = {character for character in shown if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")}
    assert steering == set()
    assert not any(unicodedata.bidirectional(character) in ("LRE", "RLE", "PDF", "LRO", "RLO") for character in shown)
    assert not any(unicodedata.bidirectional(character) in ("LRI", "RLI", "FSI", "PDI") for character in shown)
    assert shown == visible(shown)


@given(st.text(), st.text())
def test_a_span_is_harmless_however_it_is_made(first: str, second: str) -> None:
    """Lines are made of spans alone, so one line of input can never become two lines of output."""
    written = plain([line(first, Span(second, "bad"))])

    assert written.count("\n") == 1
    assert "\x1b" not in written
