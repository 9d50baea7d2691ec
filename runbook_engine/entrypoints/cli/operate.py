"""What a person does to a run: approve, deny, cancel, take over; and to all of them: pause, resume.

Works on the journal and the kill switch alone, so that it works while a runbook or an adapter is broken.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places, read_duration
from runbook_engine.entrypoints.cli.desk import Desk, operator_of
from runbook_engine.entrypoints.cli.failure import OK
from runbook_engine.entrypoints.cli.identity import find_execution
from runbook_engine.entrypoints.cli.installation import Installation, is_driven
from runbook_engine.entrypoints.cli.output import answer, complain, say
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Pause
from runbook_engine.render.execution import record_execution
from runbook_engine.render.lines import Span, line
from runbook_engine.render.wording import clock, record_time, short


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name in ("approve", "deny", "cancel", "takeover"):
        parser.add_argument("id", metavar="ID", help="the execution; the first characters are enough")
    if name == "approve":
        parser.add_argument("--plan", metavar="HASH", required=True, help="the plan that you have read")
    if name in ("cancel", "takeover"):
        ours = parser.add_mutually_exclusive_group(required=True)
        ours.add_argument("--keep", action="store_true", help="what was changed stays")
        ours.add_argument("--undo", action="store_true", help="what was changed is undone")
    if name == "pause":
        parser.add_argument("--for", dest="period", type=read_duration, required=True, metavar="30m", help="how long")
    if name != "resume":
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; it is kept in the audit trail")
    add_places(parser)
    add_format(parser)


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run one of the commands."""
    return RUNS[name](arguments, desk)


def _approve(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    by = operator_of(installation)
    installation.engine.approve(execution.id, plan_hash=arguments.plan, by=by, now=desk.now(), reason=arguments.reason)
    return _told(installation, execution, arguments, desk, f"approved by {by}: exactly plan {short(arguments.plan)}")


def _deny(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    by = operator_of(installation)
    installation.engine.deny(execution.id, by=by, now=desk.now(), reason=arguments.reason)
    return _told(installation, execution, arguments, desk, f"denied by {by}: it ends without this change")


def _cancel(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    by = operator_of(installation)
    installation.engine.cancel(execution.id, undo=arguments.undo, by=by, now=desk.now(), reason=arguments.reason)
    return _told(installation, execution, arguments, desk, f"cancelled by {by}, {_ours(arguments)}")


def _takeover(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    by = operator_of(installation)
    installation.engine.take_over(execution.id, undo=arguments.undo, by=by, now=desk.now(), reason=arguments.reason)
    return _told(installation, execution, arguments, desk, f"taken over by {by}, {_ours(arguments)}")


def _pause(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    now = desk.now()
    pause = Pause(until=now + arguments.period, by=operator_of(installation), reason=arguments.reason)
    installation.pauses.throw(pause)
    if arguments.format == "json":
        answer(desk, {"paused_until": record_time(pause.until), "by": pause.by, "reason": pause.reason})
        return OK
    until = f" for {say_duration(arguments.period)}, until {clock(pause.until)} UTC: no change starts anywhere"
    say(desk, [line(Span("paused", "bad"), until), line("  runbook resume ends it")])
    return OK


def _resume(arguments: Namespace, desk: Desk) -> int:
    desk.records(arguments).pauses.lift()
    if arguments.format == "json":
        answer(desk, {"paused_until": None})
    else:
        say(desk, [line(Span("not paused", "good"), ": changes may start again")])
    return OK


def _ours(arguments: Namespace) -> str:
    return "what was changed is undone" if arguments.undo else "what was changed stays"


def _told(installation: Installation, execution: Execution, arguments: Namespace, desk: Desk, said: str) -> int:
    """Say what was recorded, and who will act on it."""
    if arguments.format == "json":
        answer(desk, {"execution": record_execution(execution), "recorded": said})
    else:
        subject = f"  {execution.runbook} on {execution.target}"
        say(desk, [line(Span(short(execution.id), "strong"), subject, f"  {said}", hang=4)])
    if not is_driven(installation.settings, desk.now()):
        warning = "recorded, but nobody drives executions now: start runbook serve"
        complain(desk, [line(Span("warning", "warn"), f": {warning}")])
    return OK


RUNS: Mapping[str, Callable[[Namespace, Desk], int]] = {
    "approve": _approve,
    "deny": _deny,
    "cancel": _cancel,
    "takeover": _takeover,
    "pause": _pause,
    "resume": _resume,
}
