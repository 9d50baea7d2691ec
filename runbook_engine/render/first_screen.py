"""The first screen: what needs a person, what is being done, what is held, what was done.

Made for three o'clock in the morning: the question comes first, then the figures, then the reason, and every
answer is a command that can be typed as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.intake.builder import NEVER_REMEDIATED
from runbook_engine.machine.compensation import undo_time, undoable_steps
from runbook_engine.model.execution import Execution
from runbook_engine.model.inbox import EMPTY, Fill
from runbook_engine.model.incident import Arrival, ExecutionReport, Incident, IncidentReport
from runbook_engine.model.observation import Pause
from runbook_engine.model.ration import Held
from runbook_engine.model.storm import Latch, StormRule, held_until
from runbook_engine.render.card import Card, needs_person, render_card
from runbook_engine.render.execution import record_execution, say_outcome
from runbook_engine.render.inbox import record_fill, render_trouble, say_waiting
from runbook_engine.render.incident import UNSAID, record_incident, say_where
from runbook_engine.render.lines import Line, Lines, Piece, Span, line, table
from runbook_engine.render.storm import RELEASE, record_held, record_storm, render_storm, render_turns, say_released
from runbook_engine.render.wording import age, record_time, say_changes, say_status, short, until_when, when

RECENT = timedelta(days=1)
MOST_RECENT = 5
MOST_CARDS = 10  # shown whole; the others that need a person are one line each
MOST_UNHANDLED = 5
MOST_ROWS = 20  # of a list: a storm has hundreds, and nobody reads them at night


class Unhandled(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that fires and whose arrival decided no run."""

    report: IncidentReport
    arrival: Arrival

    @property
    def since(self) -> datetime:
        """When it began to fire."""
        return self.arrival.alert.starts_at or self.arrival.at


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that are due for a while: what nobody drives, or what a worker has yet to come to."""

    runs: int = 0
    more: bool = False  # nobody counted further
    since: datetime | None = None  # since when the first is due


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the first screen. `paused` is the kill switch."""

    now: datetime
    cards: tuple[Card, ...] = ()
    paused: Pause | None = None
    pause_problem: str = ""
    backlog: Backlog = Backlog()
    driven: bool = False  # whether a worker of this machine goes round
    ceiling: str = ""
    unmatched: tuple[Unhandled, ...] = ()  # alerts that fire and that no run answers
    storage: str = ""  # why nothing can be kept; the runner cannot go round either then
    problems: tuple[str, ...] = ()  # what is wrong with the runner, as far as this machine can see
    nothing_yet: str = ""  # said while there is no journal
    latch: Latch = Latch()
    storm: StormRule = StormRule()
    held: Held | None = None  # what a storm holds
    turns: Held | None = None  # what waits for its turn since a storm was let go
    expired: tuple[Incident, ...] = ()  # nobody said that they are over
    inbox: Fill = EMPTY


def render_first_screen(screen: Screen) -> Lines:
    """Return the first screen."""
    wrong = list_wrong(screen)
    lines: list[Line] = [line(Span("OUT OF ORDER", "bad"), f"   {each}", hang=6) for each in wrong]
    lines += [line()] * bool(wrong)
    storm = render_storm(screen.latch, screen.storm, screen.now)
    lines += [*storm, line()] if storm else []
    turns = render_turns(screen.turns) if screen.turns is not None else ()
    lines += [*turns, line()] if turns else []
    inbox = render_trouble(screen.inbox, screen.now)
    lines += [*inbox, line()] if inbox else []
    needing = sorted((card for card in screen.cards if needs_person(card)), key=urgency)
    for card in needing[:MOST_CARDS]:
        lines += [*render_card(card, screen.now), line()]
    if further := needing[MOST_CARDS:]:
        title = f"NEED YOU TOO, {len(further)} more: runbook executions ID"
        lines += [line(Span(title, "bad")), *_rows([_further(card, screen.now) for card in further]), line()]
    lines += _unhandled(screen)
    lines += _expired(screen.expired, screen.now)
    if not needing and not screen.unmatched and not screen.expired:
        lines += [_nothing(screen, other=bool(wrong or storm or inbox)), line()]
    for title, rows in _sections(screen):
        if rows:
            lines += [line(Span(title, "strong")), *_rows(rows), line()]
    lines.append(_engine(screen))
    return tuple(lines)


