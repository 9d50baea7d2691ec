"""Lines: columns, folding, and the width that a terminal gives to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.render.lines import Line, Span, fold, indent, line, plain, table, width_of


def test_a_table_aligns_columns_whatever_their_width() -> None:
    """The last cell of a row is never padded."""
    rows = table([("a", "long cell", "x"), ("longer", Span("b", "good"), "y")])

    assert "a       long cell  x\nlonger  b          y\n" == plain(rows)


def test_a_table_counts_wide_characters_as_two_columns() -> None:
    """A name in Japanese does not push its row out of line."""
    rows = table([("東京", "x"), ("ab", "y")])

    assert "東京  x\nab    y\n" == plain(rows)


def test_a_row_with_fewer_cells_keeps_its_own_end() -> None:
    """A skipped step has one long cell where others have two; it does not widen their columns."""
    rows = table([("1", "a long reason why this was skipped"), ("2", "b", "c")])

    assert "1  a long reason why this was skipped\n2  b  c\n" == plain(rows)


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        pytest.param(line("short"), ["short"], id="a line that fits stays"),
        pytest.param(
            line("one two three four five six", hang=4),
            ["one two three four", "    five six"],
            id="prose is folded at a space and hangs",
        ),
        pytest.param(line("x" * 30), ["x" * 30], id="a word that is longer than the line stays whole"),
        pytest.param(
            table([("  1 name", "act", "whole cell here")])[0],
            ["  1 name  act", "      whole cell here"],
            id="a row is folded between its cells",
        ),
    ],
)
def test_fold_at_twenty_two_columns(source: Line, folded: list[str]) -> None:
    """Folding keeps words and, in a table, cells in one piece."""
    assert folded == [str(each) for each in fold(source, 22)]


@given(st.lists(st.text(alphabet="abc de", max_size=30), max_size=5), st.integers(20, 60), st.integers(0, 8))
def test_fold_loses_no_word_and_keeps_the_width(texts: list[str], width: int, hang: int) -> None:
    """Every word comes out in order, and no row is wider than asked for unless a word is."""
    source = line(*texts, hang=hang)

    rows = fold(source, width)

    words = str(source).split()
    assert words == [word for row in rows for word in str(row).split()]
    longest = max((len(word) for word in words), default=0)
    assert all(row.width <= max(width, longest + hang) for row in rows[1:])


def test_fold_breaks_at_spaces_and_not_where_a_mark_ends() -> None:
    """A colon stays with the word that it follows."""
    rows = fold(line(Span("NEEDS", "bad"), " you and ", Span("because", "strong"), ": of this"), 22)

    assert ["NEEDS you and because:", "of this"] == [str(row).strip() for row in rows]


def test_fold_keeps_marks() -> None:
    """What is folded keeps its meaning on every row."""
    rows = fold(line(Span("good words and more of them", "good")), 20)

    assert {"good"} == {span.mark for row in rows for span in row.spans if span.text.strip()}


def test_indent_moves_lines_and_their_folds() -> None:
    """A folded line hangs from its new place."""
    moved = indent([line("text", hang=4)], 2)

    assert (line("  ", "text", hang=6),) == moved


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("東京", 4), ("e\u0301", 1), ("", 0), ("▁▂", 2)],
    ids=["ascii", "wide", "combining", "nothing", "bars"],
)
def test_width_of(text: str, width: int) -> None:
    """Columns, not characters."""
    assert width == width_of(text)
