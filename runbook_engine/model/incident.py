"""An incident: what an on-call sees, correlated episodes with their executions; and how it is recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from runbook_engine.model.alert import Alert, Severity
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode, TransitionKind
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal
from runbook_engine.model.storm import Latch
from runbook_engine.model.target import Target

IncidentStatus = Literal["open", "mitigated", "resolved"]


class Incident(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One incident as stored; whether it is mitigated, or resolved for good, follows from its executions and the time.

    `resolved_at` is when the last of its alerts was over, as long as none fires again. An alert that only expired is
    not over: nobody said that it is fixed.
    """

    id: str
    key: str
    title: str
    severity: Severity
    opened_at: datetime
    last_firing_at: datetime
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None  # when a person first did something about it
    acknowledged_by: str = ""
    closed_at: datetime | None = None  # when a person said that it is over
    closed_by: str = ""
    closed_because: str = ""
    measured_at: datetime | None = None  # when its times were counted for metrics; only the first end of it is
    open_alerts: tuple[str, ...] = ()  # alert keys of open episodes
    expired_alerts: tuple[str, ...] = ()  # alert keys of which nobody has spoken for long
    alert_keys: tuple[str, ...] = ()  # of what joined it ever, the newest, and all of the delivery that it comes from
    execution_ids: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    version: int = 0


class Decision(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was decided about one runbook for one alert, and the clause that decided it."""

    runbook: str
    outcome: Literal["opened", "joined", "refused", "suppressed"]
    execution_id: str = ""
    reason: str = ""


class Arrival(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One alert as it arrived, what it meant, and what was decided: the incident's own timeline."""

    incident_id: str
    at: datetime
    alert: Alert
    transition: TransitionKind
    flapping: bool = False
    decisions: tuple[Decision, ...] = ()


Join = tuple[str, str, Signal]  # a slot, the execution that must hold it, and the signal that says who joins


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """All that one delivery changes, stored in one transaction or not at all.

    Episodes, incidents, groups and the latch carry the version they were read with; the journal stores version + 1. A
    slot in `opened` must be free, a slot in `joined` must be held by the execution named: else StaleVersion.
    `delivery` is the number of the delivery that waited in the inbox until now, 0 = none did.
    """

    episodes: tuple[Episode, ...] = ()
    incidents: tuple[Incident, ...] = ()
    groups: tuple[Group, ...] = ()
    opened: tuple[Execution, ...] = ()
    runbooks: tuple[Runbook, ...] = ()  # compiled runbooks of what was opened, kept by digest
    joined: tuple[Join, ...] = ()
    signals: tuple[tuple[str, Signal], ...] = ()  # execution id, signal
    arrivals: tuple[Arrival, ...] = ()
    latch: Latch | None = None
    delivery: int = 0


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one read-only collector saw before the first change; capped and redacted."""

    id: str
    execution_id: str
    collector: str
    title: str
    at: datetime
    text: str
    points: tuple[tuple[datetime, float], ...] = ()
    error: str = ""


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One execution with its audit trail and its evidence."""

    execution: Execution
    runbook: Runbook
    audit: tuple[AuditRecord, ...]
    evidence: tuple[Evidence, ...]


class Times(msgspec.Struct, frozen=True):
    """How long it took until a person was on it, something was changed, it was verified as fixed, and it was over."""

    acknowledge: timedelta | None = None
    act: timedelta | None = None
    mitigate: timedelta | None = None
    resolve: timedelta | None = None


class NearChange(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody else changed shortly before an incident, and whether it was one of its own targets."""

    target: Target
    event: ChangeEvent
    same_target: bool


class IncidentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One incident with everything that happened to it: what every screen and every JSON answer is made of."""

    incident: Incident
    status: IncidentStatus
    arrivals: tuple[Arrival, ...]
    executions: tuple[ExecutionReport, ...]
    acted_at: datetime | None = None  # the first change
    mitigated_at: datetime | None = None  # when the last of its runs was verified as fixed
    started_at: datetime | None = None  # when its first alert began to fire, as its sender says
    from_opened: Times = Times()
    from_started: Times = Times()
    quiet_until: datetime | None = None  # its alerts are over, and it is resolved if none comes back until then
    flapping: tuple[str, ...] = ()  # names of alerts that came and went too often to be acted on
    changes: tuple[NearChange, ...] = ()  # by others, before it opened; the nearest first
