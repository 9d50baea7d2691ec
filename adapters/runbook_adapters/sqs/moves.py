"""Moves: redrives as SQS tells of them. One that has ended has lost its handle, so its start is what it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from runbook_engine.errors import Unreadable
from runbook_engine.model.serverless import Move

Status = Literal["running", "completed", "cancelling", "cancelled", "failed"]
STATUSES: Mapping[str, Status] = {
    "RUNNING": "running",
    "COMPLETED": "completed",
    "CANCELLING": "cancelling",
    "CANCELLED": "cancelled",
    "FAILED": "failed",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def move_of(task: Mapping[str, Any]) -> Move:
    """Return a redrive. Raises Unreadable for a status that we do not know."""
    status = STATUSES.get(str(task.get("Status")))
    if status is None:
        raise Unreadable(f"a redrive cannot be read: its status is {task.get('Status')}, which is not known here")
    wanted = task.get("ApproximateNumberOfMessagesToMove")
    return Move(
        id=id_of(task),
        status=status,
        started_at=EPOCH + timedelta(milliseconds=int(task.get("StartedTimestamp") or 0)),
        moved=int(task.get("ApproximateNumberOfMessagesMoved") or 0),
        wanted=None if wanted is None else int(wanted),
        reason=str(task.get("FailureReason") or ""),
    )


def id_of(task: Mapping[str, Any]) -> str:
    """Return what a redrive is known by from its first moment to its last: when it began, in milliseconds."""
    return str(int(task.get("StartedTimestamp") or 0))
