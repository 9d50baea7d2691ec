"""`runbook run`: one alert's runbooks, or one runbook by hand. Shows the plan, asks, and stays until the end."""

from __future__ import annotations

import os
import socket
from argparse import Namespace
from collections.abc import Sequence

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.cli.arguments import (
    Parser,
    add_format,
    add_payload,
    add_places,
    read_input,
    read_target,
    target_at,
)
from runbook_engine.entrypoints.cli.consent import Consent, ask_for
from runbook_engine.entrypoints.cli.delivery import read_delivery
from runbook_engine.entrypoints.cli.desk import Desk, operator_of
from runbook_engine.entrypoints.cli.failure import NO, OK, Refused, UsageError
from runbook_engine.entrypoints.cli.installation import Installation
from runbook_engine.entrypoints.cli.output import answer, complain, say
from runbook_engine.entrypoints.cli.payload import show_plans
from runbook_engine.entrypoints.cli.progress import Progress
from runbook_engine.entrypoints.cli.proposals import Proposed, propose
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.model.configuration import SERVED_BY, Configuration
from runbook_engine.model.delivery import Request
from runbook_engine.model.target import Target
from runbook_engine.render.execution import record_execution, render_execution
from runbook_engine.render.lines import line
from runbook_engine.render.plan import Proposal, record_plans
from runbook_engine.render.wording import short

