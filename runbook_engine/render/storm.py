"""The storm latch for people and for scripts: since when every change is held, why, and what ends it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runbook_engine.model.duration import say_duration
from runbook_engine.model.storm import CALM, Latch, StormRule, held_until
from runbook_engine.render.lines import Lines, Span, line, table
from runbook_engine.render.wording import age, record_time, until_when

RELEASE = "runbook release --reason TEXT"


def render_storm(latch: Latch, rule: StormRule, now: datetime) -> Lines:
    """Return what a person must know of a storm that is held, nothing when none is."""
    until = held_until(latch, rule, now)
    if until is None or latch.held_since is None:
        return ()
    head = f"runs were opened for {latch.reason}"
    held = f"every change is held for {age(latch.held_since, now)} now; undoing goes on, and so does recording"
    calm = f"at {until_when(until, now)} UTC, if nothing more comes ({say_duration(rule.calm)} of calm)"
    rows = table([["  It ends", calm], ["  or release", Span(RELEASE, "link"), Span("changes go on at once", "faint")]])
    return (line(Span("STORM", "bad"), "   ", Span(head, "strong"), hang=6), line(f"  {held}", hang=4), *rows)


def say_released(latch: Latch, now: datetime) -> str:
    """Return who let the last storm go; empty = nobody ever did."""
    if latch.released_at is None:
        return ""
    who = "by itself, when it was calm" if latch.released_by == CALM else f"by {latch.released_by}"
    why = f" ({latch.released_because})" if latch.released_because else ""
    return f"the last storm was released {who}, {age(latch.released_at, now)} ago{why}"


def record_storm(latch: Latch, rule: StormRule, now: datetime) -> dict[str, Any]:
    """Return the latch for scripts."""
    until = held_until(latch, rule, now)
    return {
        "held": until is not None,
        "held_since": record_time(latch.held_since) if until is not None else None,
        "until": record_time(until),
        "reason": latch.reason if until is not None else "",
        "targets": sum(now - at < rule.within for _, at in latch.recent),
        "max_targets": rule.max_targets,
        "within_seconds": rule.within.total_seconds(),
        "released_at": record_time(latch.released_at),
        "released_by": latch.released_by,
        "released_because": latch.released_because,
    }
