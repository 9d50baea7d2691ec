"""The inbox at the command line: what waits, and what to do with what could not be decided.

Works on the journal alone, so that it works while a runbook or an adapter is broken.
"""

from __future__ import annotations

from argparse import Namespace

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK, NothingYet, UsageError
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.model.inbox import EMPTY
from runbook_engine.ports import Inbox
from runbook_engine.render.inbox import record_inbox, render_inbox
from runbook_engine.render.lines import line

MOST_LISTED = 500


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    wishes = "retry: decide it again; discard: throw it away (default: show what waits and what was set aside)"
    parser.add_argument("wish", nargs="?", choices=("retry", "discard"), help=wishes)
    parser.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="of a delivery that was set aside")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Show the inbox, or do with one of its deliveries what is wished."""
    if arguments.wish and arguments.number is None:
        raise UsageError(f"which one? runbook inbox {arguments.wish} NUMBER (runbook inbox lists what was set aside)")
    try:
        inbox = desk.records(arguments).engine.journal.inbox
    except NothingYet:
        inbox = None
    if arguments.wish:
        return _act(inbox, arguments, desk)
    fill = inbox.fill() if inbox is not None else EMPTY
    aside = inbox.aside(MOST_LISTED) if inbox is not None else ()
    if arguments.format == "json":
        answer(desk, {"inbox": record_inbox(fill, aside)})
    else:
        say(desk, render_inbox(fill, aside, desk.now()))
    return OK


def _act(inbox: Inbox | None, arguments: Namespace, desk: Desk) -> int:
    number: int = arguments.number
    if inbox is None:
        raise UsageError("this installation has no inbox, so nothing was ever set aside")
    if arguments.wish == "retry":
        said = f"delivery {number} waits again, as {inbox.give_back(number, desk.now())}: the worker decides it"
    else:
        inbox.discard(number)
        said = f"delivery {number} is thrown away"
    if arguments.format == "json":
        answer(desk, {"delivery": number, "recorded": said})
    else:
        say(desk, [line(said)])
    return OK
