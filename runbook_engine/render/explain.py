"""Why each runbook does or does not match an alert, clause by clause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import msgspec

from runbook_engine.matching.explain import Clause, Explanation
from runbook_engine.model.alert import Alert
from runbook_engine.model.quoting import quote
from runbook_engine.render.lines import Lines, Piece, Span, line, table


class Explained(msgspec.Struct, frozen=True):
    """One alert, and what every runbook makes of it."""

    alert: Alert
    runbooks: Sequence[tuple[str, Explanation]]


def render_explanations(explained: Sequence[Explained]) -> Lines:
    """Return a table of clauses for each alert."""
    many = len(explained) > 1
    lines = []
    for each in explained:
        if many:
            lines.append(line(Span(each.alert.name, "strong"), f"  {each.alert.status}, {each.alert.severity}"))
        rows = [row for name, explanation in each.runbooks for row in _rows(name, explanation)]
        lines += table(rows) if rows else (line(Span("no runbook is loaded", "warn")),)
    return tuple(lines)


def record_explanations(explained: Sequence[Explained]) -> dict[str, Any]:
    """Return the clauses for scripts."""
    return {
        "alerts": [
            {
                "alert_key": each.alert.alert_key,
                "runbooks": [
                    {
                        "runbook": name,
                        "matched": explanation.matched,
                        "clauses": [_record(c) for c in explanation.clauses],
                    }
                    for name, explanation in each.runbooks
                ],
            }
            for each in explained
        ]
    }


def _rows(name: str, explanation: Explanation) -> list[list[Piece]]:
    verdict = Span("match", "good") if explanation.matched else Span("no match", "faint")
    rows: list[list[Piece]] = []
    for at, clause in enumerate(explanation.clauses):
        head: list[Piece] = [Span(name, "strong"), verdict] if at == 0 else ["", ""]
        rows.append([*head, *_clause(clause)])
    return rows or [[Span(name, "strong"), verdict]]


def _clause(clause: Clause) -> list[Piece]:
    if clause.ok:
        return [Span("ok", "good"), clause.matcher.text or _spelled(clause)]
    name = clause.matcher.name
    actual = f"alert has no {name}" if clause.actual is None else f"alert has {name}={quote(clause.actual)}"
    where = f"   ({PurePath(clause.matcher.file).name}:{clause.matcher.line})" if clause.matcher.file else ""
    return [Span("FAIL", "bad"), clause.matcher.text or _spelled(clause), f"{actual}{where}"]


def _spelled(clause: Clause) -> str:
    return f"{clause.matcher.name} {clause.matcher.op} {quote(clause.matcher.value)}"


def _record(clause: Clause) -> dict[str, Any]:
    return {
        "matcher": clause.matcher.text or _spelled(clause),
        "ok": clause.ok,
        "actual": clause.actual,
        "file": clause.matcher.file,
        "line": clause.matcher.line,
    }
