"""Rehearsal: what the other side itself says of a change, asked without effect, before the first thing is touched.

Rights and admission rules are known to nobody but the server. A node is not cordoned for a drain that will be denied.
"""

from __future__ import annotations

from datetime import datetime

from runbook_engine.errors import EffectUnknown, Retryable, RunbookError, UnknownAction
from runbook_engine.executor.tools import Tools
from runbook_engine.machine.events import Prepared
from runbook_engine.model.execution import Execution
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Runbook
from runbook_engine.planning import prepare_step


def rehearse(execution: Execution, runbook: Runbook, index: int, change: Change, tools: Tools, now: datetime) -> str:
    """Return why this change, or one that follows it in a sequence, will be denied; empty when nobody says so."""
    if any(state.effects for state in execution.steps):
        return ""
    denial = _denial(runbook, index, change, tools)
    if denial or runbook.strategy != "sequence":
        return denial
    for later in range(index + 1, len(runbook.steps)):
        if not _can_be_rehearsed(runbook, later, tools):
            continue
        event = prepare_step(execution, runbook, later, tools.sight, now)
        denial = _denial(runbook, later, event.change, tools) if isinstance(event, Prepared) else ""
        if denial:
            return f"{runbook.steps[later].name} could not follow: {denial}"
    return ""


def _can_be_rehearsed(runbook: Runbook, index: int, tools: Tools) -> bool:
    try:
        return tools.spec(runbook, index).rehearse is not None
    except UnknownAction:
        return False  # said in a sentence when its turn comes


def _denial(runbook: Runbook, index: int, change: Change, tools: Tools) -> str:
    if not _can_be_rehearsed(runbook, index, tools):
        return ""
    asked = tools.spec(runbook, index).rehearse
    assert asked is not None, "looked at just now"
    try:
        return asked(change, tools.effects)
    except (Retryable, EffectUnknown):
        return ""  # nobody can tell now: the change itself will say
    except RunbookError as error:
        return str(error)
