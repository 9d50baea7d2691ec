"""A person's word about an incident or a storm: it is mine, it is over, changes may go on.

Works on the journal alone, so that it works while a runbook or an adapter is broken.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.consent import confirm
from runbook_engine.entrypoints.cli.desk import Desk, operator_of
from runbook_engine.entrypoints.cli.failure import OK, Refused, UsageError
from runbook_engine.entrypoints.cli.identity import find_execution, find_incident
from runbook_engine.entrypoints.cli.output import answer, complain, say
from runbook_engine.model.incident import Incident
from runbook_engine.model.ration import Held
from runbook_engine.render.execution import record_execution
from runbook_engine.render.incident import record_incident
from runbook_engine.render.lines import Span, line
from runbook_engine.render.storm import record_held, record_storm, render_held, say_held
from runbook_engine.render.wording import short, until_when


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name == "release":
        what = "the execution that was taken over; without it, the storm that holds every change"
        parser.add_argument("id", metavar="EXECUTION", nargs="?", help=what)
    else:
        parser.add_argument("id", metavar="INCIDENT", help="the incident; the first characters are enough")
    if name == "release":
        parser.add_argument("--yes", action="store_true", help="do not ask before a storm is let go: for scripts")
    if name != "acknowledge":
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def _release(arguments: Namespace, desk: Desk) -> int:
    if arguments.id:
        return _release_execution(arguments, desk)
    installation = desk.records(arguments)
    engine, by = installation.engine, operator_of(installation)
    if not arguments.yes:
        _ask(engine.held_by_storm(desk.now()), arguments, desk)
    now = desk.now()
    held = engine.release_storm(by=by, now=now, reason=arguments.reason)
    if arguments.format == "json":
        storm = record_storm(engine.journal.latch(), engine.bundle.configuration.storm, now)
        answer(desk, {"storm": storm, "waiting": held.runs, "release": record_held(held)})
    else:
        say(desk, [line(Span("storm released", "good"), f" by {by}: {say_held(held)}", hang=4)])
    return OK


def _ask(held: Held, arguments: Namespace, desk: Desk) -> None:
    """Show what would be let go, and how fast; a person says yes. Raises Refused, UsageError."""
    if not desk.at_terminal:
        raise UsageError(f"nobody is here to say yes: {say_held(held)} (add --yes to let it go)")
    (complain if arguments.format == "json" else say)(desk, render_held(held))
    if not confirm("Let the storm go?", desk):
        raise Refused("nothing was released: the answer was no")


def _release_execution(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    engine, by = installation.engine, operator_of(installation)
    execution = find_execution(engine.journal, arguments.id)
    engine.release(execution.id, by=by, now=desk.now(), reason=arguments.reason)
    said = f"released by {by}: other runs may change {execution.target} again"
    if arguments.format == "json":
        answer(desk, {"execution": record_execution(execution), "recorded": said})
    else:
        say(desk, [line(Span(short(execution.id), "strong"), f"  {said}", hang=4)])
    return OK


def _acknowledge(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    engine, now = installation.engine, desk.now()
    found = find_incident(engine.journal, arguments.id)
    incident = engine.acknowledge(found.id, by=operator_of(installation), now=now)
    assert incident.acknowledged_at is not None, "it was just acknowledged, or before"
    at = until_when(incident.acknowledged_at, now)
    return _told(incident, f"acknowledged by {incident.acknowledged_by} at {at} UTC", arguments, desk)


def _close(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    engine, by = installation.engine, operator_of(installation)
    found = find_incident(engine.journal, arguments.id)
    incident = engine.close_incident(found.id, by=by, now=desk.now(), reason=arguments.reason)
    return _told(incident, f"closed by {by}", arguments, desk)


def _told(incident: Incident, said: str, arguments: Namespace, desk: Desk) -> int:
    if arguments.format == "json":
        report = desk.records(arguments).engine.incident_report(incident.id, causes=False)
        answer(desk, {"incident": record_incident(report), "recorded": said})
    else:
        say(desk, [line(Span(short(incident.id), "strong"), f"  {incident.title}  {said}", hang=4)])
    return OK


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {
    "release": _release,
    "acknowledge": _acknowledge,
    "close": _close,
}
