"""Opening: the first version of an execution, from a match or by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from runbook_engine.model.alert import Alert
from runbook_engine.model.execution import Approved, Execution, Member, StepState
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.model.target import Target


def slot_of(runbook: str, target: Target) -> str:
    """Return the slot that at most one absorbing execution of this runbook and target holds."""
    return hashlib.sha256(f"{len(runbook)}:{runbook}{target.key}".encode()).hexdigest()[:32]


def execution_id_of(runbook: str, target: Target, first_episode: str) -> str:
    """Return the identity of the execution that this episode opens; the same on every delivery."""
    parts = "".join(f"{len(part)}:{part}" for part in (runbook, target.key, first_episode))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def open_execution(
    *,
    runbook: Runbook,
    alert: Alert,
    members: tuple[Member, ...],
    first_episode: str,
    target: Target,
    inputs: Mapping[str, str],
    mode: Mode,
    incident_id: str,
    now: datetime,
    fallback_receiver: str = "",
    started_by: str = "",
    approved: tuple[Approved, ...] = (),
) -> Execution:
    """Return version 0: pending, due now."""
    return Execution(
        id=execution_id_of(runbook.name, target, first_episode),
        runbook=runbook.name,
        runbook_digest=runbook.digest,
        incident_id=incident_id,
        slot=slot_of(runbook.name, target),
        owner=runbook.owner,
        scope=alert.scope,
        fallback_receiver=fallback_receiver,
        target=target,
        inputs=dict(inputs),
        alert=alert,
        members=members,
        mode=mode,
        started_by=started_by,
        steps=tuple(StepState(name=step.name, action=step.action) for step in runbook.steps),
        approved=approved,
        opened_at=now,
        deadline_at=now + runbook.guardrails.deadline,
        due_at=now,
    )
