"""What YAML's own parser complains of, said so that an author knows what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from runbook_engine.loading.yaml_tree import Place

_TEMPLATE = re.compile(r"\{\{.*?\}\}")
_STARTERS = {
    "@": "text cannot begin with @",
    "`": "text cannot begin with a backtick",
    "%": "text cannot begin with %",
    "|": "text cannot begin with |",
    "\t": "a tab cannot indent YAML",
}


class Problem(Exception):
    """A file is no YAML that we read; carries where, what and the remedy."""

    def __init__(self, place: Place, code: str, message: str, hint: str) -> None:
        self.place = place
        self.code = code
        self.message = message
        self.hint = hint
        super().__init__(message)


def encoding_problem(content: bytes, offset: int) -> Problem:
    """Return the sentence for a file that is not UTF-8."""
    before = content[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    message = f"the file is not UTF-8: byte 0x{content[offset]:02x} starts no character"
    return Problem(Place(line, column), "not-utf-8", message, "save it as UTF-8")


def syntax_problem(error: yaml.YAMLError, text: str, lines: Sequence[str]) -> Problem:
    """Return the sentence for what the parser found."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unreadable(error, text)
    problem = str(getattr(error, "problem", "") or "unreadable")
    mark = getattr(error, "problem_mark", None)
    context_mark = getattr(error, "context_mark", None)
    place = _place(mark, lines)
    for index in {place.line - 1, context_mark.line if context_mark else place.line - 1}:
        trap = _unquoted_template(index, lines)
        if trap:
            return trap
    return _explained(problem, str(getattr(error, "context", "") or ""), place, _place(context_mark, lines), lines)


def _place(mark: Any, lines: Sequence[str]) -> Place:
    if mark is None:
        return Place(1, 1)
    line = min(mark.line, max(len(lines) - 1, 0))
    return Place(line + 1, mark.column + 1 if line == mark.line else len(lines[line]) + 1)


def _unreadable(error: yaml.reader.ReaderError, text: str) -> Problem:
    before = text[: error.position]
    place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
    code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1])
    return Problem(place, "control-character", f"the control character U+{code:04X} is not allowed", "remove it")


def _unquoted_template(index: int, lines: Sequence[str]) -> Problem | None:
    line = lines[index] if -1 < index < len(lines) else ""
    for found in _TEMPLATE.finditer(line):
        before = line[: found.start()]
        if before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
            place = Place(index + 1, found.start() + 1, len(found.group()))
            message = f"YAML reads the unquoted template {found.group()} as a map"
            return Problem(place, "unquoted-template", message, "quote the whole value")
    return None


def _explained(problem: str, context: str, place: Place, opened: Place, lines: Sequence[str]) -> Problem:
    character = _character(place, lines)
    if "cannot start any token" in problem:
        message = _STARTERS.get(character, f"text cannot begin with {character}")
        hint = "indent with spaces" if character == "\t" else "quote this"
        return Problem(place, "syntax", message, hint)
    if "mapping values are not allowed" in problem:
        return Problem(
            place, "syntax", 'a ": " inside text that is not quoted', "quote the whole value, or fix the indentation"
        )
    if "flow" in context:
        kind, end = ("list", "]") if "sequence" in context else ("map", "}")
        message = f"the {kind} opened here is not closed, or a value in it needs quotes"
        return Problem(
            opened, "syntax", message, f'close it with "{end}", and quote values that hold any of , : {{ }} [ ]'
        )
    if "unexpected end of stream" in problem:
        return Problem(opened, "syntax", "the quoted text opened here is never closed", "close the quotes")
    if "unknown escape" in problem:
        return Problem(place, "syntax", f"unknown escape \\{character} in double quotes", "use single quotes: '...'")
    if "expected '-' indicator" in problem or "did not find expected key" in problem:
        return Problem(place, "syntax", "this line does not belong to the lines above it", "check its indentation")
    if "alias" in context or "anchor" in context:
        return Problem(place, "syntax", "text cannot begin with * or &", "quote this")
    return Problem(place, "syntax", f"this is not YAML: {problem}", "")


def _character(place: Place, lines: Sequence[str]) -> str:
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return line[place.column - 1 : place.column] or "nothing"
