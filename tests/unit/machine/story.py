"""An execution to tell stories about: one alert, two steps, and short words for what happens to it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.machine import evolve, open_execution
from runbook_engine.machine.events import Event, Intended, Planned, Prepared, Required, Signalled
from runbook_engine.model.alert import Alert
from runbook_engine.model.check import Reading
from runbook_engine.model.execution import Direction, Execution, Member
from runbook_engine.model.group import Group
from runbook_engine.model.plan import Change, Plan, PlannedStep
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.model.signal import Signal, SignalKind
from runbook_engine.model.target import Target
from runbook_engine.testing.clock import EPOCH
from tests.scenario.rig import FLAG, runbook

START = EPOCH
SECOND = timedelta(seconds=1)
FLIP = Change(target=Target("parameter", "local", "", FLAG), field="value", before="false", after="true")
POD = Target("pod", "local", "apps", "checkout-1")
GROUP = Group(id="group", runbook="r", opened_at=START, closes_at=START + 60 * SECOND)
GROW = Change(target=Target("deployment", "local", "apps", "checkout"), field="replicas", before=4, after=6)
YES, NO, DARK = (
    Reading(ok=True, says="errors 0.01 is below 0.02"),
    Reading(ok=False, says="errors 0.12 is not below 0.02"),
    Reading(ok=None, says="errors has no data"),
)


def opened(book: Runbook | None = None, *, mode: Mode = "auto", by: str = "") -> Execution:
    """Return an execution as an alert opens it."""
    alert = Alert(scope="local", source="alertmanager", name="Fire", labels={}, alert_key="key", received_at=START)
    member = Member(alert_key="key", episode_id="first", name="Fire", since=START)
    return open_execution(
        runbook=book or runbook(),
        alert=alert,
        members=() if by else (member,),
        first_episode="first",
        target=POD if book is not None and book.target.finds else GROW.target,
        group=GROUP if book is not None and book.group is not None else None,
        inputs={},
        mode=mode,
        incident_id="incident",
        now=START,
        fallback_receiver="owner",
        started_by=by,
    )


def after(execution: Execution, book: Runbook, *events: Event) -> Execution:
    """Return the execution after these events."""
    for event in events:
        execution = evolve(execution, event, book)
    return execution


def required() -> Required:
    """Nothing is required."""
    return Required(readings=(), at=START)


def prepared(step: int = 0, change: Change = FLIP, **settings: bool) -> Prepared:
    """A step knows its change."""
    return Prepared(step=step, change=change, change_hash=f"hash-{step}", at=START, **settings)


def intended(step: int = 0, change: Change = FLIP, direction: Direction = "do", at: datetime = START) -> Intended:
    """The intent is on record."""
    return Intended(
        step=step, direction=direction, change=change, key="key", verdicts=(), deadline=at + 60 * SECOND, at=at
    )


def signalled(kind: SignalKind, at: datetime = START, **settings: object) -> Signalled:
    """Somebody says something."""
    about = {"alert_key": "key", "episode_id": "first", "name": "Fire"} if kind in ("resolved", "expired") else {}
    signal = replace(Signal(kind=kind, at=at, number=1), **{**about, **settings})
    return Signalled(signal=signal, at=at)


def planned(**changes: object) -> Planned:
    """The whole run was planned: one change."""
    step = PlannedStep(name="shed-optional-features", action="degrade", change=FLIP, change_hash="hash-0")
    plan = Plan(
        plan_hash="0123456789abcdef", runbook="r", runbook_digest="d", target=GROW.target, mode="propose", steps=(step,)
    )
    return Planned(plan=replace(plan, **changes), at=START)