BY_HAND = "by hand a run needs NAME and --reason TEXT; for an alert, --alert FILE"


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="by hand: the runbook")
    add_payload(parser, required=False)
    parser.add_argument("--target", type=read_target, metavar="KIND=NAME", help="by hand: deployment=apps/checkout")
    parser.add_argument(
        "--input", type=read_input, action="append", default=[], metavar="NAME=VALUE", help="by hand: an input"
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="by hand: why; kept in the audit trail")
    parser.add_argument(
        "--plan", action="append", default=[], metavar="HASH", help="a plan that you have read: run exactly this one"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run what was asked for, to its end."""
    by_hand = arguments.name is not None
    if by_hand == (arguments.alert is not None):
        raise UsageError(BY_HAND)
    if by_hand and not arguments.reason and not arguments.dry_run:
        raise UsageError(BY_HAND)
    installation = desk.installation(arguments, looks_only=arguments.dry_run)
    return _by_hand(installation, arguments, desk) if by_hand else _by_alert(installation, arguments, desk)


def _by_alert(installation: Installation, arguments: Namespace, desk: Desk) -> int:
    engine = installation.engine
    request = read_delivery(arguments, engine.bundle.configuration, desk)
    proposed = propose(engine, engine.parse(request).alerts, desk.now())
    _show(proposed, arguments, desk)
    if arguments.dry_run or not proposed.proposals:
        return _end_without_run(proposed, arguments, desk)
    startable = [proposal for proposal in proposed.proposals if not proposal.plan.blocked and not proposal.joins]
    if not startable:
        raise Refused(_why_nothing(proposed.proposals[0]))
    consent = ask_for(startable, arguments.plan, operator_of(installation), desk)
    return _to_the_end(installation, _taken_in(engine, request), consent, arguments, desk)


def _by_hand(installation: Installation, arguments: Namespace, desk: Desk) -> int:
    engine, now = installation.engine, desk.now()
    by = operator_of(installation)
    plan, execution = engine.plan_by_hand(
        arguments.name,
        target=_target(arguments, engine.bundle.configuration),
        inputs=dict(arguments.input),
        by=by,
        reason=arguments.reason,
        now=now,
    )
    runbook = engine.runbook(arguments.name)
    proposal = Proposal(plan=plan, runbook=runbook, alert=execution.alert, now=now, by_hand=True)
    proposed = Proposed((proposal,), ())
    _show(proposed, arguments, desk)
    if arguments.dry_run or not plan.changes:
        return _end_without_run(proposed, arguments, desk)
    if plan.blocked:
        raise Refused(f"nothing was started: {plan.blocked[0]}")
    consent = ask_for((proposal,), arguments.plan, by, desk)
    started = engine.start(execution, plan, plan_hash=plan.plan_hash, by=by, now=desk.now())
    return _to_the_end(installation, (started.id,), consent, arguments, desk)


def _to_the_end(
    installation: Installation, execution_ids: Sequence[str], consent: Consent, arguments: Namespace, desk: Desk
) -> int:
    engine = installation.engine
    watches = arguments.format == "text" and desk.stdout.isatty()
    progress = Progress(engine=engine, consent=consent, desk=desk, shown=watches)
    try:
        run_until_idle(
            engine,
            execution_ids,
            clock=desk.clock,
            owner=f"run:{socket.gethostname()}:{os.getpid()}",
            sleep=desk.sleep,
            told=progress.told,
            until=progress.only_people_are_awaited,
        )
    except KeyboardInterrupt:
        goes_on = "runbook serve takes it up from here; stop it with runbook cancel ID --keep or --undo"
        complain(desk, [line(f"{', '.join(execution_ids)}: left as it is. {goes_on}")])
        raise
    return _report(engine, execution_ids, arguments, desk, watched=watches)


def _report(engine: Engine, execution_ids: Sequence[str], arguments: Namespace, desk: Desk, *, watched: bool) -> int:
    executions = [engine.journal.load(execution_id) for execution_id in execution_ids]
    if arguments.format == "json":
        answer(desk, {"executions": [record_execution(execution) for execution in executions]})
    else:
        for execution in executions:
            report = engine.execution_report(execution.id)
            say(desk, [line(), *render_execution(report, desk.now(), trail=not watched)])
    return OK if all(execution.status == "succeeded" for execution in executions) else NO


def _taken_in(engine: Engine, request: Request) -> tuple[str, ...]:
    """Take the delivery in; return the executions that it opened or joined. Raises Refused when there is none."""
    receipt = engine.ingest(request)
    found = tuple(dict.fromkeys((*receipt.opened, *receipt.joined)))
    if found:
        return found
    raise Refused("nothing was started: this firing of the alert was taken in before (runbook incidents shows it)")


def _why_nothing(proposal: Proposal) -> str:
    if proposal.joins:
        holder = short(proposal.joins)
        had = f"execution {holder} of {proposal.plan.runbook} already has {proposal.plan.target}"
        return f"nothing was started: {had} (runbook executions {holder} shows it)"
    return f"nothing was started: {proposal.plan.blocked[0]}"


def _show(proposed: Proposed, arguments: Namespace, desk: Desk) -> None:
    if arguments.format == "text":
        show_plans(proposed, desk)


def _end_without_run(proposed: Proposed, arguments: Namespace, desk: Desk) -> int:
    if arguments.format == "json":
        answer(desk, {**record_plans(proposed.proposals), "executions": []})
    return NO if any(proposal.plan.blocked for proposal in proposed.proposals) else OK


def _target(arguments: Namespace, configuration: Configuration) -> Target | None:
    if arguments.target is None:
        return None
    if arguments.target[0] in SERVED_BY:
        return target_at(arguments.target, _place(arguments, configuration))
    clusters = configuration.clusters or ("local",)
    given = dict(arguments.input).get("cluster", "")
    if not given and len(clusters) > 1:
        raise UsageError(f"the target's cluster is not clear: add --input cluster=NAME, one of {', '.join(clusters)}")
    return target_at(arguments.target, given or clusters[0])


def _place(arguments: Namespace, configuration: Configuration) -> str:
    """Return where the function or the queue is that was typed. Raises UsageError when that cannot be told."""
    known = configuration.places(arguments.target[0])
    given: str = dict(arguments.input).get("place", "")
    if given in known:
        return given
    if given or len(known) > 1:
        named = ", ".join(filter(None, known))
        raise UsageError(f"the target's place is not clear: add --input place=NAME, one of {named or 'none'}")
    return known[0]
