"""The first screen: what needs a person, what is being done, what is held, what was done.

Made for three o'clock in the morning: the question comes first, then the figures, then the reason, and every
answer is a command that can be typed as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.machine.compensation import undo_time
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, IncidentReport
from runbook_engine.model.observation import Pause
from runbook_engine.render.card import Card, needs_person, render_card
from runbook_engine.render.execution import record_execution, say_outcome
from runbook_engine.render.incident import record_incident, say_where
from runbook_engine.render.lines import Line, Lines, Piece, Span, line, table
from runbook_engine.render.wording import age, clock, movement, record_time, say_status, short, subject_of, when

RECENT = timedelta(days=1)
MOST_RECENT = 5


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the first screen. `paused` is the kill switch, `overdue` what nobody drives."""

    now: datetime
    cards: tuple[Card, ...] = ()
    paused: Pause | None = None
    pause_problem: str = ""
    overdue: int = 0
    ceiling: str = ""
    unmatched: tuple[IncidentReport, ...] = ()  # open incidents that no runbook answers


def render_first_screen(screen: Screen) -> Lines:
    """Return the first screen."""
    lines: list[Line] = []
    needing = [card for card in screen.cards if needs_person(card)]
    for card in needing:
        lines += [*render_card(card, screen.now), line()]
    for report in screen.unmatched:
        lines += [_unmatched(report, screen.now), line()]
    if not needing and not screen.unmatched:
        lines += [line(Span("Nothing needs you.", "good")), line()]
    for title, rows in _sections(screen):
        if rows:
            lines += [line(Span(title, "strong")), *table(rows), line()]
    lines.append(_engine(screen))
    return tuple(lines)


def record_first_screen(screen: Screen) -> dict[str, Any]:
    """Return the first screen for scripts."""
    executions = [card.execution.execution for card in screen.cards]
    return {
        "needs_you": [record_execution(card.execution.execution) for card in screen.cards if needs_person(card)],
        "unmatched": [record_incident(report) for report in screen.unmatched],
        "running": [record_execution(each) for each in executions if not each.ended and each.approval is None],
        "held": [record_execution(each) for each in executions if _held(each)],
        "recent": [record_execution(each) for each in _recent(executions, screen.now)],
        "paused_until": record_time(screen.paused.until) if screen.paused is not None else None,
        "overdue": screen.overdue,
    }


def _unmatched(report: IncidentReport, now: datetime) -> Line:
    incident = report.incident
    firing = f"{say_where(incident) or incident.severity} · {incident.title} · firing {age(incident.opened_at, now)}"
    why = "   no runbook answers it"
    return line(Span("NOT HANDLED", "warn"), "   ", Span(firing, "strong"), why, hang=6)


def _sections(screen: Screen) -> list[tuple[str, list[list[Piece]]]]:
    quiet = [card for card in screen.cards if not needs_person(card)]
    executions = [card.execution.execution for card in quiet]
    held = [card.execution for card in quiet if _held(card.execution.execution)]
    return [
        ("Being done", [_row(each, screen.now, each.opened_at) for each in executions if not each.ended]),
        ("Held, to be undone", [_held_row(report, screen.now) for report in held]),
        (
            "Done",
            [_row(each, screen.now, each.ended_at) for each in _recent(executions, screen.now) if not _held(each)],
        ),
    ]


def _row(execution: Execution, now: datetime, at: datetime | None) -> list[Piece]:
    return [
        Span(f"  {when(at, now) if at is not None else ''}", "faint"),
        Span(short(execution.id), "faint"),
        say_status(execution.status),
        f"{execution.runbook} on {execution.target}",
        say_outcome(execution),
    ]


def _held_row(report: ExecutionReport, now: datetime) -> list[Piece]:
    execution = report.execution
    at = undo_time(execution, report.runbook)
    if not execution.members:
        until = f"until you say: runbook cancel {short(execution.id)} --undo (or --keep)"
    elif at is None:
        until = "until every alert is resolved"
    else:
        until = f"until {when(at, now)} UTC" if at > now else "due now"
    standing = [step.change for step in execution.steps if step.stands and step.change is not None]
    changes = ", ".join(f"{subject_of(change)} {movement(change)}" for change in standing)
    return ["  " + short(execution.id), execution.runbook, Span(changes, "change"), until]


def _held(execution: Execution) -> bool:
    return execution.ended and execution.compensation in ("held", "undoing")


def _recent(executions: Sequence[Execution], now: datetime) -> list[Execution]:
    ended = [each for each in executions if each.ended_at is not None and now - each.ended_at <= RECENT]
    return sorted(ended, key=lambda each: each.ended_at or now, reverse=True)[:MOST_RECENT]


def _engine(screen: Screen) -> Line:
    pieces: list[Piece] = [Span("Engine", "strong"), ": "]
    if screen.pause_problem:
        pieces.append(Span(f"counts as paused, {screen.pause_problem}", "bad"))
    elif screen.paused is not None:
        why = f" ({screen.paused.reason})" if screen.paused.reason else ""
        said = f"PAUSED by {screen.paused.by} until {clock(screen.paused.until)} UTC{why}; runbook resume ends it"
        pieces.append(Span(said, "bad"))
    else:
        pieces.append("not paused")
    pieces.append(f", ceiling {screen.ceiling}" if screen.ceiling else "")
    if screen.overdue:
        pieces.append(Span(f", {screen.overdue} due and driven by nobody: start runbook serve", "bad"))
    return line(*pieces, hang=4)
