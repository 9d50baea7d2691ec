"""What a payload means: alerts, explain, plan. Nothing here is stored, and nothing is touched."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from runbook_engine.engine import parse_request
from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_payload, add_places
from runbook_engine.entrypoints.cli.delivery import read_delivery
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK
from runbook_engine.entrypoints.cli.installation import read_configuration
from runbook_engine.entrypoints.cli.output import answer, complain, say
from runbook_engine.entrypoints.cli.proposals import Proposed, propose
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.matching.explain import explain
from runbook_engine.registry import Registry
from runbook_engine.render.alerts import record_alerts, render_alerts
from runbook_engine.render.explain import Explained, record_explanations, render_explanations
from runbook_engine.render.lines import line
from runbook_engine.render.plan import record_plans, render_plan


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    add_payload(parser)
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def show_plans(proposed: Proposed, desk: Desk) -> None:
    """Write every plan as people read it, and what has none."""
    for at, proposal in enumerate(proposed.proposals):
        say(desk, [*([line()] if at else []), *render_plan(proposal)])
    complain(desk, [line(note, hang=2) for note in proposed.notes])


def _alerts(arguments: Namespace, desk: Desk) -> int:
    registry = Registry()
    configuration = read_configuration(desk.settings(arguments), registry)
    parsed = parse_request(read_delivery(arguments, configuration, desk), configuration, registry)
    if arguments.format == "json":
        answer(desk, record_alerts(parsed))
    else:
        say(desk, render_alerts(parsed))
    return OK


def _explain(arguments: Namespace, desk: Desk) -> int:
    registry = Registry()
    bundle = load_bundle_of(desk.settings(arguments), registry)
    request = read_delivery(arguments, bundle.configuration, desk)
    alerts = parse_request(request, bundle.configuration, registry).alerts
    explained = [
        Explained(alert, [(runbook.name, explain(alert, runbook.matchers)) for runbook in bundle.runbooks])
        for alert in alerts
    ]
    if arguments.format == "json":
        answer(desk, record_explanations(explained))
    else:
        say(desk, render_explanations(explained))
    return OK


def _plan(arguments: Namespace, desk: Desk) -> int:
    engine = desk.installation(arguments, looks_only=True).engine
    request = read_delivery(arguments, engine.bundle.configuration, desk)
    proposed = propose(engine, engine.parse(request).alerts, desk.now())
    if arguments.format == "json":
        answer(desk, record_plans(proposed.proposals))
    else:
        show_plans(proposed, desk)
    return NO if any(proposal.plan.blocked for proposal in proposed.proposals) else OK


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {"alerts": _alerts, "explain": _explain, "plan": _plan}
