"""Verification: when repeated probes add up to fixed, not fixed, or cannot be told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from runbook_engine.model.check import Check, Reading
from runbook_engine.model.execution import Execution, Verification
from runbook_engine.model.runbook import Runbook

FIRST_INTERVAL = timedelta(seconds=1)
LONGEST_INTERVAL = timedelta(seconds=5)
GROWTH = 1.5

Answer = Literal["fixed", "not fixed", "cannot tell", "go on"]


def begin(
    purpose: Literal["step", "gate", "final", "undo"], checks: tuple[Check, ...], at: datetime, settle: timedelta
) -> Verification:
    """Return a verification whose time starts when the change has settled."""
    start = at + settle
    until = max((start + check.timeout for check in checks), default=None)
    since: tuple[datetime | None, ...] = (None,) * len(checks)
    return Verification(purpose=purpose, started_at=start, not_before=start, passing_since=since, until=until)


def checks_of(execution: Execution, runbook: Runbook) -> tuple[Check, ...]:
    """Return the checks that the present verification judges."""
    verification = execution.verification
    if verification is not None and verification.purpose == "gate":
        return runbook.steps[execution.step].verify
    return runbook.verify


def add_probe(
    verification: Verification, checks: tuple[Check, ...], readings: tuple[Reading, ...], at: datetime
) -> tuple[Verification, Answer]:
    """Return the verification after one more probe, and what it adds up to."""
    since = tuple(
        (before or at) if reading.ok else None
        for before, reading in zip(verification.passing_since, readings, strict=True)
    )
    held = tuple(start is not None and at - start >= check.hold_for for start, check in zip(since, checks, strict=True))
    after = replace(
        verification,
        passing_since=since,
        readings=readings,
        probes=verification.probes + 1,
        not_before=at + _interval(verification, checks, since, at),
    )
    if all(held):
        return after, "fixed"
    return after, _given_up(verification, checks, readings, at)


def _given_up(
    verification: Verification, checks: tuple[Check, ...], readings: tuple[Reading, ...], at: datetime
) -> Answer:
    """A check that passes is left to hold; one that fails or cannot be read has until its time limit."""
    answers: set[Answer] = set()
    for check, reading in zip(checks, readings, strict=True):
        expired = at >= verification.started_at + check.timeout
        if reading.ok is None and (expired or check.no_data == "stop"):
            answers.add("cannot tell")
        elif reading.ok is False and expired:
            answers.add("not fixed")
    if "cannot tell" in answers:
        return "cannot tell"
    return "not fixed" if answers else "go on"


def _interval(
    verification: Verification, checks: tuple[Check, ...], since: tuple[datetime | None, ...], at: datetime
) -> timedelta:
    """Polling grows from 1 s to 5 s, but never steps over the instant that a hold or a time limit ends."""
    wanted = min(LONGEST_INTERVAL, FIRST_INTERVAL * GROWTH ** min(verification.probes, 10))
    ends = [
        (start + check.hold_for) if start is not None else (verification.started_at + check.timeout)
        for start, check in zip(since, checks, strict=True)
    ]
    ahead = [end - at for end in ends if end > at]
    return min([wanted, *ahead])