def record_first_screen(screen: Screen) -> dict[str, Any]:
    """Return the first screen for scripts."""
    executions = [card.execution.execution for card in screen.cards]
    return {
        "needs_you": [record_execution(card.execution.execution) for card in screen.cards if needs_person(card)],
        "unmatched": _record_unhandled(screen.unmatched),
        "running": [record_execution(each) for each in executions if not each.ended and each.approval is None],
        "held": [record_execution(each) for each in executions if is_held(each)],
        "recent": [record_execution(each) for each in recent(executions, screen.now)],
        "expired": [{"id": each.id, "title": each.title} for each in screen.expired],
        "storm": record_storm(screen.latch, screen.storm, screen.now),
        "after_storm": record_held(screen.turns) if screen.turns is not None else None,
        "paused_until": record_time(screen.paused.until) if screen.paused is not None else None,
        "inbox": record_fill(screen.inbox),
        "overdue": screen.backlog.runs,
        "overdue_more": screen.backlog.more,
        "overdue_since": record_time(screen.backlog.since),
        "driven": screen.driven,
        "problems": list_wrong(screen),
    }


def find_unhandled(report: IncidentReport) -> tuple[Unhandled, ...]:
    """Return the alerts of an incident that fire and whose arrival decided no run, oldest first."""
    newest = {each.alert.alert_key: each for each in report.arrivals if each.transition in ("opened", "superseded")}
    return tuple(
        Unhandled(report=report, arrival=arrival)
        for key, arrival in newest.items()
        if key in report.incident.open_alerts
        and arrival.alert.name not in NEVER_REMEDIATED
        and not any(decision.execution_id for decision in arrival.decisions)
    )


def list_wrong(screen: Screen) -> list[str]:
    """Return what keeps the engine from doing its work: it is said before anything else, and never with `nothing`."""
    wrong = []
    if screen.pause_problem:
        wrong.append(f"the kill switch cannot be read, so no change is made: {screen.pause_problem}")
    wrong += [screen.storage] if screen.storage else []
    wrong += screen.problems
    if screen.backlog.runs and not screen.driven:
        wrong.append(say_backlog(screen))
    return wrong


def _nothing(screen: Screen, *, other: bool) -> Line:
    """Return that nothing needs anybody, as far as that is known: what is undecided may."""
    if screen.inbox.deliveries and list_wrong(screen):
        said = f"Nothing else is known to need you: {say_waiting(screen.inbox, screen.now)}."
        return line(Span(said, "warn"))
    nothing = "Nothing else needs you." if other else "Nothing needs you."
    return line(Span(nothing, "good"), f" {screen.nothing_yet}" if screen.nothing_yet else "")


def say_backlog(screen: Screen) -> str:
    """Return what waits for the worker, or that nobody drives: the remedy is said once, with what is wrong."""
    backlog = screen.backlog
    number = f"more than {backlog.runs}" if backlog.more else str(backlog.runs)
    if screen.driven:
        runs = "run waits" if number == "1" else "runs wait"
        longest = f", the longest for {age(backlog.since, screen.now)}" if backlog.since is not None else ""
        return f"{number} {runs} for the worker{longest}"
    known = screen.storage or screen.problems
    return f"{number} due and driven by nobody{'' if known else ': start runbook serve'}"


def urgency(card: Card) -> tuple[bool, float]:
    """Questions first, the one that lapses first at the top; then what ended, the newest at the top."""
    execution = card.execution.execution
    if execution.approval is not None:
        return False, execution.approval.until.timestamp()
    return True, -(execution.ended_at or execution.opened_at).timestamp()


def _further(card: Card, now: datetime) -> list[Piece]:
    execution = card.execution.execution
    return _row(execution, now, execution.ended_at or execution.opened_at)


def _rows(rows: list[list[Piece]]) -> Lines:
    """Return the first rows of a list as lines, and how many there are besides."""
    rest = len(rows) - MOST_ROWS
    more = (line(f"  and {rest} more: runbook executions"),) if rest > 0 else ()
    return (*table(rows[:MOST_ROWS]), *more)


def _unhandled(screen: Screen) -> list[Line]:
    newest = sorted(screen.unmatched, key=lambda each: each.since, reverse=True)
    lines = [each for found in newest[:MOST_UNHANDLED] for each in (_unmatched(found, screen.now), line())]
    if len(newest) > MOST_UNHANDLED:
        lines += [line(f"and {len(newest) - MOST_UNHANDLED} more that no run answers: runbook incidents"), line()]
    return lines


