"""The overview: everything that the first screen shows, for a terminal and for the web page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from runbook_engine.checks import Subject, judge_check
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.backlog import fill
from runbook_engine.errors import NoAdapter, RunbookError, Unreadable
from runbook_engine.model.check import Check, QueryCheck
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, Incident, IncidentReport
from runbook_engine.model.observation import Pause
from runbook_engine.model.ration import RATION, Held, hold, let_go_at, say_turn, waits_for_storm
from runbook_engine.model.storm import Latch, StormRule, held_until
from runbook_engine.planning import Sight, filler
from runbook_engine.registry import Registry
from runbook_engine.render.card import NOT_FIXED, Card, Look, needs_person
from runbook_engine.render.first_screen import MOST_CARDS, Backlog, Screen, Unhandled, find_unhandled, recent, urgency
from runbook_engine.render.wording import age, clock
from runbook_engine.templating import Templates

EVERY = 100_000  # what must never vanish is asked for without a limit that anybody reaches
LATEST = 1000  # how far back an end that still needs a person is looked for
MOST_LOOKS = MOST_CARDS  # each asks the signals
OVERDUE = timedelta(seconds=30)
MOST_COUNTED = 100
LOOK_BACK = timedelta(minutes=15)
LOOK_STEP = timedelta(minutes=1)
CAUSES_WITHIN = timedelta(hours=2)


def look_around(
    engine: Engine,
    registry: Registry,
    now: datetime,
    *,
    storage: str = "",
    problems: tuple[str, ...] = (),
    driven: bool = False,
) -> Screen:
    """Return everything that the first screen shows, the signals read just now.

    `storage` is why nothing can be kept, `problems` what else is wrong with the runner, `driven` whether a worker
    goes round. Raises what the journal raises.
    """
    paused, problem = read_pause(engine, now)
    open_incidents = engine.journal.incidents(limit=EVERY, open_only=True)
    latch, storm = engine.journal.latch(), engine.bundle.configuration.storm
    cards = _cards(engine, registry, open_incidents, now)
    waiting = _waiting(engine, [card.execution.execution for card in cards], now)
    let_go = let_go_at(latch, storm, now) is not None
    return Screen(
        now=now,
        cards=tuple([_say_turn(card, latch, storm, now) for card in cards]) if let_go else cards,
        paused=paused,
        pause_problem=problem,
        backlog=_backlog(engine, now),
        driven=driven,
        ceiling=say_ceiling(engine.bundle.configuration),
        unmatched=tuple(found for incident in open_incidents for found in _unhandled(engine, incident)),
        storage=storage,
        problems=problems,
        latch=latch,
        storm=storm,
        held=waiting if held_until(latch, storm, now) is not None else None,
        turns=waiting if let_go and waiting.runs else None,
        inbox=fill(engine),
        expired=tuple(each for each in open_incidents if each.expired_alerts and not each.open_alerts),
    )


def _backlog(engine: Engine, now: datetime) -> Backlog:
    """Return how many runs are overdue, as far as anybody counts, and since when the first one is."""
    overdue = engine.due(now - OVERDUE, MOST_COUNTED + 1)
    since = engine.journal.next_due() if overdue else None
    return Backlog(runs=min(len(overdue), MOST_COUNTED), more=len(overdue) > MOST_COUNTED, since=since)


def _say_turn(card: Card, latch: Latch, rule: StormRule, now: datetime) -> Card:
    """Return the card of a run that a storm held saying what it waits for now, although it has not looked again yet."""
    execution = say_turn(card.execution.execution, latch, rule, now)
    if execution is card.execution.execution:
        return card
    return msgspec.structs.replace(card, execution=msgspec.structs.replace(card.execution, execution=execution))


def _waiting(engine: Engine, executions: Sequence[Execution], now: datetime) -> Held:
    """Return what waits for a storm to be let go, or for its turn since it was."""
    rule = engine.bundle.configuration.storm
    waiting = [each for each in executions if waits_for_storm(each)]
    room = rule.ration - engine.journal.changes_within(RATION, now - rule.within, other_than="")
    return hold(waiting, rule, room=room, now=now)


def say_ceiling(configuration: Configuration) -> str:
    """Return how far runbooks may go here."""
    said = [
        f"{rule.mode} for {', '.join(matcher.text for matcher in rule.matchers)}" if rule.matchers else rule.mode
        for rule in configuration.mode_ceiling
    ]
    return "; ".join(said) or "propose"


def _unhandled(engine: Engine, incident: Incident) -> tuple[Unhandled, ...]:
    """Look at the arrivals first: only an incident that something in it needs is read whole."""
    arrivals = engine.journal.arrivals(incident.id)
    bare = IncidentReport(incident=incident, status="open", arrivals=arrivals, executions=())
    return find_unhandled(engine.incident_report(incident.id, causes=False)) if find_unhandled(bare) else ()


def _cards(engine: Engine, registry: Registry, open_incidents: Sequence[Incident], now: datetime) -> tuple[Card, ...]:
    """Return a card for everything that is not over, that needs a person, or that was just done.

    Only what is shown whole is read whole: a storm has thousands of runs, each with a trail.
    """
    known = {incident.id: incident for incident in open_incidents}
    cards = _bare(engine, _shown(engine, known, now), known)
    needing = sorted((card for card in cards if needs_person(card)), key=urgency)[:MOST_LOOKS]
    reports = {each: engine.incident_report(each) for each in dict.fromkeys(_incident_of(card) for card in needing)}
    whole = {
        card.execution.execution.id: look_closer(
            Card(incident=reports[_incident_of(card)], execution=engine.execution_report(card.execution.execution.id)),
            engine,
            registry,
            now,
        )
        for card in needing
    }
    return tuple(whole.get(card.execution.execution.id, card) for card in cards)


def _incident_of(card: Card) -> str:
    return card.incident.incident.id


def _bare(engine: Engine, shown: Sequence[Execution], known: Mapping[str, Incident]) -> list[Card]:
    """Return cards without trail, evidence and arrivals: enough to tell what needs a person, and to fill one line."""
    over = dict.fromkeys(each.incident_id for each in shown if each.incident_id not in known)
    incidents = {**known, **{each: engine.journal.incident(each) for each in over}}
    reports = {
        each: IncidentReport(incident=incident, status="open", arrivals=(), executions=())
        for each, incident in incidents.items()
    }
    digests = dict.fromkeys(each.runbook_digest for each in shown)
    runbooks = {each: engine.journal.runbook(each) for each in digests}
    return [
        Card(
            incident=reports[each.incident_id],
            execution=ExecutionReport(execution=each, runbook=runbooks[each.runbook_digest], audit=(), evidence=()),
        )
        for each in shown
    ]


def _shown(engine: Engine, open_incidents: Mapping[str, Incident], now: datetime) -> list[Execution]:
    """Return what the screen is about, newest first: what is not over has no limit, what is done is a few."""
    journal = engine.journal
    found = {each.id: each for each in journal.executions(limit=LATEST)}
    found.update((each.id, each) for each in journal.executions(limit=EVERY, active_only=True))
    for incident in open_incidents.values():
        if any(identity not in found for identity in incident.execution_ids):
            found.update((each.id, each) for each in journal.executions(limit=LATEST, incident_id=incident.id))
    newest = sorted(found.values(), key=lambda each: each.opened_at, reverse=True)
    standing = [each for each in newest if _stands_open(each, open_incidents)]
    over = {each.id for each in newest} - {each.id for each in standing}
    return [*standing, *recent([each for each in newest if each.id in over], now)]


def _stands_open(execution: Execution, open_incidents: Mapping[str, Incident]) -> bool:
    if not execution.finished or execution.compensation == "failed":
        return True
    unfixed = execution.status in NOT_FIXED and not execution.spoken_for
    return unfixed and execution.incident_id in open_incidents


def look_closer(card: Card, engine: Engine, registry: Registry, now: datetime) -> Card:
    """Return a card with what its signals read now, and what others had changed before its alert."""
    execution = card.execution.execution
    sight = Sight(
        world=engine.world,
        ledger=engine.journal,
        registry=registry,
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


def read_pause(engine: Engine, now: datetime) -> tuple[Pause | None, str]:
    """Return the pause in force, or why that cannot be told."""
    try:
        return engine.world.pauses.pause(now), ""
    except RunbookError as error:
        return None, str(error)
