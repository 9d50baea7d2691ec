"""Opening: the first version of an execution, from a match or by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from runbook_engine.model.alert import Alert
from runbook_engine.model.execution import Approved, Execution, Member, StepState
from runbook_engine.model.group import Group
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.model.target import Target
from runbook_engine.resolution import told_apart


def slot_of(runbook: Runbook, target: Target, inputs: Mapping[str, str], alert: Alert) -> str:
    """Return the slot that at most one absorbing execution holds: of this runbook, target, and what changes read."""
    apart = "".join(f"{len(part)}:{part}" for part in told_apart(runbook, inputs, alert))
    return hashlib.sha256(f"{len(runbook.name)}:{runbook.name}{target.key}{apart}".encode()).hexdigest()[:32]


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
    slot: str = "",
    fallback_receiver: str = "",
    started_by: str = "",
    approved: tuple[Approved, ...] = (),
    group: Group | None = None,
    trusted: Mode = "auto",
    demoted: str = "",
    behind: tuple[str, ...] = (),
) -> Execution:
    """Return version 0: pending, due now. A provisional target is found first, then its group is waited for."""
    placed = not runbook.target.provisional(target)
    opened = Execution(
        id=execution_id_of(runbook.name, target, first_episode),
        runbook=runbook.name,
        runbook_digest=runbook.digest,
        incident_id=incident_id,
        slot=slot or slot_of(runbook, target, inputs, alert),
        owner=runbook.owner,
        scope=alert.scope,
        fallback_receiver=fallback_receiver,
        target=target,
        inputs=inputs,
        alert=alert,
        members=members,
        mode=mode,
        trusted=trusted,
        demoted=demoted,
        stage="require" if placed else "resolve",
        placed=placed,
        group_id=group.id if group is not None else "",
        group_closes_at=group.closes_at if group is not None else None,
        started_by=started_by,
        behind=behind,
        steps=tuple(StepState(name=step.name, action=step.action) for step in runbook.steps),
        approved=approved,
        opened_at=now,
        deadline_at=now + runbook.guardrails.deadline,
        due_at=now,
    )
    return gather(replace(opened, stage="group")) if placed and group is not None else opened


def gather(execution: Execution) -> Execution:
    """Return the execution waiting until its group is complete."""
    closes_at = execution.group_closes_at
    assert closes_at is not None, "a group says until when it gathers"
    waiting_for = f"its group, which is complete at {closes_at.astimezone(UTC):%H:%M:%S} UTC"
    return replace(execution, resume_at=closes_at, waiting_for=waiting_for)