def _expired(expired: Sequence[Incident], now: datetime) -> list[Line]:
    """Return the incidents of which nobody has spoken for long: an alert that expired is not resolved."""
    lines = []
    for incident in expired[:MOST_UNHANDLED]:
        what = f"{say_where(incident) or incident.severity} · {incident.title} · last fired"
        said = f"{what} {age(incident.last_firing_at, now)} ago"
        close = Span(f"runbook close {short(incident.id)} --reason TEXT", "link")
        lines += [line(Span("EXPIRED", "warn"), "   ", Span(said, "strong"), f"   {UNSAID}: ", close, hang=6), line()]
    if len(expired) > MOST_UNHANDLED:
        lines += [line(f"and {len(expired) - MOST_UNHANDLED} more that only expired: runbook incidents"), line()]
    return lines


def _unmatched(found: Unhandled, now: datetime) -> Line:
    incident, alert = found.report.incident, found.arrival.alert
    firing = f"{say_where(incident) or alert.severity} · {alert.name} · firing {age(found.since, now)}"
    return line(Span("NOT HANDLED", "warn"), "   ", Span(firing, "strong"), f"   {say_unhandled(found)}", hang=6)


def say_unhandled(found: Unhandled) -> str:
    """Return why no run answers an alert."""
    refused = [f"{each.runbook} {each.outcome}: {each.reason}" for each in found.arrival.decisions]
    return "; ".join(refused) or "no runbook answers it"


def _record_unhandled(unhandled: Sequence[Unhandled]) -> list[dict[str, Any]]:
    """Return each incident once, with the alerts in it that no run answers."""
    records: dict[str, dict[str, Any]] = {}
    for found in unhandled:
        record = records.setdefault(found.report.incident.id, {**record_incident(found.report), "alerts": []})
        record["alerts"].append({"name": found.arrival.alert.name, "since": record_time(found.since)})
    return list(records.values())


def _sections(screen: Screen) -> list[tuple[str, list[list[Piece]]]]:
    quiet = [card for card in screen.cards if not needs_person(card)]
    executions = [card.execution.execution for card in quiet]
    held = [card.execution for card in quiet if is_held(card.execution.execution)]
    latest = recent([each for each in executions if not is_held(each)], screen.now)
    return [
        ("Being done", [_row(each, screen.now, each.opened_at) for each in executions if not each.ended]),
        ("Held, to be undone", [_held_row(report, screen.now) for report in held]),
        (
            "Done",
            [_row(each, screen.now, each.ended_at) for each in latest],
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
    if not execution.members:
        until = f"until you say: runbook cancel {short(execution.id)} --undo (or --keep)"
    elif execution.status == "handed_over":
        until = f"until you say: runbook takeover {short(execution.id)} --undo"
    else:
        until = say_held_until(report, now)
    return ["  " + short(execution.id), execution.runbook, Span(say_undoable(report), "change"), until]


def say_held_until(report: ExecutionReport, now: datetime) -> str:
    """Return until when what was changed stands, when it is undone by itself."""
    at = undo_time(report.execution, report.runbook)
    if at is None:
        return "until every alert is resolved"
    return f"until {when(at, now)} UTC" if at > now else "due now"


def say_undoable(report: ExecutionReport) -> str:
    """Return the changes that stand until they are undone."""
    return say_changes(undoable_steps(report.execution, report.runbook))


def is_held(execution: Execution) -> bool:
    """Whether it is over, and what it changed stands until it is undone."""
    return execution.ended and execution.compensation in ("held", "undoing")


def recent(executions: Sequence[Execution], now: datetime) -> list[Execution]:
    """Return the few that ended last, within a day."""
    ended = [each for each in executions if each.ended_at is not None and now - each.ended_at <= RECENT]
    return sorted(ended, key=lambda each: each.ended_at or now, reverse=True)[:MOST_RECENT]


def _engine(screen: Screen) -> Line:
    pieces: list[Piece] = [Span("Engine", "strong"), ": "]
    if screen.pause_problem:
        pieces.append(Span(f"counts as paused, {screen.pause_problem}", "bad"))
    elif screen.paused is not None:
        why = f" ({screen.paused.reason})" if screen.paused.reason else ""
        until = until_when(screen.paused.until, screen.now)
        said = f"PAUSED by {screen.paused.by} until {until} UTC{why}; runbook resume ends it"
        pieces.append(Span(said, "bad"))
    else:
        pieces.append("not paused")
    if held_until(screen.latch, screen.storm, screen.now) is not None:
        pieces.append(Span(f", STORM: changes held, {RELEASE}", "bad"))
    elif screen.latch.released_at is not None and screen.now - screen.latch.released_at <= RECENT:
        pieces.append(f", {say_released(screen.latch, screen.now)}")
    pieces.append(f", ceiling {screen.ceiling}" if screen.ceiling else "")
    if screen.backlog.runs:
        said = f", {say_backlog(screen)}"
        pieces.append(said if screen.driven else Span(said, "bad"))
    return line(*pieces, hang=4)
