"""When a host must drive an execution next: one rule for every journal."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.model.execution import Execution


def due_after_commit(execution: Execution, *, signals: int, now: datetime) -> datetime | None:
    """Return when a stored version is due, `signals` being the number of the newest signal.

    While it is leased that is the lease's end: then its driver has died and anybody takes over. A driver that
    lets go while unconsumed signals wait leaves it due now, so that no signal is slept through.
    """
    if execution.lease is not None:
        return execution.lease.until
    if signals > execution.signals_consumed:
        return now if execution.due_at is None else min(execution.due_at, now)
    return execution.due_at


def due_after_signal(due: datetime | None, *, leased: bool, at: datetime) -> datetime | None:
    """Return when an execution is due once a signal came: at once, unless its driver will see to it.

    A lease that has run out needs no case of its own: its end is the due time already, and lies before.
    """
    if leased:
        return due
    return at if due is None else min(due, at)
