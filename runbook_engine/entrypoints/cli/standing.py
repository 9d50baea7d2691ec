"""How far each runbook is trusted: what its runs did to it, and the commit that would raise it."""

from __future__ import annotations

from argparse import Namespace

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.render.standing import record_standing, render_standings


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one runbook (default: all of them)")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Show how far runbooks are trusted. Changes nothing: only a commit does."""
    engine = desk.installation(arguments, looks_only=True).engine
    if arguments.name:
        engine.runbook(arguments.name)
    shown = [each for each in engine.standings() if arguments.name in (None, each.runbook.name)]
    if arguments.format == "json":
        answer(desk, {"runbooks": [record_standing(each) for each in shown]})
    else:
        say(desk, render_standings(shown))
    return OK
