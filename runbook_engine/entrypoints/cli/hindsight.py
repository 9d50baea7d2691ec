"""Hindsight: what these runbooks would have done in the past, and what a change of them changes. Looks, never touches.

Neither opens a journal or builds a hand: history comes from a file or from a server that is only asked.
"""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook_engine.backtest.backtest import backtest_firings, backtest_history
from runbook_engine.backtest.difference import compare
from runbook_engine.backtest.firings import read_firings
from runbook_engine.backtest.history import Recorded, read_history
from runbook_engine.backtest.instants import EXAMPLE, why_unusable
from runbook_engine.backtest.webhooks import SOURCE
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places, read_duration, read_input
from runbook_engine.entrypoints.cli.delivery import NO_SCOPE
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, UsageError
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.revisions import Revisions
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import AdapterChoice, Configuration
from runbook_engine.model.hindsight import Backtest, Window
from runbook_engine.ports import MetricReader
from runbook_engine.registry import Registry
from runbook_engine.render.backtest import record_backtest, render_backtest
from runbook_engine.render.difference import record_difference, render_difference

MONTH = timedelta(days=30)
MINUTE = timedelta(minutes=1)
OF_A_SERVER = ("since", "until", "step", "label", "token_env")


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name == "backtest":
        _add_sources(parser)
    else:
        parser.add_argument("before", metavar="REV1", help="a commit, a folder, or . for the working tree")
        parser.add_argument("after", metavar="REV2", help="the same")
        parser.add_argument("--history", metavar="FILE", required=True, help="recorded alerts, one a line as JSON")
        parser.add_argument("--exit-code", action="store_true", help="1 when there is a difference, as git does")
    parser.add_argument("--scope", metavar="NAME", help="the sender of what names none (default: the first scope)")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def _add_sources(parser: Parser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prometheus", metavar="URL", help="a Prometheus server, whose series ALERTS is read")
    source.add_argument("--history", metavar="FILE", help="recorded alerts, one a line as JSON")
    parser.add_argument("--since", type=read_duration, metavar="DURATION", help="how far back (default: 30d)")
    parser.add_argument("--until", type=_instant, metavar="TIME", help="where it ends, as 2026-01-05T09:00:00Z")
    parser.add_argument("--step", type=read_duration, metavar="DURATION", help="how closely to look (default: 1m)")
    parser.add_argument(
        "--label",
        action="append",
        type=read_input,
        metavar="NAME=VALUE",
        help="a label that the server adds when it sends alerts (external_labels); may be given more than once",
    )
    parser.add_argument("--token-env", metavar="NAME", help="the variable that holds the server's bearer token")


def _backtest(arguments: Namespace, desk: Desk) -> int:
    settings, registry = desk.settings(arguments), Registry()
    refuse_special(settings.runbooks)
    bundle = load_bundle_of(settings, registry)
    if not bundle.runbooks:
        raise UsageError(f"no runbook under {settings.runbooks} (name their folder with --runbooks)")
    scope = _scope(arguments, bundle.configuration)
    if arguments.history:
        _refuse_for_files(arguments)
        backtest = backtest_history(_lines(arguments), bundle, registry, scope)
    else:
        window = _window(arguments, desk)
        firings = read_firings(_metrics(arguments, settings, registry, desk), window)
        labels = dict(arguments.label or ())
        backtest = backtest_firings(firings, window, bundle, registry, scope=scope, external_labels=labels)
    _show(backtest, arguments, desk)
    return OK


def _show(backtest: Backtest, arguments: Namespace, desk: Desk) -> None:
    if arguments.format == "json":
        answer(desk, record_backtest(backtest))
    else:
        say(desk, render_backtest(backtest))


def _diff(arguments: Namespace, desk: Desk) -> int:
    settings, registry = desk.settings(arguments), Registry()
    config = arguments.config or desk.environment.get("RUNBOOK_CONFIG")
    revisions = Revisions(
        runbooks=settings.runbooks,
        config=Path(config) if config else None,
        registry=registry,
        environment=desk.environment,
    )
    before, after = revisions.load(arguments.before), revisions.load(arguments.after)
    if not before.runbooks and not after.runbooks:
        raise UsageError(f"no runbook under {settings.runbooks} on either side (name their folder with --runbooks)")
    difference = compare(
        before,
        after,
        _lines(arguments),
        registry,
        names=(arguments.before, arguments.after),
        scope=_scope(arguments, after.configuration),
    )
    if arguments.format == "json":
        answer(desk, record_difference(difference))
    else:
        say(desk, render_difference(difference))
    return NO if arguments.exit_code and difference.differs else OK


def _scope(arguments: Namespace, configuration: Configuration) -> str:
    """Return in whose name alerts are read that name no sender. Raises UsageError."""
    scopes = {scope.name: scope for scope in configuration.scopes}
    if arguments.scope and scopes and arguments.scope not in scopes:
        raise UsageError(f"unknown scope {arguments.scope!r}: engine.yaml names {', '.join(scopes)}")
    fitting = [scope.name for scope in configuration.scopes if scope.source == SOURCE]
    return arguments.scope or next(iter((*fitting, *scopes)), NO_SCOPE)


def _lines(arguments: Namespace) -> Iterator[Recorded]:
    refuse_special(arguments.history)
    return read_history(Path(arguments.history))


def _refuse_for_files(arguments: Namespace) -> None:
    """Raise UsageError for what only means something of a server: a file holds its own times and labels."""
    given = [name for name in OF_A_SERVER if getattr(arguments, name)]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(f"{option} goes with --prometheus: a history has its own times and labels (leave it out)")


def _window(arguments: Namespace, desk: Desk) -> Window:
    until = (arguments.until or desk.now()).astimezone(UTC).replace(microsecond=0)
    return Window(since=until - (arguments.since or MONTH), until=until, step=arguments.step or MINUTE)


def _metrics(arguments: Namespace, settings: Settings, registry: Registry, desk: Desk) -> MetricReader:
    """Return who asks the server. Raises UsageError when its address cannot be used."""
    token = {"token": {"env": arguments.token_env}} if arguments.token_env else {}
    choice = AdapterChoice(adapter="prometheus", settings={"url": arguments.prometheus, **token})
    adapters = Adapters(configuration=Configuration(), settings=settings, registry=registry, clock=desk.clock)
    try:
        reader: MetricReader = adapters.build("metrics", choice, "--prometheus").reader
    except NoAdapter as error:
        raise UsageError(f"--prometheus: {error}") from error
    return reader


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time ({EXAMPLE})") from error
    wrong = why_unusable(instant)
    if wrong:
        raise ArgumentTypeError(f"{text!r} {wrong}")
    return instant


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {"backtest": _backtest, "diff": _diff}
