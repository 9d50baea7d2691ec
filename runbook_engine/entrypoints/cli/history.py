"""What happened: incidents and executions, as lists or one whole with its timeline."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places, read_count
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK, NothingYet
from runbook_engine.entrypoints.cli.identity import find_execution, find_incident
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.render.execution import record_execution, record_report, render_execution, render_executions
from runbook_engine.render.incident import record_incident, record_incident_report, render_incident, render_incidents
from runbook_engine.render.lines import line
from runbook_engine.render.wording import sentence


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    parser.add_argument("id", metavar="ID", nargs="?", help="one of them; the first characters are enough")
    parser.add_argument("--limit", type=read_count, default=20, metavar="N", help="how many are listed (default: 20)")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    try:
        return RUNS[name](arguments, desk)
    except NothingYet as error:
        if arguments.id:
            raise
        if arguments.format == "json":
            answer(desk, {name: []})
        else:
            say(desk, [line(sentence(str(error)))])
        return OK


def _incidents(arguments: Namespace, desk: Desk) -> int:
    engine, now = desk.records(arguments).engine, desk.now()
    if arguments.id:
        report = engine.incident_report(find_incident(engine.journal, arguments.id).id)
        if arguments.format == "json":
            answer(desk, {"incident": record_incident_report(report)})
        else:
            say(desk, render_incident(report, now))
        return OK
    found = engine.journal.incidents(limit=arguments.limit)
    reports = [engine.incident_report(each.id, causes=False) for each in found]
    if arguments.format == "json":
        answer(desk, {"incidents": [record_incident(report) for report in reports]})
    else:
        say(desk, render_incidents(reports, now))
    return OK


def _executions(arguments: Namespace, desk: Desk) -> int:
    engine, now = desk.records(arguments).engine, desk.now()
    if arguments.id:
        report = engine.execution_report(find_execution(engine.journal, arguments.id).id)
        if arguments.format == "json":
            answer(desk, {"execution": record_report(report)})
        else:
            say(desk, render_execution(report, now))
        return OK
    executions = engine.journal.executions(limit=arguments.limit)
    if arguments.format == "json":
        answer(desk, {"executions": [record_execution(each) for each in executions]})
    else:
        say(desk, render_executions(executions, now))
    return OK


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {"incidents": _incidents, "executions": _executions}
