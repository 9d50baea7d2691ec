"""What a change of runbooks changes for a history of alerts: gained, lost, and planned otherwise, with examples."""

from __future__ import annotations

from typing import Any

from runbook_engine.model.hindsight import Difference, PlanChange, RunbookDifference
from runbook_engine.render.lines import Line, Lines, Piece, Span, indent, line, table
from runbook_engine.render.wording import count


def render_difference(difference: Difference) -> Lines:
    """Return a difference as people read it."""
    lines: list[Line] = [_head(difference), line()]
    for words, names in (("new", difference.added), ("gone", difference.removed)):
        if names:
            lines.append(line(Span(words, "strong"), f": {', '.join(names)}", hang=4))
    for each in difference.runbooks:
        lines += _runbook(each)
    if difference.without_effect:
        said = f": {', '.join(difference.without_effect)}"
        lines.append(line(Span("written otherwise, to the same effect", "faint"), said, hang=4))
    return (*lines, _sum(difference))


def record_difference(difference: Difference) -> dict[str, Any]:
    """Return a difference for scripts."""
    return {
        "before": difference.before,
        "after": difference.after,
        "alerts": difference.alerts,
        "distinct": difference.distinct,
        "rejected": difference.rejected,
        "differs": difference.differs,
        "added": list(difference.added),
        "removed": list(difference.removed),
        "runbooks": [_record(each) for each in difference.runbooks],
        "without_effect": list(difference.without_effect),
        "unchanged": difference.unchanged,
    }


def _head(difference: Difference) -> Line:
    rejected = f", {difference.rejected} could not be used" if difference.rejected else ""
    firing = f"{count(difference.alerts, 'firing alert')}, {difference.distinct} of them different{rejected}"
    return line(Span(f"{difference.before} -> {difference.after}", "strong"), f"  {firing}", hang=4)


def _runbook(each: RunbookDifference) -> Lines:
    counts = [
        Span(f"+{each.gained} gained", "good") if each.gained else None,
        Span(f"-{each.lost} lost", "bad") if each.lost else None,
        Span(f"~{each.changed} changed", "change") if each.changed else None,
        Span(f"{each.same} the same", "faint") if each.same else None,
    ]
    shown: list[Piece] = [Span(each.runbook, "strong")]
    for counted in counts:
        shown += ["  ", counted] if counted is not None else []
    body = [line(Span(f"+ {example}", "good"), hang=4) for example in each.gained_examples]
    body += [line(Span(f"- {example}", "bad"), hang=4) for example in each.lost_examples]
    rows = [_change(change) for change in each.changes]
    more = [line(f"and {count(each.more_changes, 'other change')}")] if each.more_changes else []
    return (line(*shown), *indent([*body, *table(rows), *more], 2))


def _change(change: PlanChange) -> list[Piece]:
    moved = f"{change.before or 'nothing'} -> {change.after or 'nothing'}"
    return [
        Span(f"~ {change.what}", "change"),
        moved,
        Span(f"{count(change.alerts, 'alert')}, as {change.example}", "faint"),
    ]


def _sum(difference: Difference) -> Line:
    unchanged = f"{count(difference.unchanged, 'runbook')} unchanged"
    if not difference.differs:
        return line(Span("no difference", "good"), f", {unchanged}")
    named = {*difference.added, *difference.removed, *(each.runbook for each in difference.runbooks)}
    return line(Span(f"{count(len(named), 'runbook')} with a difference", "warn"), f", {unchanged}")


def _record(each: RunbookDifference) -> dict[str, Any]:
    return {
        "runbook": each.runbook,
        "gained": each.gained,
        "lost": each.lost,
        "changed": each.changed,
        "same": each.same,
        "changes": [
            {
                "what": change.what,
                "before": change.before or None,
                "after": change.after or None,
                "alerts": change.alerts,
                "example": change.example,
            }
            for change in each.changes
        ],
        "more_changes": each.more_changes,
        "gained_examples": list(each.gained_examples),
        "lost_examples": list(each.lost_examples),
    }
