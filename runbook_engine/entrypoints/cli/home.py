"""Bare `runbook`: the first screen. What needs you, what is being done, what was done."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

import msgspec

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK, NothingYet
from runbook_engine.entrypoints.cli.installation import (
    BEAT_FILE,
    BUNDLE_FILE,
    Installation,
    find_full_disk_of,
    is_driven,
    say_how_to_be_driven,
)
from runbook_engine.entrypoints.cli.output import answer, complain_text, say
from runbook_engine.entrypoints.heartbeat import is_fresh, read_heartbeat
from runbook_engine.entrypoints.lock import FOLDER
from runbook_engine.entrypoints.overview import look_around, read_pause
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.storage import find_full_disk
from runbook_engine.errors import InvalidRunbook, RunbookError, Unreadable
from runbook_engine.render.first_screen import (
    Screen,
    record_first_screen,
    render_first_screen,
)
from runbook_engine.render.lines import Span, line
from runbook_engine.render.wording import age, sentence


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Show the first screen."""
    try:
        installation = _open(arguments, desk)
    except NothingYet as error:
        return _welcome(error, arguments, desk)
    screen = _looked_around(installation, desk.now())
    if arguments.format == "json":
        answer(desk, record_first_screen(screen))
    else:
        say(desk, render_first_screen(screen))
    return OK


def _looked_around(installation: Installation, now: datetime) -> Screen:
    """Return the screen, or say what lies under a journal that cannot be read."""
    full = find_full_disk_of(installation.settings, installation.engine.bundle.configuration, installation.registry)
    try:
        problems = say_problems(installation.settings, now) if full is None else ()
        return look_around(
            installation.engine,
            installation.registry,
            now,
            storage=str(full or ""),
            problems=problems,
            driven=is_driven(installation.settings, now),
        )
    except RunbookError as error:
        if full is None:
            raise
        raise Unreadable(f"what needs you cannot be told: {full}") from error


def say_problems(settings: Settings, now: datetime) -> tuple[str, ...]:
    """Return what is wrong with the runner of this machine; nothing where none was ever started."""
    if not (settings.state / FOLDER / BUNDLE_FILE).exists():
        return ()
    beat = read_heartbeat(settings.state / FOLDER / BEAT_FILE)
    if beat is None:
        return (f"the runner was started, and its worker does not go round: {say_how_to_be_driven(settings)}",)
    if not is_fresh(beat, now):
        since = f"since the clock was set back by {age(now, beat.at)}" if beat.at > now else f"for {age(beat.at, now)}"
        return (f"the runner has not gone round {since}: {say_how_to_be_driven(settings)}",)
    return (f"the runner cannot see its work: {beat.problem}",) if beat.problem else ()


def _open(arguments: Namespace, desk: Desk) -> Installation:
    """Open everything, or what can be opened: at three at night a broken file must not hide the rest."""
    records = desk.records(arguments)
    try:
        return desk.installation(arguments)
    except InvalidRunbook as error:
        first = error.diagnostics[0]
        complain_text(desk, f"runbook: {first.file}:{first.line}: {first.message}: shown without a look at the signals")
    except RunbookError as error:
        complain_text(desk, f"runbook: {error}: shown without a look at the signals")
    return records


def _welcome(yet: NothingYet, arguments: Namespace, desk: Desk) -> int:
    """Say where to begin when nothing has ever happened here; nothing is created by looking."""
    settings = desk.settings(arguments)
    screen = Screen(now=desk.now(), nothing_yet=sentence(str(yet)))
    if settings.state.is_dir():  # it may be paused all the same
        engine = desk.switch(arguments).engine
        paused, problem = read_pause(engine, screen.now)
        screen = msgspec.structs.replace(
            screen,
            paused=paused,
            pause_problem=problem,
            problems=say_problems(settings, screen.now),
            storage=str(find_full_disk([settings.state]) or ""),
        )
    if arguments.format == "json":
        answer(desk, record_first_screen(screen))
        return OK
    begin = (
        ("runbook demo", "watch a real incident being remediated on this machine"),
        ("runbook lint runbooks/", "see whether your runbooks are right"),
        ("runbook serve", "receive alerts"),
        ("runbook --help", "everything else"),
    )
    rows = [line("  ", Span(f"{typed:<24}", "link"), meaning) for typed, meaning in begin]
    say(desk, [*render_first_screen(screen), line(), *rows])
    return OK
