"""`runbook serve`: the local runner, until it is stopped."""

from __future__ import annotations

import argparse
from argparse import Namespace
from importlib.util import find_spec

from runbook_engine.entrypoints.cli.arguments import Parser, add_places, read_count
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.output import complain
from runbook_engine.entrypoints.serve import GRACE, HOST, PORT, serve
from runbook_engine.errors import NoAdapter
from runbook_engine.render.lines import Span, line

NEEDED = ("flask", "gunicorn", "prometheus_client")


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--host", default=HOST, help=f"where to listen (default: {HOST}, this machine alone)")
    parser.add_argument("--port", type=_read_port, default=PORT, help=f"on which port (default: {PORT})")
    parser.add_argument("--grace", type=read_count, default=int(GRACE), help="seconds to finish what is in hand")
    add_places(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Serve until SIGTERM or SIGINT."""
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        raise NoAdapter(f"serving needs {', '.join(missing)}", hint="install runbook-engine[server]")

    def started(address: str, page: str) -> None:
        hook = f"{address}/hooks/<scope>"
        where = f"{page}, the page for people" if page else address
        complain(desk, [line(Span("serving", "good"), f" {where}; alerts go to {hook}; Ctrl-C stops it")])

    told = started if desk.stderr.isatty() else lambda address, page: None
    return serve(
        desk.settings(arguments), host=arguments.host, port=arguments.port, grace=arguments.grace, started=told
    )


def _read_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535; 0 takes any that is free)")
    return int(text)
