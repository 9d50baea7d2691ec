"""Views: reports as plain values with stable keys, for JSON. What is sensitive is not in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, Incident, IncidentReport
from runbook_engine.reports import mitigated, status_of


def view_receipt(receipt: Receipt) -> dict[str, Any]:
    """Return what a sender is answered."""
    return {
        "decided": not receipt.waiting,
        "delivery": receipt.waiting or None,
        "accepted": receipt.accepted,
        "rejected": receipt.rejected,
        "executions": (*receipt.opened, *receipt.joined),
        "incidents": receipt.incidents,
        "warnings": receipt.warnings,
        "changes": receipt.changes,
    }


def view_incident(
    incident: Incident, executions: Sequence[Execution], quiet: timedelta, now: datetime
) -> dict[str, Any]:
    """Return one line of a list of incidents."""
    status = status_of(incident, mitigated(tuple(executions)), quiet, now)
    return {**_plain(incident), "status": status}


def view_execution(execution: Execution) -> dict[str, Any]:
    """Return one line of a list of executions: what, how it stands, and what it asks for."""
    approval = execution.approval
    return {
        "id": execution.id,
        "runbook": execution.runbook,
        "target": str(execution.target),
        "incident": execution.incident_id,
        "status": execution.status,
        "reason": execution.reason,
        "compensation": execution.compensation,
        "opened_at": _plain(execution.opened_at),
        "ended_at": _plain(execution.ended_at),
        "due_at": _plain(execution.due_at),
        "steps": [
            {"name": step.name, "action": step.action, "progress": step.progress, "reason": step.reason}
            for step in execution.steps
        ],
        "approval": None
        if approval is None
        else {"plan_hash": approval.hash, "by": approval.by, "until": _plain(approval.until)},
    }


def view_incident_report(report: IncidentReport) -> dict[str, Any]:
    """Return one incident with everything that happened."""
    seen: dict[str, Any] = _plain(report)
    return seen


def view_execution_report(report: ExecutionReport) -> dict[str, Any]:
    """Return one execution with its trail and its evidence."""
    seen: dict[str, Any] = _plain(report)
    return seen


def _plain(value: Any) -> Any:
    return _without_secrets(msgspec.to_builtins(value, str_keys=True))


def _without_secrets(value: Any) -> Any:
    """Leave out what a change marks as sensitive, wherever in a report the change stands."""
    match value:
        case {"sensitive": True, "before": _, "after": _}:
            return {**value, "before": None, "after": None, "arguments": {}}
        case dict():
            return {key: _without_secrets(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_secrets(inner) for inner in value]
        case _:
            return value
