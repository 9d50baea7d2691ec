"""Output: lines for people and one object for scripts. Colour and folding only on a terminal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import CannotWrite
from runbook_engine.render.lines import Line, Mark, fold, line, plain

STYLES: Mapping[Mark, str] = {
    "": "",
    "strong": "bold",
    "faint": "dim",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "change": "cyan",
    "link": "bold cyan",
}


def say(desk: Desk, lines: Iterable[Line]) -> None:
    """Write lines to standard output."""
    write_lines(desk.stdout, lines, desk.environment)


def complain(desk: Desk, lines: Iterable[Line]) -> None:
    """Write lines to standard error: diagnostics, questions and progress that are no result."""
    write_text(desk.stdout, "")  # in the order in which it was said
    write_lines(desk.stderr, lines, desk.environment)


def complain_text(desk: Desk, text: str) -> None:
    """Write text to standard error, each of its lines made harmless."""
    complain(desk, [line(each) for each in text.splitlines()])


def answer(desk: Desk, record: Mapping[str, Any]) -> None:
    """Write one JSON object to standard output."""
    write_text(desk.stdout, json.dumps(record, indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def write_lines(stream: TextIO, lines: Iterable[Line], environment: Mapping[str, str]) -> None:
    """Write lines: folded on a terminal, coloured there too unless NO_COLOR is set; as they are elsewhere."""
    if not stream.isatty():
        write_text(stream, _printable(stream, plain(lines)))
    else:
        width = shutil.get_terminal_size().columns
        folded = [row for each in lines for row in fold(each, width)]
        write_text(stream, _printable(stream, plain(folded) if _is_plain(environment) else _painted(folded)))


def write_text(stream: TextIO, text: str) -> None:
    """Write text, all of it now. Raises CannotWrite, and BrokenPipeError when whoever read it has left."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(f"the answer cannot be written: {error.strerror} (send it somewhere else)") from error


def _is_plain(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"


def _painted(lines: Iterable[Line]) -> str:
    from rich.style import Style  # a tenth of a second, and only for a terminal

    styles = {mark: Style.parse(style) if style else Style.null() for mark, style in STYLES.items()}
    return "".join(
        "".join(styles[span.mark].render(span.text) for span in each.spans).rstrip() + "\n" for each in lines
    )


def _printable(stream: TextIO, text: str) -> str:
    """Return the text as the stream's encoding can carry it: a bar or an arrow never ends a pipe."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
