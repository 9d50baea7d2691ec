"""Driving for the state machine: one call takes an execution as far as it goes without waiting.

The state machine waits, asks again, and decides nothing. Whoever dies in the middle is followed by a call that finds
the journal as it was left. Of two drivers of one execution the one that came last goes on, and the other ends. A call
that is made again has another name: the one before it may still be at work, and only its lease tells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.errors import UnknownExecution
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.bus import BUS_VERSION, BusEvent
from runbook_engine.model.decoding import from_values
from runbook_engine.model.directive import Approve, Directive, Done, Next, Wait
from runbook_engine.model.execution import Execution

SPEND = timedelta(seconds=20)  # of one call: then the state machine is told, so that it shows what goes on
RESERVE = timedelta(seconds=10)  # of the function's time: nothing new is begun in it
LEAST = RESERVE + timedelta(seconds=2)
MOST_CYCLES = 2000  # of one run of the state machine, whose history has an end
MOST_RETELLS = 20
RETELL = 30  # seconds
LONGEST_SLEEP = 365 * 24 * 3600  # seconds; the state machine knows no longer one


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine asks: to drive, or to keep the token that wakes it."""

    execution_id: str
    driver: str
    op: str = "drive"
    told: int = 0  # so many audit records the bus has heard of
    cycle: int = 0
    attempt: int = 0  # the same call again, so often
    owner: str = ""  # who drove at the last call; empty = the driver under its own name
    retells: int = 0
    hash: str = ""
    token: str = ""

    @property
    def leaseholder(self) -> str:
        """The name that this call drives under."""
        return f"{self.driver}#{self.cycle}.{self.attempt}" if self.attempt else self.owner or self.driver


def drive_on(event: Any, context: Any, host: Host) -> dict[str, Any]:
    """Answer the state machine. Raises what the engine raises: a repeated call finds everything as it was left."""
    asked = from_values(event, Asked)
    if asked.op == "await_approval":
        return _await(asked, host)
    now = host.clock.now()
    try:
        if asked.cycle == 0:
            host.seats.take(asked.execution_id, asked.driver, now)
        elif not host.seats.holds(asked.execution_id, asked.driver):
            return _reply(asked, "done", status="duplicate", reason="another driver goes on with this execution")
        directive = _drive(asked, host, now + SPEND, _deadline(context, now))
    except UnknownExecution as error:
        return _reply(asked, "done", status="unknown", reason=str(error))
    told = _tell(asked, host)
    reply = _follow(directive, asked, host, all_told=told is not None)
    return {**reply, "told": asked.told if told is None else told}


def _drive(asked: Asked, host: Host, until: datetime, deadline: datetime) -> Directive:
    """Drive while there is something to do at once, and time to do it in."""
    while True:
        now = host.clock.now()
        directive = host.engine.drive(asked.execution_id, asked.leaseholder, now, deadline - now)
        if not isinstance(directive, Next) or host.clock.now() >= min(until, deadline):
            return directive


def _deadline(context: Any, now: datetime) -> datetime:
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    if left < LEAST:
        raise InvalidSettings(
            f"the function has {left.total_seconds():.0f} s left at its start, and below {LEAST.seconds} s nothing is "
            "begun (raise its time limit; Terraform's default is 240 s)"
        )
    return now + left - RESERVE


def _follow(directive: Directive, asked: Asked, host: Host, *, all_told: bool) -> dict[str, Any]:
    """Return what the state machine does next."""
    if isinstance(directive, Done | Wait) and _only_a_signal_matters(directive, asked, host):
        if all_told or asked.retells >= MOST_RETELLS:
            return _end(directive, asked, host)
        return _reply(asked, "wait", seconds=RETELL, retells=asked.retells + 1, reason="the bus takes no audit records")
    if asked.cycle >= MOST_CYCLES and not host.waker.ask_for_drivers([asked.execution_id]):
        return _reply(asked, "handover", status="running", reason="a new driver goes on")
    match directive:
        case Wait():
            return _reply(asked, "wait", seconds=_seconds(directive.until, host), reason=directive.reason)
        case Approve():
            return _reply(asked, "approve", seconds=_seconds(directive.until, host), hash=directive.hash)
        case _:
            return _reply(asked, "next")


def _only_a_signal_matters(directive: Done | Wait, asked: Asked, host: Host) -> bool:
    """Whether no time is worth waiting for: whoever signals asks for a driver, so none need sleep meanwhile."""
    return isinstance(directive, Done) or host.engine.journal.load(asked.execution_id).due_at is None


def _end(directive: Done | Wait, asked: Asked, host: Host) -> dict[str, Any]:
    """Get up, and look once more: what came in while this driver was getting up has nobody else."""
    host.seats.leave(asked.execution_id, asked.driver)
    execution = host.engine.journal.load(asked.execution_id)
    if execution.due_at is not None and execution.due_at <= host.clock.now():
        host.seats.take(asked.execution_id, asked.driver, host.clock.now())
        return _reply(asked, "next")
    host.count({"Drivers": 1}, runbook=execution.runbook, outcome=execution.status)
    return _reply(asked, "done", status=execution.status, reason=directive.reason)


def _await(asked: Asked, host: Host) -> dict[str, Any]:
    """Keep the token, then look whether the answer is there already: it may have come before the token."""
    execution = host.engine.journal.load(asked.execution_id)
    now = host.clock.now()
    until = execution.approval.until if execution.approval is not None else now
    sits = host.seats.keep_token(asked.execution_id, asked.driver, asked.token, until)
    if not sits or not _still_asks(host.engine.journal.load(asked.execution_id), asked.hash, host):
        host.waker.callbacks.wake(asked.token)
    return {}


def _still_asks(execution: Execution, wanted: str, host: Host) -> bool:
    if execution.approval is None or execution.approval.hash != wanted:
        return False
    return not host.engine.journal.signals(execution.id, execution.signals_consumed)


def _tell(asked: Asked, host: Host) -> int | None:
    """Tell the bus of every audit record that it has not heard of; None when it did not take them all."""
    records = host.engine.journal.audit(asked.execution_id, asked.told)
    if not records:
        return asked.told
    left = host.waker.publish([_event(record) for record in records])
    return None if left else records[-1].number


def _event(record: AuditRecord) -> BusEvent:
    return BusEvent(
        kind="Execution Audited",
        at=record.at,
        detail={
            "version": BUS_VERSION,
            "record_id": f"{record.execution_id}-{record.number}",
            "execution_id": record.execution_id,
            "record": msgspec.to_builtins(record),
        },
    )


def _reply(asked: Asked, op: str, **fields: Any) -> dict[str, Any]:
    """Return an answer with every field there, since the state machine's paths must exist."""
    base: Mapping[str, Any] = {
        "op": op,
        "execution_id": asked.execution_id,
        "cycle": asked.cycle + 1,
        "told": asked.told,
        "owner": asked.leaseholder,
        "retells": asked.retells,
        "seconds": 1,
        "hash": "",
        "status": "running",
        "reason": "",
    }
    return {**base, **fields}


def _seconds(until: datetime, host: Host) -> int:
    wanted = math.ceil((until - host.clock.now()).total_seconds())
    return min(max(1, wanted), LONGEST_SLEEP)
