"""Make diagnostics: a place in a source, a sentence, a remedy, and the name that was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from runbook_engine.loading.yaml_tree import Place
from runbook_engine.model.diagnostic import Diagnostic, Severity

_LONGEST_LINE = 1000
_LONGEST_SENTENCE = 400
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Source:
    """One file's text, by lines, from which diagnostics are cut."""

    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self.file = file
        self.lines = tuple(lines)

    def diagnostic(
        self, place: Place, code: str, message: str, hint: str = "", *, severity: Severity = "error"
    ) -> Diagnostic:
        """Return one finding at a place of this file."""
        line = self.lines[place.line - 1] if 0 < place.line <= len(self.lines) else ""
        line = line if len(line) <= _LONGEST_LINE else ""
        width = max(1, min(place.width, len(line) - place.column + 1))
        return Diagnostic(
            file=self.file,
            line=place.line,
            column=place.column,
            code=code,
            message=_printable(message),
            severity=severity,
            hint=_printable(hint),
            source_line=_UNPRINTABLE.sub("\ufffd", line.replace("\t", " ")).rstrip(),
            width=width,
        )


def _printable(text: str) -> str:
    """Return a sentence in one line of bounded length, whatever an author's text in it holds."""
    escaped = _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
    return escaped if len(escaped) <= _LONGEST_SENTENCE else f"{escaped[: _LONGEST_SENTENCE - 3]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for a misspelt name: the nearest known one, else the list of them when it is short."""
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    return f"known: {', '.join(names)}" if 0 < len(names) <= 20 else ""


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return findings by file and place, each once; of two errors with one sentence at one place, the first."""
    seen: dict[tuple[str, int, int, str], Diagnostic] = {}
    for diagnostic in diagnostics:
        seen.setdefault((diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.message), diagnostic)
    return tuple(sorted(seen.values(), key=lambda found: (found.file, found.line, found.column, found.message)))
