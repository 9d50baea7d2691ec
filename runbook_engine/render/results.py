"""What became of RunbookTest files: a line for each test, and for a failed one what was expected and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from runbook_engine.render.lines import Line, Lines, Span, line


class Result(Protocol):
    """What became of one test."""

    @property
    def file(self) -> str:
        """The file that it stands in."""
        ...

    @property
    def name(self) -> str:
        """Its name there."""
        ...

    @property
    def ok(self) -> bool:
        """Whether every expectation held."""
        ...

    @property
    def reason(self) -> str:
        """The expectation that did not."""
        ...

    @property
    def timeline(self) -> tuple[str, ...]:
        """What happened in it, a line for each thing."""
        ...


def render_results(results: Sequence[Result]) -> Lines:
    """Return every test under its file, and the sum."""
    lines: list[Line] = []
    for file in dict.fromkeys(result.file for result in results):
        lines.append(line(Span(file, "strong")))
        for result in results:
            lines += _result(result) if result.file == file else ()
    return (*lines, _sum(results))


def record_results(results: Sequence[Result]) -> dict[str, Any]:
    """Return the results for scripts."""
    passed = sum(1 for result in results if result.ok)
    return {
        "passed": passed,
        "failed": len(results) - passed,
        "tests": [_record(each) for each in results],
    }


def _record(result: Result) -> dict[str, Any]:
    about = {"file": result.file, "name": result.name, "ok": result.ok, "reason": result.reason}
    return {**about, "timeline": list(result.timeline)}


def _result(result: Result) -> Lines:
    if result.ok:
        return (line("  ", Span("ok", "good"), f"      {result.name}", hang=10),)
    head = line("  ", Span("FAILED", "bad"), f"  {result.name}", hang=10)
    why = line(" " * 10, Span(result.reason, "bad"), hang=10)
    return (head, why, *(_moment(each) for each in result.timeline))


def _moment(text: str) -> Line:
    """Return one line of a timeline; what was expected there, and what was, stand out."""
    at, _, said = text.strip().partition("  ")
    return line(" " * 10, Span(text, "bad" if said.startswith("> ") and at else "faint"), hang=12)


def _sum(results: Sequence[Result]) -> Line:
    failed = sum(1 for result in results if not result.ok)
    passed = len(results) - failed
    if not results:
        return line(Span("no test was found", "warn"))
    return line(
        Span(f"{passed} passed", "good" if passed else ""), ", ", Span(f"{failed} failed", "bad" if failed else "")
    )
