"""Proposals: what every runbook that an alert asks for would do now, and why some alerts ask for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_engine.engine import Engine
from runbook_engine.model.alert import Alert
from runbook_engine.model.plan import Plan
from runbook_engine.render.plan import Proposal


@dataclass(frozen=True, slots=True)
class Proposed:
    """Plans, and a sentence for each alert that has none."""

    proposals: tuple[Proposal, ...]
    notes: tuple[str, ...]


def propose(engine: Engine, alerts: Sequence[Alert], now: datetime) -> Proposed:
    """Return what these alerts ask for. Looks, never touches."""
    proposals: list[Proposal] = []
    notes: list[str] = []
    for alert in alerts:
        if alert.status != "firing":
            notes.append(f"{alert.name} is {alert.status}: only a firing alert starts a runbook")
            continue
        found = _of_alert(engine, alert, now)
        proposals += found
        if not found:
            notes.append(f"no runbook matches {alert.name}: runbook explain says why")
    return Proposed(tuple(proposals), tuple(notes))


def _of_alert(engine: Engine, alert: Alert, now: datetime) -> list[Proposal]:
    episode = engine.journal.episodes([alert.alert_key]).get(alert.alert_key)
    incident_id = episode.incident_id if episode is not None and episode.is_open else ""
    return [
        Proposal(
            plan=plan,
            runbook=engine.runbook(plan.runbook),
            alert=alert,
            now=now,
            incident_id=incident_id,
            joins=_holder(engine, plan),
        )
        for plan in engine.plan(alert, now)
    ]


def _holder(engine: Engine, plan: Plan) -> str:
    return engine.journal.holders([plan.slot]).get(plan.slot, "")
