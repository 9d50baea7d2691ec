"""Sweeping: what nobody sees to. Runs every minute, and its absence is an alarm.

It makes no change itself: it asks for drivers, and the engine decides as ever.
"""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.logs import say_error
from runbook_engine.entrypoints.pause_watch import say_pause_ended
from runbook_engine.errors import Overloaded, RunbookError
from runbook_engine.model.storm import held_until

OVERDUE = timedelta(minutes=1)  # a driver that sleeps wakes within seconds of what it waits for
MOST = 500
EXPIRE_BATCH = 100
MOST_EXPIRIES = 10
LATELY = timedelta(hours=1)  # a sweep may be late, or missed
REMEMBERED = timedelta(days=1)


def sweep_up(host: Host) -> dict[str, int]:
    """Return what was found and seen to. Raises Overloaded when drivers could not be asked for: it is tried again."""
    now = host.clock.now()
    overdue = host.engine.due(now - OVERDUE, MOST)
    missed = host.waker.ask_for_drivers(overdue)
    found = {"overdue": len(overdue), "expired": _expire(host), "pauses_ended": _end_pause(host)}
    host.log.event("swept", found=found)
    storm = held_until(host.engine.journal.latch(), host.engine.bundle.configuration.storm, now) is not None
    host.count({"StormHeld": int(storm)})  # whatever comes of the sweep: an alarm stands on it
    host.count({"Overdue": len(overdue), "Swept": 1}, outcome="missed" if missed else "done")
    if missed:
        raise Overloaded(f"{missed} of {len(overdue)} executions are due, and no driver could be asked for")
    return found


def _expire(host: Host) -> int:
    total = 0
    for _ in range(MOST_EXPIRIES):
        expired = host.engine.expire(host.clock.now())
        total += expired
        if expired < EXPIRE_BATCH:
            break
    return total


def _end_pause(host: Host) -> int:
    """Say once that a pause has run out. The switch itself is left alone: somebody may throw it again just now."""
    now = host.clock.now()
    try:
        reader, _ = host.pause()
        before = reader.pause(now - LATELY)
        if before is None or reader.pause(now) is not None:
            return 0
        if not host.uses.first_use(f"pause-ended:{before.until.isoformat()}", now + REMEMBERED, now):
            return 0
    except RunbookError as error:
        host.log.event("pause.unreadable", "error", **say_error(error))
        return 0
    say_pause_ended(host.engine, before, now, host.log)
    return 1
