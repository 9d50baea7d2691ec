"""Coverage as a table for people and as one object for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_engine.model.coverage import AlertCoverage, Coverage, MissingLabel
from runbook_engine.render.lines import EMPTY, Lines, Piece, Span, line, table
from runbook_engine.render.wording import count


def render_coverage(coverage: Coverage) -> Lines:
    """Return every alert with its runbooks, every runbook out of reach, and the sums."""
    unreachable: list[list[Piece]] = [
        [Span(each.name, "strong"), f"{each.file}:{each.line}", Span(each.why, "warn")] for each in coverage.unreachable
    ]
    lacking = [row for alert in coverage.alerts for row in _lacking(alert)]
    return (
        *table([_alert(alert) for alert in coverage.alerts]),
        *_section("Labels that a runbook needs", lacking),
        *_section("Runbooks that no alert of these rules reaches", unreachable),
        EMPTY,
        line(
            f"{count(len(coverage.alerts), 'alert')}, {len(coverage.uncovered)} without a runbook; ",
            f"{count(len(coverage.runbooks), 'runbook')}, {len(coverage.unreachable)} out of reach",
        ),
    )


def record_coverage(coverage: Coverage) -> dict[str, Any]:
    """Return the same for scripts."""
    return {
        "alerts": [_record(alert) for alert in coverage.alerts],
        "runbooks": [
            {
                "name": runbook.name,
                "file": runbook.file,
                "line": runbook.line,
                "reachable": runbook.reachable,
                "why": runbook.why,
            }
            for runbook in coverage.runbooks
        ],
        "uncovered": [alert.name for alert in coverage.uncovered],
        "unreachable": [runbook.name for runbook in coverage.unreachable],
    }


def _section(title: str, rows: Sequence[Sequence[Piece]]) -> Lines:
    return (EMPTY, line(Span(title, "strong")), *table(rows)) if rows else ()


def _alert(alert: AlertCoverage) -> list[Piece]:
    doubtful = [f"{name}?" if name in alert.uncertain else name for name in alert.runbooks]
    none = Span("ignored", "faint") if alert.ignored else Span("no runbook", "bad")
    said = Span(", ".join(doubtful), "good") if doubtful else none
    return [Span(alert.name, "strong"), alert.severity or "-", f"{alert.file}:{alert.line}", said]


def _lacking(alert: AlertCoverage) -> list[list[Piece]]:
    return [
        [Span(alert.name, "strong"), missing.label, _said(missing), f"{missing.needed_by} of {missing.runbook}"]
        for missing in alert.missing
    ]


def _said(missing: MissingLabel) -> Span:
    return Span("absent", "bad") if missing.absent else Span("may be absent", "warn")


def _record(alert: AlertCoverage) -> dict[str, Any]:
    return {
        "name": alert.name,
        "file": alert.file,
        "line": alert.line,
        "severity": alert.severity,
        "ignored": alert.ignored,
        "runbooks": list(alert.runbooks),
        "uncertain": list(alert.uncertain),
        "missing_labels": [
            {
                "label": missing.label,
                "runbook": missing.runbook,
                "needed_by": missing.needed_by,
                "absent": missing.absent,
            }
            for missing in alert.missing
        ],
    }
