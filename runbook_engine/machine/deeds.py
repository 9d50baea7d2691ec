"""Deeds: what a run has changed so far, as the lines that a message shows."""

from __future__ import annotations

from datetime import UTC

from runbook_engine.machine.narration import arrow
from runbook_engine.model.execution import Effect, Execution, StepState

MOST_LINES = 20
LONGEST_LINE = 300


def deeds(execution: Execution) -> tuple[str, ...]:
    """Return one line for each change that reached the world or may have, the oldest first."""
    done = [(step, effect) for step in execution.steps for effect in _begun(step)]
    lines = [_line(step, effect) for step, effect in sorted(done, key=lambda pair: pair[1].begun_at)]
    left_out = len(lines) - MOST_LINES
    if left_out <= 0:
        return tuple(lines)
    return (f"({left_out + 1} earlier ones)", *lines[left_out + 1 :])


def _begun(step: StepState) -> tuple[Effect, ...]:
    """Return what was, or may have been, written; what only tells somebody changes nothing."""
    if step.message_only:
        return ()
    return tuple(effect for effect in step.effects if effect.written or effect.doubtful or effect.status == "unknown")


def _line(step: StepState, effect: Effect) -> str:
    doubt = " (in doubt)" if effect.status == "unknown" or not effect.written else ""
    failed = " (failed)" if effect.status == "failed" and effect.written else ""
    said = f"{effect.begun_at.astimezone(UTC):%H:%M} {arrow(effect.change)}"
    shown = said if len(said) <= LONGEST_LINE else f"{said[: LONGEST_LINE - 3]}..."
    return f"{shown}{' (undo)' if effect.direction == 'undo' else ''}{doubt}{failed}"
