"""Arguments that several commands share, and the parser that says in one sentence what is wrong."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.model.target import Target

DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of leaving, and whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def make_parser(name: str, summary: str, add_arguments: Callable[[Parser], None]) -> Parser:
    """Return the parser of one command."""
    parser = Parser(prog=f"runbook {name}".strip(), description=summary, allow_abbrev=False)
    add_arguments(parser)
    return parser


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add where the runbooks, the configuration and the state are."""
    parser.add_argument("--runbooks", metavar="DIR", help="the folder of the runbooks (default: runbooks/)")
    parser.add_argument("--config", metavar="FILE", help="the installation (default: runbooks/engine.yaml)")
    parser.add_argument("--state", metavar="DIR", help="where the journal and the kill switch are (default: .runbook)")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add the choice between text for people and JSON for scripts."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text for people, json for scripts")


def add_payload(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the alert and the scope in whose name it is read."""
    wanted = "FILE holds a webhook body or one alert; - is standard input"
    parser.add_argument("--alert", metavar="FILE", required=required, help=wanted)
    parser.add_argument("--scope", metavar="NAME", help="the sender (default: the first scope of engine.yaml)")
    parser.add_argument("--source", metavar="NAME", help="the format, as in grafana (default: that of the scope)")


def read_duration(text: str) -> timedelta:
    """Return a duration such as 30m or 1h30m. Raises ArgumentTypeError."""
    found = DURATION.fullmatch(text)
    if not text or found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration (write it as 30m, 2h or 1h30m)")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    period = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not period:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all (write it as 30m, 2h or 1h30m)")
    return period


def read_target(text: str) -> tuple[str, str, str]:
    """Return kind, namespace and name of a target such as deployment=apps/checkout. Raises ArgumentTypeError."""
    kind, sign, path = text.partition("=")
    if not sign or not kind or not path:
        example = "deployment=apps/checkout, node=ip-10-0-0-1 or parameter=/checkout/degraded_mode"
        raise argparse.ArgumentTypeError(f"{text!r} is not a target (write {example})")
    if kind == "parameter" or "/" not in path:
        return kind, "", path
    namespace, _, name = path.partition("/")
    return kind, namespace, name


def read_input(text: str) -> tuple[str, str]:
    """Return name and value of an input such as cluster=local. Raises ArgumentTypeError."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not an input (write NAME=VALUE)")
    return name, value


def target_at(parts: tuple[str, str, str], place: str) -> Target:
    """Return a target that was typed, at a place."""
    kind, namespace, name = parts
    return Target(kind, place, namespace, name)


def read_count(text: str) -> int:
    """Return a whole number above nothing. Raises ArgumentTypeError."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
