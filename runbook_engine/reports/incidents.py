"""One incident with its runs, its times and what changed before it; and when it counts as over."""

from __future__ import annotations

from datetime import datetime, timedelta

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, ExecutionReport, Incident, IncidentReport, IncidentStatus, Times
from runbook_engine.ports import Journal
from runbook_engine.reports.changes import changes_before

MOST_EXECUTIONS = 1000  # of one incident; a screen shows far fewer
OPENS = ("opened", "superseded")


def report_execution(journal: Journal, execution: Execution) -> ExecutionReport:
    """Return one execution with its trail and its evidence."""
    return ExecutionReport(
        execution=execution,
        runbook=journal.runbook(execution.runbook_digest),
        audit=journal.audit(execution.id),
        evidence=journal.evidence(execution.id),
    )


def report_incident(
    journal: Journal, incident_id: str, configuration: Configuration, now: datetime, *, causes: bool = True
) -> IncidentReport:
    """Return one incident with everything that happened, and before it (`causes`). Raises UnknownIncident."""
    incident = journal.incident(incident_id)
    found = journal.executions(limit=MOST_EXECUTIONS, incident_id=incident.id)
    reports = tuple(report_execution(journal, execution) for execution in reversed(found))
    arrivals = journal.arrivals(incident.id)
    acted = [record.at for report in reports for record in report.audit if record.event == "intended"]
    acted_at, mitigated_at = min(acted, default=None), mitigated(found)
    started_at = _started(incident, arrivals)
    status = status_of(incident, mitigated_at, configuration.correlation.quiet, now)

    def since(start: datetime) -> Times:
        resolved_at = incident.resolved_at if status == "resolved" else None
        moments = (incident.acknowledged_at, acted_at, mitigated_at, resolved_at)
        return Times(*(None if at is None else max(at - start, timedelta(0)) for at in moments))

    return IncidentReport(
        incident=incident,
        status=status,
        arrivals=arrivals,
        executions=reports,
        acted_at=acted_at,
        mitigated_at=mitigated_at,
        started_at=started_at,
        from_opened=since(incident.opened_at),
        from_started=since(started_at),
        quiet_until=_quiet_until(incident, configuration.correlation.quiet, now),
        flapping=tuple(dict.fromkeys(arrival.alert.name for arrival in arrivals if arrival.flapping)),
        changes=changes_before(incident, tuple(found), journal, configuration) if causes else (),
    )


def status_of(incident: Incident, mitigated_at: datetime | None, quiet: timedelta, now: datetime) -> IncidentStatus:
    """Return how an incident stands: its alerts must have been over for a while, unless a person closed it."""
    if incident.resolved_at is None:
        return "open" if mitigated_at is None else "mitigated"
    if incident.closed_at is not None or _quiet_until(incident, quiet, now) is None:
        return "resolved"
    return "mitigated"


def mitigated(executions: tuple[Execution, ...]) -> datetime | None:
    """Return when the last of the runs that were to act was verified as fixed; None while any of them is not.

    What a person stopped, what only looked on or joined another run does not count, nor what was tried again later. Of
    verified successes one at least changed something: else it was over by itself.
    """
    counted = [each for each in executions if each.mode != "observe" and each.status != "cancelled"]
    newest = {each.slot: each for each in sorted(counted, key=lambda each: each.opened_at) if not each.merged_into}
    fixed = [each for each in newest.values() if each.status == "succeeded" and each.verified]
    if len(fixed) < len(newest) or not any(each.changed for each in fixed):
        return None
    return max((each.ended_at for each in fixed if each.ended_at is not None), default=None)


def _quiet_until(incident: Incident, quiet: timedelta, now: datetime) -> datetime | None:
    """Return when an incident counts as resolved whose alerts are over, if nothing comes back; None when it does."""
    if incident.resolved_at is None or incident.closed_at is not None:
        return None
    until = incident.resolved_at + quiet
    return until if now < until else None


def _started(incident: Incident, arrivals: tuple[Arrival, ...]) -> datetime:
    """Return when the first of its alerts began to fire, as their senders say; never after it was opened."""
    told = [arrival.alert.starts_at for arrival in arrivals if arrival.transition in OPENS]
    return min([incident.opened_at, *(at for at in told if at is not None)])
