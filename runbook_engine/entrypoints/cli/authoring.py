"""What authors type: lint, test, schema, bundle. Reads files; never opens a journal or an adapter."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, WRONG_INPUT, UsageError
from runbook_engine.entrypoints.cli.output import answer, complain, say, write_text
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.settings import CONFIG_NAME
from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.bundle import dump_bundle
from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.loading.json_schema import document_schema
from runbook_engine.loading.set_analysis.analysis import analyse
from runbook_engine.model.duration import say_duration
from runbook_engine.registry import Registry
from runbook_engine.render.findings import record_lint, render_findings, render_lint_summary
from runbook_engine.render.lines import Lines, Piece, Span, line, table
from runbook_engine.render.results import record_results, render_results
from runbook_engine.render.wording import count


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name in ("lint", "test"):
        parser.add_argument("paths", metavar="PATH", nargs="+", help="files and folders")
        add_format(parser)
    if name == "test":
        parser.add_argument("-k", "--filter", metavar="TEXT", default="", help="only the tests with TEXT in their name")
        parser.add_argument("--junit", metavar="FILE", help="write the results there too, as JUnit XML")
    if name == "lint":
        parser.add_argument("--config", metavar="FILE", help="the installation (default: engine.yaml beside or above)")
        parser.add_argument("--strict", action="store_true", help="warnings count: exit 1")
    if name == "bundle":
        add_places(parser)
        parser.add_argument("--output", metavar="FILE", required=True, help="where the bundle is written")


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def _lint(arguments: Namespace, desk: Desk) -> int:
    refuse_special(*arguments.paths, *filter(None, [arguments.config]))
    loaded = load_files(
        arguments.paths, Registry(), arguments.config or _config_above(arguments.paths), judge_set=analyse
    )
    if not loaded.errors and not _found(loaded.files, arguments.paths):
        raise UsageError(f"no YAML file under {', '.join(arguments.paths)}: name a folder with runbooks, or a file")
    if arguments.format == "json":
        answer(desk, record_lint(loaded.files, loaded.diagnostics))
    else:
        complain(desk, render_findings(loaded.diagnostics))
        summary = render_lint_summary(len(loaded.files), len(loaded.errors), len(loaded.warnings))
        say(desk, [*_worst_cases(loaded), summary])
    if loaded.errors:
        return WRONG_INPUT
    return NO if arguments.strict and loaded.warnings else OK


def _test(arguments: Namespace, desk: Desk) -> int:
    from runbook_engine.testing import run_test_file  # the whole simulated world

    registry = Registry()
    refuse_special(*arguments.paths)
    loaded = load_files(arguments.paths, registry)
    if loaded.errors:
        raise InvalidRunbook(loaded.errors)
    files = dict.fromkeys(test.file for test in loaded.tests)
    if not files:
        raise UsageError(f"no RunbookTest in {', '.join(arguments.paths)}: write one beside its runbook, *.test.yaml")
    results = [result for file in files for result in run_test_file(file, loaded, registry, named=arguments.filter)]
    if not results:
        raise UsageError(f"no test has {arguments.filter!r} in its name: runbook test without -k lists them all")
    if arguments.junit:
        from runbook_engine.render.junit import render_junit  # an XML library, for build servers only

        _write(arguments.junit, render_junit(results).encode(), "the results")
    if arguments.format == "json":
        answer(desk, record_results(results))
    else:
        say(desk, render_results(results))
    return OK if all(result.ok for result in results) else NO


def _schema(arguments: Namespace, desk: Desk) -> int:
    write_text(desk.stdout, json.dumps(document_schema(Registry()), indent=2) + "\n")
    return OK


def _bundle(arguments: Namespace, desk: Desk) -> int:
    bundle = load_bundle_of(desk.settings(arguments), Registry())
    content = dump_bundle(bundle)
    _write(arguments.output, content, "the bundle")
    made = f"{count(len(bundle.runbooks), 'runbook')}, {len(content)} bytes"
    say(desk, [line(Span(arguments.output, "strong"), f": {made}")])
    return OK


def _write(file: str, content: bytes, what: str) -> None:
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{what} cannot be written to {file}: {error.strerror}") from error


def _found(files: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return the files that lie under the paths; the configuration is read from wherever it is."""
    places = [Path(path).resolve() for path in paths]
    return [file for file in files if any(Path(file).resolve().is_relative_to(place) for place in places)]


def _config_above(paths: Sequence[str]) -> Path | None:
    """Return the nearest engine.yaml beside or above the first path, no higher than the present folder."""
    here = Path.cwd()
    first = Path(paths[0]).resolve()
    for folder in (first, *first.parents):
        if folder != here and here not in folder.parents:
            return None
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME if folder != first else Path(paths[0]) / CONFIG_NAME
    return None


def _worst_cases(loaded: Loaded) -> Lines:
    rows: list[list[Piece]] = []
    for runbook in loaded.bundle.runbooks:
        worst = loaded.worst_cases.get(runbook.name, "")
        deadline = say_duration(runbook.guardrails.deadline)
        rows.append([Span(runbook.name, "strong"), f"worst case {worst} of {deadline}"])
    return table(rows)


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {
    "lint": _lint,
    "test": _test,
    "schema": _schema,
    "bundle": _bundle,
}
