"""Bare `runbook`: the first screen. What needs you, what is being done, what was done."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timedelta

from runbook_engine.checks import Subject, judge_check
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK
from runbook_engine.entrypoints.cli.installation import Installation
from runbook_engine.entrypoints.cli.output import answer, complain_text, say
from runbook_engine.errors import InvalidRunbook, NoAdapter, RunbookError, Unreadable
from runbook_engine.model.check import Check, QueryCheck
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import IncidentReport
from runbook_engine.model.observation import Pause
from runbook_engine.planning import Sight, filler
from runbook_engine.render.card import Card, Look, needs_person
from runbook_engine.render.first_screen import Screen, record_first_screen, render_first_screen
from runbook_engine.render.lines import Span, line
from runbook_engine.render.wording import age, clock
from runbook_engine.templating import Templates

MOST_INCIDENTS = 20
OVERDUE = timedelta(seconds=30)
LOOK_BACK = timedelta(minutes=15)
LOOK_STEP = timedelta(minutes=1)
CAUSES_WITHIN = timedelta(hours=2)


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Show the first screen."""
    installation = _open(arguments, desk)
    if installation is None:
        return _welcome(arguments, desk)
    screen = look_around(installation, desk.now())
    if arguments.format == "json":
        answer(desk, record_first_screen(screen))
    else:
        say(desk, render_first_screen(screen))
    return OK


def look_around(installation: Installation, now: datetime) -> Screen:
    """Return everything that the first screen shows, the signals read just now."""
    engine = installation.engine
    reports = [engine.incident_report(incident.id) for incident in engine.journal.incidents(limit=MOST_INCIDENTS)]
    paused, problem = _pause(engine, now)
    return Screen(
        now=now,
        cards=tuple(card for report in reports for card in _cards(report, installation, now)),
        paused=paused,
        pause_problem=problem,
        overdue=len(engine.due(now - OVERDUE)),
        ceiling=say_ceiling(engine.bundle.configuration),
        unmatched=tuple(report for report in reports if report.incident.open_alerts and not report.executions),
    )


def say_ceiling(configuration: Configuration) -> str:
    """Return how far runbooks may go here."""
    said = [
        f"{rule.mode} for {', '.join(matcher.text for matcher in rule.matchers)}" if rule.matchers else rule.mode
        for rule in configuration.mode_ceiling
    ]
    return "; ".join(said) or "propose"


def _open(arguments: Namespace, desk: Desk) -> Installation | None:
    """Open everything, or what can be opened: at three at night a broken file must not hide the rest."""
    settings = desk.settings(arguments)
    if not settings.state.is_dir():
        return None
    try:
        return desk.installation(arguments)
    except InvalidRunbook as error:
        first = error.diagnostics[0]
        complain_text(desk, f"runbook: {first.file}:{first.line}: {first.message}: shown without a look at the signals")
    except RunbookError as error:
        complain_text(desk, f"runbook: {error}: shown without a look at the signals")
    return desk.records(arguments)


def _welcome(arguments: Namespace, desk: Desk) -> int:
    """Say where to begin when nothing has ever happened here; nothing is created by looking."""
    if arguments.format == "json":
        answer(desk, record_first_screen(Screen(now=desk.now())))
        return OK
    begin = (
        ("runbook demo", "watch a real incident being remediated on this machine"),
        ("runbook lint runbooks/", "see whether your runbooks are right"),
        ("runbook serve", "receive alerts"),
        ("runbook --help", "everything else"),
    )
    rows = [line("  ", Span(f"{typed:<24}", "link"), meaning) for typed, meaning in begin]
    say(desk, [line(Span("Nothing needs you.", "good"), " Nothing has happened here yet."), line(), *rows])
    return OK


def _cards(report: IncidentReport, installation: Installation, now: datetime) -> list[Card]:
    cards = [Card(incident=report, execution=each) for each in report.executions]
    return [_looked_at(card, installation, now) if needs_person(card) else card for card in cards]


def _looked_at(card: Card, installation: Installation, now: datetime) -> Card:
    engine, execution = installation.engine, card.execution.execution
    sight = Sight(
        world=engine.world,
        ledger=engine.journal,
        registry=installation.registry,
        configuration=engine.bundle.configuration,
        templates=Templates(),
        ceiling=engine.ceiling,
    )
    looks = tuple(_look(check, execution, sight, now) for check in card.execution.runbook.verify)
    return Card(incident=card.incident, execution=card.execution, looks=looks, why=_why(engine, execution))


def _look(check: Check, execution: Execution, sight: Sight, now: datetime) -> Look:
    fill = filler(execution, sight)
    reading = judge_check(check, Subject.of(execution, execution.target, fill), sight.world)
    points: tuple[tuple[datetime, float], ...] = ()
    if isinstance(check, QueryCheck) and reading.value is not None:
        where = {name: fill(value) for name, value in check.where.items()}
        try:
            reader = sight.world.metric_reader(check.source)
            series = reader.history(check.query, where, now - LOOK_BACK, now, LOOK_STEP)
            points = series[0].points if series else ()
        except (Unreadable, NoAdapter):
            points = ()
    return Look(check=check, reading=reading, points=points)


def _why(engine: Engine, execution: Execution) -> str:
    """Return the newest change by others before the alert; that is the first thing an on-call asks."""
    started = execution.alert.starts_at or execution.alert.received_at
    try:
        found = engine.world.changes.changes(execution.target, started - CAUSES_WITHIN)
    except RunbookError as error:
        return f"changes by others cannot be read: {error}"
    before = [change for change in found if not change.ours and change.at <= started]
    if not before:
        return "no change by others within 2h before the alert"
    newest = max(before, key=lambda change: change.at)
    return f"{newest.what} by {newest.who} {clock(newest.at)}, {age(newest.at, started)} before the alert"


def _pause(engine: Engine, now: datetime) -> tuple[Pause | None, str]:
    try:
        return engine.world.pauses.pause(now), ""
    except RunbookError as error:
        return None, str(error)
