"""init: write first runbooks from alert rules, or one worked example. Never writes over a file."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook_engine.alertrules.drafting import Draft, draft_runbooks
from runbook_engine.alertrules.drafting import Place as Installed
from runbook_engine.alertrules.example import EXAMPLE, installation, worked_example
from runbook_engine.documents.field_types import NAME_PATTERN
from runbook_engine.entrypoints.cli.arguments import Parser, add_format
from runbook_engine.entrypoints.cli.coverage import add_rules, read_valid_rules
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import OK, CannotWrite, UsageError
from runbook_engine.entrypoints.cli.installation import read_configuration
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.entrypoints.settings import CONFIG_NAME, read_settings
from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.model.configuration import Configuration
from runbook_engine.registry import Registry
from runbook_engine.render.drafts import record_drafts, render_drafts

OWNER = "team-oncall"
RECEIVER = "chat"
Texts = tuple[tuple[str, ...], Mapping[str, str]]  # the names of runbooks, and the files that they are in, by name


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    add_rules(parser, "--from-rules", required=False)
    parser.add_argument(
        "--output", metavar="DIR", default="runbooks", help="where they are written (default: runbooks)"
    )
    answers = f"the team that answers for them (default: that of engine.yaml, else {OWNER})"
    parser.add_argument("--owner", metavar="TEAM", help=answers)
    parser.add_argument("--per", choices=("alert", "group"), default="alert", help="one file for each (default: alert)")
    parser.add_argument("--skip-existing", action="store_true", help="leave alone what is there, and write the rest")
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Write the files, or none of them when one is there already."""
    folder = Path(arguments.output)
    refuse_special(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file (--output names the folder that runbooks are written to)")
    owner = _checked_owner(arguments.owner)
    config = _config_of(folder)
    root = config.parent if config is not None else folder
    there = load_files([root] if root.is_dir() else [], Registry())
    if config is None and owner is None:
        owner = _first_team(desk)
    pairs = _texts(arguments, _place(there, owner, config))
    skipped = _existing(folder, pairs, there)
    if skipped and not arguments.skip_existing:
        names = ", ".join(skipped)
        raise UsageError(f"nothing was written: {names} exist already (write elsewhere, or say --skip-existing)")
    example = not arguments.from_rules
    files = {} if config is not None else {CONFIG_NAME: installation(owner or OWNER, with_example=example)}
    for _, each in pairs:
        files |= {} if any(str(folder / name) in skipped for name in each) else each
    written = _write(folder, files)
    if arguments.format == "json":
        answer(desk, record_drafts(written, skipped))
    else:
        say(desk, render_drafts(written, skipped, str(folder)))
    return OK


def _texts(arguments: Namespace, place: Installed) -> list[Texts]:
    """Return the files of each draft, or of the worked example."""
    if not arguments.from_rules:
        return [((EXAMPLE,), worked_example(place.owner))]
    rules = read_valid_rules(arguments.from_rules, arguments.external)
    drafts = draft_runbooks(rules, place, by_group=arguments.per == "group")
    return [(draft.runbooks, _files_of(draft)) for draft in drafts]


def _checked_owner(owner: str | None) -> str | None:
    if owner is not None and not re.fullmatch(NAME_PATTERN, owner):
        raise UsageError(f"{owner!r} is no name of a team (lower-case letters, digits and dashes, as in {OWNER})")
    return owner


def _config_of(folder: Path) -> Path | None:
    """Return the engine.yaml beside or above what is written, no higher than the present folder."""
    here, whole = Path.cwd(), folder.resolve()
    above = [each for each in (whole, *whole.parents) if each == whole or here in (each, *each.parents)]
    found = next((each for each in above if (each / CONFIG_NAME).is_file()), None)
    if found is None:
        return None
    return (found.relative_to(here) if here in (found, *found.parents) else found) / CONFIG_NAME


def _first_team(desk: Desk) -> str:
    """Return the first team of the installation that commands find from here, for drafts that go elsewhere."""
    teams = read_configuration(read_settings(environment=desk.environment), Registry()).teams
    return teams[0].name if teams else OWNER


def _place(there: Loaded, owner: str | None, config: Path | None) -> Installed:
    """Return who answers and who hears, by the engine.yaml that is there; else by the one that will be written."""
    if config is None:
        return Installed(owner or OWNER, RECEIVER, ("local",))
    if broken := [error for error in there.errors if Path(error.file) == config]:
        raise InvalidRunbook(tuple(broken))
    configuration = there.bundle.configuration
    teams = {team.name: team for team in configuration.teams}
    if owner is None and len(teams) == 1:
        owner = next(iter(teams))
    if owner not in teams:
        known = ", ".join(teams) or "none"
        raise UsageError(f"say who answers for the runbooks: --owner TEAM, one of those of {config}: {known}")
    return Installed(owner, teams[owner].receiver or _first_receiver(configuration, config), configuration.clusters)


def _first_receiver(configuration: Configuration, config: Path) -> str:
    if not configuration.receivers:
        raise UsageError(f"{config} names no receiver, so nobody would hear anything (add one under receivers)")
    return configuration.receivers[0].name


def _files_of(draft: Draft) -> Mapping[str, str]:
    return {f"{draft.name}.yaml": draft.text, f"{draft.name}.test.yaml": draft.test}


def _existing(folder: Path, pairs: Sequence[Texts], there: Loaded) -> tuple[str, ...]:
    """Return the files that would be written over, or that have a runbook of the same name."""
    files = {runbook.name: runbook.file for runbook in there.bundle.runbooks}
    found: dict[str, None] = {}
    for runbooks, texts in pairs:
        present = [str(folder / name) for name in texts if os.path.lexists(folder / name)]
        elsewhere = [files[name] for name in runbooks if name in files]
        if present or elsewhere:
            found |= dict.fromkeys((*present, *elsewhere, *(str(folder / name) for name in texts if elsewhere)))
    return tuple(found)


def _write(folder: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Write each file anew; one that has come into being meanwhile is not written over."""
    written: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as stream:
                stream.write(text)
            written.append(str(folder / name))
    except FileExistsError as error:
        raise UsageError(f"{error.filename} exists already, and is not written over (run it again)") from error
    except OSError as error:
        raise CannotWrite(f"{error.filename} cannot be written: {error.strerror} (name another --output)") from error
    return tuple(written)
