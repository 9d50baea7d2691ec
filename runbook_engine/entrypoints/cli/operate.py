"""What a person does to a run: approve, deny, cancel, take over; and to all of them: pause, resume.

Works on the journal and the kill switch alone, so that it works while a runbook or an adapter is broken.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import timedelta

from runbook_engine.entrypoints.cli.arguments import Parser, add_format, add_places, read_duration
from runbook_engine.entrypoints.cli.desk import Desk, operator_of
from runbook_engine.entrypoints.cli.failure import OK, Refused
from runbook_engine.entrypoints.cli.identity import find_execution
from runbook_engine.entrypoints.cli.installation import Installation, is_driven, say_how_to_be_driven
from runbook_engine.entrypoints.cli.output import answer, complain, say
from runbook_engine.machine.compensation import active_step, final_steps, undoable_steps
from runbook_engine.machine.custody import KEPT_FOR, LONGEST_CUSTODY
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Pause
from runbook_engine.render.execution import record_execution
from runbook_engine.render.lines import Span, line
from runbook_engine.render.wording import record_time, say_changes, say_status, short, until_when

LONGEST_PAUSE = timedelta(days=7)


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of one of the commands."""
    if name in ("approve", "deny", "cancel", "takeover"):
        parser.add_argument("id", metavar="ID", help="the execution; the first characters are enough")
    if name == "approve":
        parser.add_argument("--plan", metavar="HASH", required=True, help="the plan that you have read")
    if name == "deny":
        parser.add_argument("--plan", metavar="HASH", default="", help="no to exactly this one (default: to any)")
    if name in ("cancel", "takeover"):
        ours = parser.add_mutually_exclusive_group(required=True)
        ours.add_argument("--keep", action="store_true", help="what was changed stays")
        ours.add_argument("--undo", action="store_true", help="what was changed is undone")
    if name == "takeover":
        kept = "with --keep: no other run changes its targets for so long (default: 4h, at most 1d)"
        parser.add_argument("--for", dest="period", type=_read_custody, metavar="2h", help=kept)
    if name == "pause":
        parser.add_argument(
            "--for", dest="period", type=_read_period, required=True, metavar="30m", help="how long, at most 7d"
        )
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
    installation.engine.deny(execution.id, plan_hash=arguments.plan, by=by, now=desk.now(), reason=arguments.reason)
    exactly = f"exactly plan {short(arguments.plan)}, " if arguments.plan else ""
    return _told(installation, execution, arguments, desk, f"denied by {by}: {exactly}it ends without this change")


def _cancel(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    _refuse_when_over("cancel", execution, installation, undo=arguments.undo)
    by = operator_of(installation)
    installation.engine.cancel(execution.id, undo=arguments.undo, by=by, now=desk.now(), reason=arguments.reason)
    return _told(
        installation,
        execution,
        arguments,
        desk,
        f"asked by {by} to cancel it: {_ours(arguments, execution, installation)}",
    )


def _takeover(arguments: Namespace, desk: Desk) -> int:
    installation = desk.records(arguments)
    execution = find_execution(installation.engine.journal, arguments.id)
    _refuse_when_over("take over", execution, installation, undo=arguments.undo)
    by, now = operator_of(installation), desk.now()
    installation.engine.take_over(
        execution.id, undo=arguments.undo, by=by, now=now, reason=arguments.reason, keep_for=arguments.period
    )
    until = until_when(now + (arguments.period or KEPT_FOR), now)
    kept = "" if arguments.undo else f"; no other run changes it until {until} UTC, or runbook release"
    ours = _ours(arguments, execution, installation)
    return _told(installation, execution, arguments, desk, f"asked by {by} to hand it over: {ours}{kept}")


def _pause(arguments: Namespace, desk: Desk) -> int:
    installation = desk.switch(arguments)
    now = desk.now()
    pause = Pause(until=now + arguments.period, by=operator_of(installation), reason=arguments.reason)
    installation.pauses.throw(pause)
    if arguments.format == "json":
        answer(desk, {"paused_until": record_time(pause.until), "by": pause.by, "reason": pause.reason})
        return OK
    until = (
        f" for {say_duration(arguments.period)}, until {until_when(pause.until, now)} UTC: no change starts anywhere"
    )
    say(desk, [line(Span("paused", "bad"), until), line("  runbook resume ends it")])
    return OK


def _resume(arguments: Namespace, desk: Desk) -> int:
    desk.switch(arguments).pauses.lift()
    if arguments.format == "json":
        answer(desk, {"paused_until": None})
    else:
        say(desk, [line(Span("not paused", "good"), ": changes may start again")])
    return OK


def _ours(arguments: Namespace, execution: Execution, installation: Installation) -> str:
    if not arguments.undo:
        return "what was changed will stay"
    final = say_changes(final_steps(execution, installation.engine.journal.runbook(execution.runbook_digest)))
    stays = f"; {final} stays: cannot be undone" if final else ""
    return f"what was changed will be undone, while it is still ours{stays}"


def _refuse_when_over(verb: str, execution: Execution, installation: Installation, *, undo: bool) -> None:
    """Raise Refused when the word would change nothing: it is over, and nothing of ours is left to undo or to hold."""
    if not execution.ended or execution.absorbing or execution.stage == "unwinding":
        return
    if execution.compensation == "failed" or (undo and _anything_stands(execution, installation)):
        return
    reason = f": {execution.reason}" if execution.reason else ""
    raise Refused(f"nothing to {verb}: it ended as {say_status(execution.status).text}{reason}")


def _anything_stands(execution: Execution, installation: Installation) -> bool:
    runbook = installation.engine.journal.runbook(execution.runbook_digest)
    return bool(undoable_steps(execution, runbook)) or active_step(execution) is not None


def _read_custody(text: str) -> timedelta:
    period = read_duration(text)
    if period > LONGEST_CUSTODY:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a target may be kept (at most 1d)")
    return period


def _read_period(text: str) -> timedelta:
    period = read_duration(text)
    if period > LONGEST_PAUSE:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a pause may be (at most {LONGEST_PAUSE.days}d)")
    return period


def _told(installation: Installation, execution: Execution, arguments: Namespace, desk: Desk, said: str) -> int:
    """Say what was recorded, and who will act on it."""
    if arguments.format == "json":
        answer(desk, {"execution": record_execution(execution), "recorded": said})
    else:
        subject = f"  {execution.runbook} on {execution.target}"
        say(desk, [line(Span(short(execution.id), "strong"), subject, f"  {said}", hang=4)])
    if not is_driven(installation.settings, desk.now()):
        warning = f"recorded, but nobody drives executions now: {say_how_to_be_driven(installation.settings)}"
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
