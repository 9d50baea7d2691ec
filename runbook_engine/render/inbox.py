"""The inbox for people and for scripts: what waits to be decided, and what could not be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from runbook_engine.model.inbox import Fill, SetAside
from runbook_engine.render.lines import Lines, Span, line, table
from runbook_engine.render.wording import age, count, record_time, when

OVERDUE = timedelta(seconds=30)  # the worker looks fifty times a second
LOOK = "runbook inbox shows why, runbook inbox retry NUMBER decides it again"


def render_inbox(fill: Fill, aside: Sequence[SetAside], now: datetime) -> Lines:
    """Return what waits, and all that was set aside."""
    waiting = line(say_waiting(fill, now) if fill.deliveries else "No delivery waits to be decided.")
    if not aside:
        return (waiting,)
    rows = [[str(each.number), f"received {when(each.received_at, now)}", each.scope, each.reason] for each in aside]
    return (waiting, line(), *render_set_aside(fill), line(), *table([["NUMBER", "", "SCOPE", "REASON"], *rows]))


def render_trouble(fill: Fill, now: datetime) -> Lines:
    """Return what needs a person, nothing when all goes its way."""
    overdue = line(Span("INBOX", "bad"), f"   {say_waiting(fill, now)}: does the worker run?", hang=6)
    return (*((overdue,) if is_late(fill, now) else ()), *render_set_aside(fill))


def is_late(fill: Fill, now: datetime) -> bool:
    """Whether something waits for so long that nobody seems to decide."""
    return fill.since is not None and now - fill.since > OVERDUE


def render_set_aside(fill: Fill) -> Lines:
    """Return that deliveries could not be decided, and what to do."""
    if not fill.set_aside:
        return ()
    return (line(Span("SET ASIDE", "bad"), "   ", Span(say_set_aside(fill), "strong"), f"; {LOOK}", hang=6),)


def say_set_aside(fill: Fill) -> str:
    """Return that deliveries could not be decided, and what that means."""
    return f"{_deliveries(fill.set_aside)} could not be decided, so no run was opened for what was in it"


def say_waiting(fill: Fill, now: datetime) -> str:
    """Return how much waits, and how long the oldest does."""
    since = f", the oldest for {age(fill.since, now)}" if fill.since is not None else ""
    alerts = count(fill.alerts, "alert")
    verb = "waits" if fill.deliveries == 1 else "wait"
    return f"{_deliveries(fill.deliveries)} with {alerts} {verb} to be decided{since}"


def record_inbox(fill: Fill, aside: Sequence[SetAside]) -> dict[str, Any]:
    """Return the inbox for scripts. Bodies are not in it: they may be sensitive."""
    return {
        "waiting": record_fill(fill),
        "set_aside": [
            {
                "number": each.number,
                "scope": each.scope,
                "received_at": record_time(each.received_at),
                "set_aside_at": record_time(each.at),
                "reason": each.reason,
                "bytes": each.bytes,
            }
            for each in aside
        ],
    }


def record_fill(fill: Fill) -> dict[str, Any]:
    """Return how much waits, for scripts."""
    return {
        "deliveries": fill.deliveries,
        "alerts": fill.alerts,
        "bytes": fill.bytes,
        "since": record_time(fill.since),
        "set_aside": fill.set_aside,
    }


def _deliveries(number: int) -> str:
    return f"{number} {'delivery' if number == 1 else 'deliveries'}"
