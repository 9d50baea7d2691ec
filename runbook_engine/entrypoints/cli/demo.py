"""`runbook demo`: a real incident on this machine, remediated before your eyes."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import runbook_engine
from runbook_engine.entrypoints.cli.arguments import Parser, read_count
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.entrypoints.cli.output import say
from runbook_engine.entrypoints.demo import run as run_demo
from runbook_engine.render.lines import Lines, line


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("--keep", action="store_true", help="leave everything running, for exploration")
    parser.add_argument("--port", type=read_count, default=0, help="where the runner listens (default: any free one)")


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run the demo and return its exit code: 0 only when the measured error rate verified the remediation."""
    runbooks, shop = find_shipped(Path(runbook_engine.__file__).parent)

    def tell(text: str) -> None:
        say(desk, [line(each) for each in text.split("\n")])

    def show(lines: Lines) -> None:
        say(desk, lines)

    return run_demo(shipped_runbooks=runbooks, shop=shop, say=tell, show=show, port=arguments.port, keep=arguments.keep)


def find_shipped(package: Path) -> tuple[Path, Path]:
    """Return the shipped runbooks and the checkout service: inside an installed wheel, or at a checkout's root."""
    places = (
        (package / "shipped" / "runbooks", package / "shipped" / "checkout"),
        (package.parent / "runbooks", package.parent / "apps" / "checkout"),
    )
    for runbooks, shop in places:
        if runbooks.is_dir() and shop.is_dir():
            return runbooks, shop
    raise UsageError("the demo's files are not installed: install the wheel, or run it from a checkout")
