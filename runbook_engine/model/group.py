"""A group: what one runbook opened within a short wait, judged together before any of it changes anything.

One alert is a fault; forty at once are a cause that no restart mends. So the runs of a group wait for each other, are
counted by what they act on, and act in batches, each of which must have ended before the next begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.execution import Execution
from runbook_engine.model.target import Target

GroupState = Literal["gathering", "released", "held", "stopped"]
PartState = Literal["resolving", "waiting", "working", "well", "badly", "left"]

BUSY: frozenset[PartState] = frozenset(("resolving", "waiting", "working"))


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The executions that one runbook opened before anything was decided about them, and what was decided."""

    id: str
    runbook: str
    opened_at: datetime
    closes_at: datetime  # nothing is decided before then; who comes later and before the decision belongs to it too
    state: GroupState = "gathering"
    reason: str = ""  # why it is held or stopped
    told_at: datetime | None = None  # when people were last told of that
    told_alone: int = 0  # runs that ended before their turn, and told of it themselves
    order: tuple[str, ...] = ()  # the executions that may act, in the order of the batches
    after: str = ""  # the runbook's group before it, which must be through first
    version: int = 0

    @property
    def refused(self) -> bool:
        """Whether nothing of it may act any more."""
        return self.state in ("held", "stopped")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as its group sees it."""

    execution_id: str
    opened_at: datetime
    target: Target
    state: PartState
    reason: str = ""  # how it ended
    alert_keys: tuple[str, ...] = ()


def part_of(execution: Execution) -> Part:
    """Return an execution as its group sees it."""
    return Part(
        execution_id=execution.id,
        opened_at=execution.opened_at,
        target=execution.target,
        state=_state(execution),
        reason=execution.reason if execution.ended else "",
        alert_keys=tuple(dict.fromkeys(member.alert_key for member in execution.members)),
    )


def batch_of(batches: Sequence[int], position: int) -> tuple[int, int]:
    """Return which batch a position is in, from 1, and the position at which that batch begins.

    The last size holds for all batches that follow.
    """
    number, begin = 1, 0
    while position >= begin + batches[min(number, len(batches)) - 1]:
        begin += batches[min(number, len(batches)) - 1]
        number += 1
    return number, begin


def _state(execution: Execution) -> PartState:
    """Return how far it is. Who leaves before its target is known, or for another run, takes no part."""
    if not execution.ended:
        return "resolving" if execution.stage == "resolve" else "waiting" if execution.stage == "group" else "working"
    not_needed = execution.status == "cancelled" and (execution.all_resolved or execution.mode == "observe")
    if execution.merged_into or (not execution.placed and execution.status != "blocked"):
        return "left"
    return "well" if execution.status == "succeeded" or not_needed else "badly"
