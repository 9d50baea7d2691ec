"""Finding: what a run acts on, when only the cluster knows."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.errors import InvalidTarget, Retryable, RunbookError, Unreadable
from runbook_engine.machine import evolve
from runbook_engine.machine.events import Finished, Resolved, ResolvePutOff
from runbook_engine.machine.opening import slot_of
from runbook_engine.model.execution import Execution
from runbook_engine.model.runbook import Runbook
from runbook_engine.planning.sight import Sight
from runbook_engine.resolution import find_target, target_refusal


def place(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Execution:
    """Return the execution with what it acts on found, if that is still to be done, for a plan or a start by hand.

    Raises InvalidTarget when it is not allowed or leads nowhere, Unreadable when it cannot be told now.
    """
    if execution.stage != "resolve":
        return execution
    event = look_up(execution, runbook, sight, now)
    match event:
        case Resolved():
            return evolve(execution, event, runbook)
        case ResolvePutOff():
            raise Unreadable(f"what {execution.target} leads to cannot be told now: {event.reason}")
        case Finished():
            raise InvalidTarget(event.reason)


def look_up(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Resolved | ResolvePutOff | Finished:
    """Ask the cluster what a run acts on; what is not allowed, or leads nowhere, blocks it."""
    try:
        target = find_target(runbook.target, execution.target, sight.world)
    except (Unreadable, Retryable) as error:
        return ResolvePutOff(reason=str(error), at=now)
    except RunbookError as error:
        return Finished(status="blocked", reason=str(error), at=now)
    refused = target_refusal(sight.configuration, execution.scope, target)
    if refused:
        return Finished(status="blocked", reason=f"{execution.target} leads to {target}: {refused}", at=now)
    return Resolved(target=target, slot=slot_of(runbook, target, execution.inputs, execution.alert), at=now)
