"""Reports: everything that happened to an execution or an incident, read from the journal as one value."""

from runbook_engine.reports.incidents import mitigated, report_execution, report_incident, status_of

__all__ = ["mitigated", "report_execution", "report_incident", "status_of"]
