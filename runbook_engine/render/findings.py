"""What lint found: every error and warning with its line, a caret and the remedy, and one line that sums it up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_engine.model.diagnostic import Diagnostic
from runbook_engine.render.lines import Line, Lines, Span, line
from runbook_engine.render.wording import count


def render_findings(findings: Sequence[Diagnostic]) -> Lines:
    """Return every finding as people read it."""
    return tuple(each for finding in findings for each in _finding(finding))


def render_lint_summary(files: int, errors: int, warnings: int) -> Line:
    """Return the verdict over all files."""
    said = f"{count(files, 'file')}: "
    if not errors and not warnings:
        return line(said, Span("no errors, no warnings", "good"))
    parts = [Span(count(errors, "error"), "bad" if errors else "good"), Span(", ")]
    return line(said, *parts, Span(count(warnings, "warning"), "warn" if warnings else "good"))


def record_lint(files: Sequence[str], findings: Sequence[Diagnostic]) -> dict[str, Any]:
    """Return the findings for scripts."""
    return {
        "files": list(files),
        "errors": [_record(found) for found in findings if found.severity == "error"],
        "warnings": [_record(found) for found in findings if found.severity == "warning"],
    }


def _finding(finding: Diagnostic) -> Lines:
    head, *rest = str(finding).split("\n")
    place, _, message = head.partition(f": {finding.severity}: ")
    mark = Span(finding.severity, "bad" if finding.severity == "error" else "warn")
    first = line(Span(place, "strong"), ": ", mark, ": ", message, hang=4)
    return (first, *(_detail(each) for each in rest))


def _detail(text: str) -> Line:
    if text.lstrip().startswith("| "):
        return line(Span(text, "bad"))
    return line(Span(text, "good" if text.lstrip().startswith("= ") else "faint"), hang=8)


def _record(finding: Diagnostic) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
    }
