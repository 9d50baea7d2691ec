"""coverage: the alerts of some rules without a runbook, and the runbooks that none of them reaches."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from runbook_engine.alertrules.coverage import SOURCE, Sender, cover
from runbook_engine.alertrules.reading import read_rules
from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.entrypoints.cli.arguments import Parser, add_format
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, UsageError
from runbook_engine.entrypoints.cli.output import answer, say
from runbook_engine.entrypoints.cli.places import refuse_special
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.errors import InvalidRunbook
from runbook_engine.model.configuration import Configuration
from runbook_engine.registry import Registry
from runbook_engine.render.coverage import record_coverage, render_coverage
from runbook_engine.sources.severities import severity_of


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    add_rules(parser, "--rules", required=True)
    parser.add_argument("--runbooks", metavar="DIR", help="the folder of the runbooks (default: runbooks/)")
    parser.add_argument("--config", metavar="FILE", help="the installation (default: runbooks/engine.yaml)")
    parser.add_argument(
        "--ignore", metavar="ALERT", action="append", default=[], help="an alert that needs no runbook; may be repeated"
    )
    parser.add_argument("--strict", action="store_true", help="an alert without a runbook or a label it needs: exit 1")
    add_format(parser)


def add_rules(parser: Parser, option: str, *, required: bool) -> None:
    """Add where the alert rules are, and what the server adds to their alerts."""
    wanted = "rule files of Prometheus, PrometheusRule objects, or folders of them"
    parser.add_argument(option, metavar="FILE", nargs="+", required=required, help=wanted)
    parser.add_argument(
        "--external",
        metavar="LABEL",
        action="append",
        default=[],
        help="a label that Prometheus adds to every alert (external_labels), as in cluster; may be repeated",
    )


def read_valid_rules(paths: Sequence[str], external: Sequence[str]) -> tuple[AlertRule, ...]:
    """Return the alert rules. Raises InvalidRunbook with every error, UsageError when there are none."""
    refuse_special(*paths)
    read = read_rules(paths, frozenset(external))
    if read.errors:
        raise InvalidRunbook(read.errors)
    if not read.rules:
        raise UsageError(f"no alert rule in {', '.join(paths)}: name files with groups of rules that say alert:")
    return read.rules


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Say what covers what."""
    rules = read_valid_rules(arguments.rules, arguments.external)
    arguments.state = None
    settings = desk.settings(arguments)
    refuse_special(settings.runbooks)
    bundle = load_bundle_of(settings, Registry())
    coverage = cover(rules, bundle.runbooks, sender_of(bundle.configuration), arguments.ignore)
    if arguments.format == "json":
        answer(desk, record_coverage(coverage))
    else:
        say(desk, render_coverage(coverage))
    return NO if arguments.strict and (coverage.uncovered or coverage.lacking) else OK


def sender_of(configuration: Configuration) -> Sender:
    """Return how alerts of Prometheus come in: through the scopes that take Alertmanager's webhooks."""
    scopes = [scope for scope in configuration.scopes if scope.source == SOURCE]
    words = [scope.severities for scope in scopes] or [{}]
    return Sender(
        lambda raw: frozenset(severity_of(raw, each) for each in words),
        {scope.name: scope.runbooks for scope in scopes},
        configuration.drop_labels,
    )
