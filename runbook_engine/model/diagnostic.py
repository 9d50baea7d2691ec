"""A diagnostic: one error or warning in a file, with its place and its remedy."""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning"]


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. `line` and `column` count from 1; `width` is the number of characters to underline."""

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity = "error"
    hint: str = ""
    source_line: str = ""
    width: int = 1

    def __str__(self) -> str:
        """Return the finding as people read it: place, sentence, the line, a caret, the remedy."""
        head = f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"
        lines = [head]
        if self.source_line:
            margin = f"{self.line:>5} | "
            lines.append(f"{margin}{self.source_line}")
            lines.append(" " * (len(margin) - 2) + "| " + " " * (self.column - 1) + "^" * max(1, self.width))
        if self.hint:
            lines.append(f"      = {self.hint}")
        return "\n".join(lines)
