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

    @property
    def longest(self) -> timedelta:
        """How long after the release the last of them comes to its turn, if nothing else is changed and all wait."""
        left = self.runs - len(self.first)
        return -(-left // self.at_a_time) * self.within


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
