"""Storms: whose end is told by the page of a storm, so that nine thousand runs that it held are not as many messages.

Only a run that never began a change, and only where somebody was paged: what was changed, or tried, is always told.
"""

from __future__ import annotations

from msgspec.structs import replace

from runbook_engine.executor.turn import Turn
from runbook_engine.machine.events import Blocked, Event, Finished
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.ration import let_go_at
from runbook_engine.model.storm import held_until


def told_by_storm(event: Event, turn: Turn) -> Event:
    """Return the event, an end marked when it needs no message of its own beside the page of the storm."""
    match event:
        case Finished() if event.status in ("blocked", "cancelled"):
            held = _held(turn.execution.verdicts)
        case Blocked():
            held = _held(event.verdicts)
        case _:
            return event
    return replace(event, by_storm=True) if _is_told(turn, event, held=held) else event


def _is_told(turn: Turn, event: Finished | Blocked, *, held: bool) -> bool:
    """Whether a storm kept it from changing anything, that it was part of or met, and for which somebody was paged."""
    run, rule = turn.execution, turn.tools.sight.configuration.storm
    if run.tried or run.started_by or run.mode == "observe":
        return False
    latch = turn.tools.journal.latch()
    if not latch.paged:
        return False
    if held_until(latch, rule, event.at) is not None:
        return held or _never_came_to_it(run, event)
    since = let_go_at(latch, rule, event.at)
    return since is not None and run.opened_at <= since and (held or _never_came_to_it(run, event))


def _held(verdicts: tuple[Verdict, ...]) -> bool:
    return any(verdict.guardrail == "storm" and not verdict.ok for verdict in verdicts)


def _never_came_to_it(run: Execution, event: Finished | Blocked) -> bool:
    """Whether it ended in the crowd before anybody could even judge it."""
    return isinstance(event, Finished) and not run.verdicts and not run.waiting_for
