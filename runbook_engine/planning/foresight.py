"""Foresight: whether a sequence that is begun can be brought to its end, as far as anybody can tell before."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.errors import UnknownAction
from runbook_engine.machine.events import PrepareFailed
from runbook_engine.model.execution import Execution
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.planning.preparing import prepare_step
from runbook_engine.planning.sight import Sight
from runbook_engine.ports import ActionSpec


def foresee(execution: Execution, runbook: Runbook, index: int, sight: Sight, now: datetime) -> str:
    """Return which later step of a sequence could surely not be made, and why; empty when none is known.

    Looked at before the first change: a node is not cordoned for a drain that is forbidden. What a step in between may
    mend is no obstacle: a release that is rolled back first may have its replicas ready for the restart after it.
    """
    untouched = not any(state.effects for state in execution.steps)
    if runbook.strategy != "sequence" or not untouched:
        return ""
    for later in range(index + 1, len(runbook.steps)):
        event = prepare_step(execution, runbook, later, sight, now)
        if isinstance(event, PrepareFailed) and not event.passing and not may_be_mended(event, runbook, index, sight):
            return f"{runbook.steps[later].name} could not follow: {event.reason}"
    return ""


def may_be_mended(failed: PrepareFailed, runbook: Runbook, first: int, sight: Sight) -> bool:
    """Whether what forbids a step now may be gone when the steps from the first one on have been done.

    Of an action that is foreseeable it stays, unless one of them changes something else than the step's own target.
    """
    step = runbook.steps[failed.step]
    before = [(each, _spec_of(each, sight)) for each in runbook.steps[first : failed.step]]
    changing = [(each, spec) for each, spec in before if spec is not None and not spec.message_only]
    if not failed.objection or not changing:
        return False
    own = _spec_of(step, sight)
    foreseeable = own is not None and own.foreseeable
    return not foreseeable or any(each.target != step.target or not spec.target_kinds for each, spec in changing)


def _spec_of(step: Step, sight: Sight) -> ActionSpec | None:
    try:
        return sight.registry.action(step.action)
    except UnknownAction:
        return None
