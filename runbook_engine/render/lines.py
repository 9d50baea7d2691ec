"""Lines: text in spans that say what they mean, so that a terminal may colour them and a pipe need not.

A span escapes what it is given when it is made, so no text of a sender can reach a terminal in another way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from runbook_engine.render.visible import visible

Mark = Literal["", "strong", "faint", "good", "bad", "warn", "change", "link"]
GAP = 2
NARROWEST = 20  # below this, folding would leave a word a line
FALLBACK_HANG = 6  # where the column of the last cell leaves too little room


class Span(msgspec.Struct, frozen=True):
    """A piece of one line, and what it means to the reader."""

    text: str
    mark: Mark = ""

    def __post_init__(self) -> None:
        """Escape what a terminal would obey instead of showing."""
        msgspec.structs.force_setattr(self, "text", visible(self.text))


class Line(msgspec.Struct, frozen=True):
    """One line; where it is folded, what follows is indented by `hang` columns.

    A row of a table is folded between its cells where it can be, so that a cell stays in one piece.
    """

    spans: tuple[Span, ...] = ()
    hang: int = 0
    row: bool = False

    def __str__(self) -> str:
        """Return the text alone."""
        return "".join(span.text for span in self.spans)

    @property
    def width(self) -> int:
        """How many columns of a terminal it takes."""
        return width_of(str(self))


Piece = Span | str
Lines = tuple[Line, ...]
EMPTY = Line()


def line(*pieces: Piece, hang: int = 0) -> Line:
    """Return a line of spans; bare text means nothing in particular."""
    return Line(tuple(piece if isinstance(piece, Span) else Span(piece) for piece in pieces), hang)


def plain(lines: Iterable[Line]) -> str:
    """Return the lines as text without any mark, each ended by a line break."""
    return "".join(f"{str(each).rstrip()}\n" for each in lines)


def indent(lines: Iterable[Line], by: int) -> Lines:
    """Return the lines moved to the right."""
    return tuple(Line((Span(" " * by), *each.spans), each.hang + by, each.row) for each in lines)


def table(rows: Sequence[Sequence[Piece]], *, gap: int = GAP, hang_at: int | None = None) -> Lines:
    """Return rows as aligned columns; a folded row goes on under column `hang_at`, the last one if not given."""
    cells = [[piece if isinstance(piece, Span) else Span(piece) for piece in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max((width_of(row[at].text) for row in cells if at < len(row) - 1), default=0) for at in range(columns)]
    starts = [sum(width + gap for width in widths[:at]) for at in range(columns)]
    return tuple(
        _row(row, widths, gap, starts[min(len(row) - 1, columns if hang_at is None else hang_at)]) for row in cells
    )


def fold(source: Line, width: int) -> Lines:
    """Return a line folded at spaces so that it fits; a word longer than the width stays whole."""
    if source.width <= width or width < NARROWEST:
        return (source,)
    hang = source.hang if source.hang <= width // 2 else FALLBACK_HANG
    rows: list[list[Span]] = [[]]
    used, started = 0, False
    for word in _words(source, width - hang):
        size = sum(width_of(piece.text) for piece in word)
        blank = word[0].text.isspace()
        if started and used + size > width and not blank:
            rows.append([Span(" " * hang)])
            used = hang
        rows[-1].extend(word)
        used += size
        started = started or not blank
    return tuple(_trimmed(row) for row in rows)


def width_of(text: str) -> int:
    """Return how many columns a terminal gives the text: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _row(row: Sequence[Span], widths: Sequence[int], gap: int, hang: int) -> Line:
    spans: list[Span] = []
    for at, span in enumerate(row):
        spans.append(span)
        if at < len(row) - 1:
            spans.append(Span(" " * (widths[at] - width_of(span.text) + gap)))
    return Line(tuple(spans), hang, row=True)


def _words(source: Line, room: int) -> list[list[Span]]:
    """Return the line as words and the spaces between them; a cell of a table that has room is one word."""
    words: list[list[Span]] = []
    for span in source.spans:
        whole = source.row and width_of(span.text) <= room
        for text in [span.text] if whole and span.text else re.findall(r"\s+|\S+", span.text):
            if words and words[-1][-1].text.isspace() == text.isspace():
                words[-1].append(Span(text, span.mark))
            else:
                words.append([Span(text, span.mark)])
    return words


def _trimmed(row: Sequence[Span]) -> Line:
    """Return a folded row without spaces at its end, words of one mark joined again."""
    kept = list(row)
    while kept and kept[-1].text.isspace():
        kept.pop()
    joined: list[Span] = []
    for span in kept:
        if joined and joined[-1].mark == span.mark:
            joined[-1] = Span(joined[-1].text + span.text, span.mark)
        else:
            joined.append(span)
    return Line(tuple(joined))
