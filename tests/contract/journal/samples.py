"""Values that a journal stores, made short."""

from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_engine.model.alert import Alert
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution, Lease, Member
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.incident import Arrival, Evidence, Incident, Intake
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Journal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    """Minutes."""
    return timedelta(minutes=number)


def after(number: float) -> datetime:
    """The time so many minutes after noon."""
    return NOON + minutes(number)


def alert(key: str = "alert-1") -> Alert:
    """An alert with text that is awkward to store."""
    labels = {"alertname": "CheckoutHighErrorRate", "text": "naïve \u2028 '\"; DROP TABLE executions; --"}
    return Alert(
        scope="main",
        source="alertmanager",
        name="CheckoutHighErrorRate",
        labels=labels,
        alert_key=key,
        received_at=NOON,
    )


def execution(name: str, *keys: str, **changes: Any) -> Execution:
    """An execution that follows the alerts with these keys, one named after it if none is given."""
    alerts = keys or (f"alert-{name}",)
    fields: dict[str, Any] = {
        "id": name,
        "runbook": "checkout-high-error-rate",
        "runbook_digest": "d1",
        "incident_id": "incident-1",
        "slot": f"slot-{name}",
        "owner": "team-checkout",
        "scope": "main",
        "alert": alert(alerts[0]),
        "members": tuple(Member(alert_key=key, episode_id="e1", name="A", since=NOON) for key in alerts),
        "mode": "auto",
        "steps": (),
        "opened_at": NOON,
        "deadline_at": after(40),
        "due_at": NOON,
    }
    return Execution(**(fields | changes))


def opened(journal: Journal, name: str, *keys: str, **changes: Any) -> Execution:
    """An execution, stored as version 0."""
    new = execution(name, *keys, **changes)
    journal.record(Intake(opened=(new,)))
    return journal.load(name)


def lease(owner: str, until: float) -> Lease:
    """A lease that ends so many minutes after noon."""
    return Lease(owner, after(until))


def signal(kind: Any = "resolved", at: float = 1, key: str = "", **changes: Any) -> Signal:
    """A signal, so many minutes after noon."""
    return Signal(kind=kind, at=after(at), alert_key=key, **changes)


def audit_record(execution_id: str, number: int) -> AuditRecord:
    """A sealed audit record."""
    says = f"record {number}"
    return AuditRecord(
        execution_id=execution_id, number=number, at=NOON, actor="engine", event="begun", says=says, detail={"n": [1.5]}
    ).sealed()


def evidence(execution_id: str, name: str, at: float = 0) -> Evidence:
    """A piece of evidence with two points."""
    points = ((NOON, 0.12), (after(1), float("inf")))
    return Evidence(
        id=name, execution_id=execution_id, collector="graph", title=name, at=after(at), text="x", points=points
    )


def episode(key: str, seen: float = 0, **changes: Any) -> Episode:
    """An open episode, last seen so many minutes after noon."""
    fields: dict[str, Any] = {"alert_key": key, "episode_id": "e1", "scope": "main", "name": "A", "start": NOON}
    return Episode(**(fields | {"displayed_start": NOON, "last_seen": after(seen)} | changes))


def incident(name: str, opened: float = 0, **changes: Any) -> Incident:
    """An incident opened so many minutes after noon."""
    fields: dict[str, Any] = {"id": name, "key": "apps/checkout", "title": "Checkout", "severity": "critical"}
    return Incident(**(fields | {"opened_at": after(opened), "last_firing_at": after(opened)} | changes))


def arrival(incident_id: str, at: float, key: str = "alert-1") -> Arrival:
    """An alert that arrived so many minutes after noon."""
    return Arrival(incident_id=incident_id, at=after(at), alert=alert(key), transition="opened")


def runbook(digest: str) -> Runbook:
    """A compiled runbook."""
    guardrails = Guardrails(cooldown=minutes(30), deadline=minutes(40))
    return Runbook(
        name="r", owner="o", matchers=(), target=TargetTemplate("none"), guardrails=guardrails, steps=(), digest=digest
    )
