"""Captions: plain columns for people who look into the table. The engine never reads them; bodies are msgpack.

One query of an incident's partition answers what happened: its own item says what it is and whether it is over, and the
item of each of its executions which actions were taken.
"""

from __future__ import annotations

import hashlib

from runbook_adapters.dynamodb.items import Item
from runbook_engine.model.execution import Effect, Execution
from runbook_engine.model.incident import Incident
from runbook_engine.model.plan import Change, Value

MOST_ACTIONS = 20  # the newest
LONGEST_ACTION = 300
ENDED = ("done", "failed", "superseded", "unknown")


def incident_columns(incident: Incident) -> Item:
    """Return what a reader of the table sees of an incident: resolved as soon as the last of its alerts is over."""
    status = "open" if incident.resolved_at is None else "resolved"
    return {"title": incident.title, "severity": incident.severity, "status": status}


def execution_columns(execution: Execution) -> Item:
    """Return what a reader of the table sees of an execution under its incident; of one that did nothing, nothing."""
    actions = actions_taken(execution)
    return {"runbook": execution.runbook, "actions_taken": actions} if actions else {}


def digest_of_actions(execution: Execution) -> str:
    """Return a digest of the actions that were taken, empty when there were none."""
    actions = actions_taken(execution)
    return hashlib.sha256("\n".join(actions).encode()).hexdigest()[:16] if actions else ""


def actions_taken(execution: Execution) -> list[str]:
    """Return one line for each action that has changed the world or may have, the oldest first."""
    ended = [
        (step.action, effect)
        for step in execution.steps
        for effect in step.effects
        if not step.message_only and effect.status in ENDED and (effect.written or effect.status == "unknown")
    ]
    ended.sort(key=lambda pair: pair[1].begun_at)
    return [_line(action, effect) for action, effect in ended[-MOST_ACTIONS:]]


def _line(action: str, effect: Effect) -> str:
    way = "" if effect.direction == "do" else f"{effect.direction} "
    doubt = {"unknown": " (in doubt)", "failed": " (failed)"}.get(effect.status, "")
    said = f"{way}{action} {_said(effect.change)}"
    shown = said if len(said) <= LONGEST_ACTION else f"{said[: LONGEST_ACTION - 3]}..."
    return f"{shown}{doubt}"


def _said(change: Change) -> str:
    if change.sensitive:
        return f"{change.target} {change.field} (value not shown)"
    return f"{change.target} {change.field} {_shown(change.before)} -> {_shown(change.after)}"


def _shown(value: Value) -> str:
    if value is None:
        return "unset"
    return f'"{value}"' if isinstance(value, str) else str(value)
