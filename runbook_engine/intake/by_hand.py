"""By hand: a run that a person starts, without an alert."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from runbook_engine.intake.incidents import new_incident
from runbook_engine.intake.wishes import fallback_receiver
from runbook_engine.machine.opening import open_execution
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, Decision, Intake
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.target import Target
from runbook_engine.resolution import resolve_inputs, resolve_target, validate_target
from runbook_engine.templating import Templates


def open_by_hand(
    runbook: Runbook,
    configuration: Configuration,
    templates: Templates,
    *,
    target: Target | None,
    inputs: Mapping[str, str],
    by: str,
    reason: str,
    now: datetime,
) -> Execution:
    """Return the execution of a run that a person wants. Raises InvalidTarget.

    No alert will resolve it, so what it changes is held until a person decides.
    """
    identity = hashlib.sha256(f"{runbook.name}{by}{now.isoformat()}".encode()).hexdigest()
    alert = Alert(
        scope="",
        source="manual",
        kind="control",
        name=reason or f"started by {by}",
        labels={"alertname": "manual"},
        alert_key=identity,
        received_at=now,
        starts_at=now,
        severity="unknown",
    )
    aimed = resolve_inputs(runbook.inputs, alert, inputs)
    if target is not None and runbook.target.provisional(target):
        validate_target(target)
    if target is None:
        target = resolve_target(runbook.target, aimed, alert, configuration, templates)
    return open_execution(
        runbook=runbook,
        alert=alert,
        members=(),
        first_episode=identity,
        target=target,
        inputs=aimed,
        mode="approve",
        incident_id=new_incident(f"manual:{identity}", alert, identity, now).id,
        now=now,
        fallback_receiver=fallback_receiver(runbook, configuration),
        started_by=by,
    )


def intake_by_hand(execution: Execution, runbook: Runbook, now: datetime) -> Intake:
    """Return what storing a run by hand changes."""
    alert = execution.alert
    incident = new_incident(f"manual:{alert.alert_key}", alert, alert.alert_key, now)
    incident = replace(
        incident,
        open_alerts=(),
        execution_ids=(execution.id,),
        acknowledged_at=now,
        acknowledged_by=execution.started_by,
    )
    decision = Decision(runbook=runbook.name, outcome="opened", execution_id=execution.id, reason=alert.name)
    arrival = Arrival(incident_id=incident.id, at=now, alert=alert, transition="recorded", decisions=(decision,))
    return Intake(incidents=(incident,), opened=(execution,), runbooks=(runbook,), arrivals=(arrival,))
