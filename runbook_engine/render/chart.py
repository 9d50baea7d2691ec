"""A small chart: one line of bars with the smallest, the largest and the newest value, and the goal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runbook_engine.diagnostics.sparkline import sparkline
from runbook_engine.render.lines import Line, Span, line

BARS = 40


def render_chart(title: str, points: Sequence[tuple[datetime, float]], *, goal: str = "", width: int = BARS) -> Line:
    """Return a chart of points; without any it says so."""
    values = [value for _, value in points if value == value]  # NaN is no value
    if not values:
        return line(Span(title, "strong"), "  ", Span("no data", "warn"))
    figures = f"  {min(values):.4g} .. {max(values):.4g}, last {values[-1]:.4g}"
    aim = f" (goal {goal})" if goal else ""
    return line(Span(title, "strong"), "  ", Span(sparkline(values, width), "change"), figures, Span(aim, "faint"))
