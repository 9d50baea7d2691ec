"""The ration: how fast changes go on after a storm, so that what follows a release is never a storm itself.

It is a budget that the commit of every change takes, so that no number of workers can exceed it together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Budget
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.storm import Latch, StormRule, calm_at

RATION = "after-storm"  # what its budget counts under


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a storm holds, and how that goes on once it is let go."""

    runs: int
    targets: int
    first: tuple[Execution, ...]  # the oldest, as many as there is room for at once
    at_a_time: int
    within: timedelta
    late: int = 0  # of the runs; those whose deadline comes before their turn at that pace

    @property
    def longest(self) -> timedelta:
        """How long after the release the last of them comes to its turn, if nothing else is changed and all wait."""
        left = self.runs - len(self.first)
        return -(-left // self.at_a_time) * self.within


def hold(waiting: Sequence[Execution], rule: StormRule, *, room: int, now: datetime) -> Held:
    """Return what waits and how it goes on, the oldest first, when there is room for so many changes at once."""
    oldest = tuple(sorted(waiting, key=lambda each: (each.opened_at, each.id)))
    first = oldest[: max(room, 0)]
    return Held(
        runs=len(oldest),
        targets=len({each.slot if each.target.kind == "none" else each.target.key for each in oldest}),
        first=first,
        at_a_time=rule.ration,
        within=rule.within,
        late=_late(oldest[len(first) :], rule, now),
    )


def _late(left: Sequence[Execution], rule: StormRule, now: datetime) -> int:
    """Return how many come to no turn before their deadline; one that is over leaves its turn to the next."""
    turn, room, late = now, 0, 0
    for each in left:
        if not room:
            turn, room = turn + rule.within, rule.ration
        in_time = each.deadline_at > turn
        room -= in_time
        late += not in_time
    return late


def waits_for_storm(execution: Execution) -> bool:
    """Whether an execution waits for the latch, or for its turn after it."""
    waits = execution.resume_at is not None and not execution.ended
    return waits and any(verdict.guardrail == "storm" and not verdict.ok for verdict in execution.verdicts)


def say_turn(execution: Execution, latch: Latch, rule: StormRule, now: datetime) -> Execution:
    """Return an execution as it is to be read: one that was held says what it waits for now, before it looks again."""
    if let_go_at(latch, rule, now) is None or not waits_for_storm(execution):
        return execution
    said = [each.says for each in execution.verdicts if not each.ok and each.guardrail != "storm"]
    turn = f"storm: {say_ration(rule.ration, rule.within)}"
    return msgspec.structs.replace(execution, waiting_for="; ".join((turn, *said)))


def let_go_at(latch: Latch, rule: StormRule, now: datetime) -> datetime | None:
    """Return when the newest storm was let go, by a person or by calm; None while one is held, or none ever was."""
    if latch.held_since is None:
        return latch.released_at
    calm = calm_at(latch, rule, latch.held_since)
    return calm if calm <= now else None


def ration_of(latch: Latch, rule: StormRule, *, opened_at: datetime, now: datetime) -> Budget | None:
    """Return what a change of a run must take from the ration; None when time alone demands nothing.

    What was opened before the release always takes, and what is newer as long as the older may still change something.
    """
    since = let_go_at(latch, rule, now)
    if since is None or (opened_at > since and now - since >= rule.longest_run):
        return None
    return budget_of(rule)


def budget_of(rule: StormRule) -> Budget:
    """Return the ration as the budget that it is."""
    return Budget(RATION, rule.within, rule.ration, counts_own=True)


def say_ration(limit: int, within: timedelta) -> str:
    """Return why a change waits after a storm, in words that stay the same while it does."""
    changes = "1 change goes" if limit == 1 else f"{limit} changes go"
    return f"it was let go, and no more than {changes} on within {say_duration(within)}; this one waits for its turn"


def with_longest_run(configuration: Configuration, runbooks: Sequence[Runbook]) -> Configuration:
    """Return the configuration knowing how long a run that a storm held may still change something."""
    longest = max((each.guardrails.deadline for each in runbooks), default=timedelta(0))
    storm = msgspec.structs.replace(configuration.storm, longest_run=longest)
    return msgspec.structs.replace(configuration, storm=storm)
