"""Custody: a person who takes a run over, and keeps what it changed, keeps its targets from every other run too.

Until its alerts are resolved, the person gives them back, or the time is over; so a lock never stays for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from runbook_engine.machine.notices import tell_owner
from runbook_engine.model.execution import Execution
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal

KEPT_FOR = timedelta(hours=4)  # unless the person says otherwise
LONGEST_CUSTODY = timedelta(days=1)


def take_custody(execution: Execution, signal: Signal, at: datetime) -> Execution:
    """Return the execution in a person's custody, if they keep what was changed and it is not over anyway."""
    if signal.kind != "taken_over" or signal.undo or execution.all_resolved:
        return replace(execution, kept_by="", kept_until=None)
    return replace(execution, kept_by=signal.by, kept_until=signal.until or at + KEPT_FOR)


def give_back(execution: Execution) -> Execution:
    """Return the execution without anybody's custody; who had it stays known."""
    return replace(execution, kept_until=None)


def give_back_late(execution: Execution, runbook: Runbook, at: datetime) -> Execution:
    """Return the execution whose time of custody is over; it expires loudly while its alerts are not resolved."""
    until = execution.kept_until
    free = give_back(execution)
    if until is None or execution.all_resolved:
        return free
    text = (
        f"{execution.kept_by} took over {execution.target} until {until.astimezone(UTC):%H:%M:%S} UTC, which is now; "
        "its alerts are not resolved, and other runs may change it again"
    )
    return tell_owner(free, runbook, at, text)


def say_custody(execution: Execution) -> str:
    """Return who keeps the targets of an execution, and until when; empty = nobody does."""
    if execution.kept_until is None:
        return ""
    until = f"{execution.kept_until.astimezone(UTC):%H:%M:%S} UTC"
    return f"taken over by {execution.kept_by}, who keeps it until {until}"
