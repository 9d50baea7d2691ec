"""The program: finds the command, runs it, and turns whatever goes wrong into a sentence and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Protocol, TextIO

from runbook_engine.entrypoints.cli.arguments import Parser, make_parser
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import (
    DEPENDENCY_DOWN,
    INTERRUPTED,
    OK,
    CannotWrite,
    UsageError,
    exit_code_of,
)
from runbook_engine.entrypoints.cli.output import complain, complain_text, say, write_lines, write_text
from runbook_engine.errors import InvalidRunbook, RunbookError
from runbook_engine.render.findings import render_findings
from runbook_engine.render.lines import Lines, Piece, Span, line, table

HOME = "home"  # bare `runbook`
COMMANDS: Mapping[str, tuple[str, str]] = {
    "lint": ("authoring", "every error and warning of runbooks, tests and configuration"),
    "test": ("authoring", "run RunbookTest files in simulated time"),
    "alerts": ("payload", "what a payload means after normalisation"),
    "explain": ("payload", "why each runbook does or does not match an alert"),
    "plan": ("payload", "what would be changed now; looks, never touches"),
    "run": ("run", "run one alert's runbooks, or one runbook by hand, to the end"),
    "backtest": ("hindsight", "what these runbooks would have done in the past; looks, never touches"),
    "diff": ("hindsight", "what a change of runbooks changes for recorded alerts"),
    "serve": ("serve", "receive alerts and act on them until stopped"),
    "demo": ("demo", "a real incident on this machine, remediated before your eyes"),
    "doctor": ("doctor", "check everything that must work, each with its remedy"),
    "incidents": ("history", "list incidents, or show one with its timeline"),
    "executions": ("history", "list executions, or show one with its timeline"),
    "approve": ("operate", "say yes to exactly the change that is asked for"),
    "deny": ("operate", "say no to it"),
    "cancel": ("operate", "stop a run; keep or undo what it changed"),
    "takeover": ("operate", "take a run into your hands; keep or undo what it changed"),
    "release": ("word", "let changes go on after a storm, or after you took a run over"),
    "acknowledge": ("word", "say that you are on an incident"),
    "close": ("word", "say that an incident is over of which nobody else did"),
    "standing": ("standing", "how far each runbook is trusted, and the commit that would raise it"),
    "inbox": ("inbox", "webhooks that wait to be decided, and what could not be"),
    "pause": ("operate", "the kill switch: no change anywhere until it ends"),
    "resume": ("operate", "end the pause"),
    "permissions": ("permissions", "the exact grants that these runbooks need, as RBAC manifests too"),
    "verify-audit": ("proving", "prove that no record of what was done was altered since"),
    "replay": ("proving", "the same decisions again, from what was recorded"),
    "coverage": ("coverage", "alert rules without a runbook, and runbooks that no alert reaches"),
    "init": ("init", "write first runbooks from alert rules, or a worked example"),
    "schema": ("authoring", "the JSON Schema of all kinds, for editors"),
    "bundle": ("authoring", "compiled runbooks and configuration as one file, for hosts"),
}


class Command(Protocol):
    """A module of commands."""

    def add_arguments(self, name: str, parser: Parser) -> None:
        """Add the arguments of one of its commands."""
        ...

    def run(self, name: str, arguments: Namespace, desk: Desk) -> int:
        """Run it and return the exit code. Raises RunbookError."""
        ...


def main(argv: Sequence[str] | None = None, desk: Desk | None = None) -> int:
    """Run one command and return its exit code."""
    typed = list(sys.argv[1:] if argv is None else argv)
    desk = desk or Desk.of_process()
    try:
        return _answered(typed, desk)
    except CannotWrite as error:  # also while complaining
        _close_quietly(desk.stdout)
        with suppress(CannotWrite, BrokenPipeError):
            write_lines(desk.stderr, [line(f"runbook: {error}")], desk.environment)
        _close_quietly(desk.stderr)
        return exit_code_of(error)


def _answered(typed: list[str], desk: Desk) -> int:
    try:
        code = _run(typed, desk)
        write_text(desk.stdout, "")
        return code
    except CannotWrite:
        raise
    except InvalidRunbook as error:
        complain(desk, render_findings(error.diagnostics))
        return exit_code_of(error)
    except RunbookError as error:
        complain_text(desk, f"runbook: {error}")
        return exit_code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_quietly(desk.stdout)
        return OK
    except Exception as error:  # the outermost edge: a bug is reported as a sentence, not a traceback
        if desk.environment.get("RUNBOOK_DEBUG"):
            raise
        remedy = "this is a bug; set RUNBOOK_DEBUG=1 to see where"
        complain_text(desk, f"runbook: {type(error).__name__}: {error} ({remedy})")
        return DEPENDENCY_DOWN


def render_help() -> Lines:
    """Return what there is to type."""
    rows: list[list[Piece]] = [[f"  {name}", summary] for name, (_, summary) in COMMANDS.items()]
    return (
        line(Span("runbook", "strong"), "  what needs you, what is being done, what was done"),
        line(Span("runbook COMMAND --help", "strong"), "  what a command takes"),
        line(),
        *table(rows),
    )


def _run(typed: list[str], desk: Desk) -> int:
    first = typed[0] if typed else ""
    if first in ("-h", "--help", "help"):
        say(desk, render_help())
        return OK
    if first in ("-V", "--version"):
        say(desk, [line(f"runbook-engine {version('runbook-engine')}")])
        return OK
    if not first or first.startswith("-"):
        return _dispatch(HOME, "home", "", typed, desk)
    if first not in COMMANDS:
        raise UsageError(_unknown(first))
    module, summary = COMMANDS[first]
    return _dispatch(first, module, summary, typed[1:], desk)


def _dispatch(name: str, module: str, summary: str, typed: list[str], desk: Desk) -> int:
    command: Command = importlib.import_module(f"runbook_engine.entrypoints.cli.{module}")
    shown = "" if name == HOME else name
    parser = make_parser(shown, summary or "the first screen", lambda parser: command.add_arguments(name, parser))
    try:
        arguments = parser.parse_args(typed)
    except SystemExit as left:  # --help was printed
        return int(left.code or OK)
    return command.run(name, arguments, desk)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
    return f"unknown command {name!r}: {remedy}"


def _close_quietly(stream: TextIO) -> None:
    """Whoever read us is gone: let the interpreter's last flush go nowhere instead of complaining."""
    with suppress(OSError, ValueError):  # a stream without a descriptor needs nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
