"""Reports: everything that happened to an execution or an incident, read from the journal as one value."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, Incident, IncidentReport, IncidentStatus
from runbook_engine.ports import Journal

MOST_EXECUTIONS = 1000  # of one incident; a screen shows far fewer


def report_execution(journal: Journal, execution: Execution) -> ExecutionReport:
    """Return one execution with its trail and its evidence."""
    return ExecutionReport(
        execution=execution,
        runbook=journal.runbook(execution.runbook_digest),
        audit=journal.audit(execution.id),
        evidence=journal.evidence(execution.id),
    )


def report_incident(journal: Journal, incident_id: str) -> IncidentReport:
    """Return one incident with everything that happened. Raises UnknownIncident."""
    incident = journal.incident(incident_id)
    found = journal.executions(limit=MOST_EXECUTIONS, incident_id=incident.id)
    reports = tuple(report_execution(journal, execution) for execution in reversed(found))
    acted = [record.at for report in reports for record in report.audit if record.event == "intended"]
    ended = [report.execution.ended_at for report in reports if report.execution.status == "succeeded"]
    mitigated_at = min((at for at in ended if at is not None), default=None)
    return IncidentReport(
        incident=incident,
        status=_status(incident, mitigated_at),
        arrivals=journal.arrivals(incident.id),
        executions=reports,
        acted_at=min(acted, default=None),
        mitigated_at=mitigated_at,
    )


def _status(incident: Incident, mitigated_at: datetime | None) -> IncidentStatus:
    if incident.resolved_at is not None:
        return "resolved"
    return "mitigated" if mitigated_at is not None else "open"
