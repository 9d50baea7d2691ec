"""Hindsight as values: what runbooks would have done in a stretch of history, and what a change of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The stretch of time that was looked at, and how often somebody looked (None = every notification is known)."""

    since: datetime
    until: datetime
    step: timedelta | None = None


class Unmatched(msgspec.Struct, frozen=True, kw_only=True):
    """The alerts of one name that no runbook matches."""

    name: str
    episodes: int
    firing: timedelta


class Hindsight(msgspec.Struct, frozen=True, kw_only=True):
    """What one runbook would have done. Episodes are counted in `matched`, `joined` and `refused`, runs in the rest."""

    runbook: str
    mode: str  # the furthest that any of its runs could have gone; empty = it had none
    matched: int = 0
    joined: int = 0  # episodes that joined a run which was there already
    came_back: int = 0  # of those: within the hold time, so that the run would have been handed over
    would_act: int = 0
    would_tell: int = 0  # of steps that only tell somebody
    would_propose: int = 0
    would_ask: int = 0
    would_observe: int = 0
    resolved_first: int = 0  # its alerts were over before it could do anything
    undecided: int = 0  # still waiting when the history ends
    blocked: int = 0
    blocked_by: Mapping[str, int] = {}
    blocked_later: Mapping[str, int] = {}  # runs of a sequence that would have acted, and stopped at a later step
    says: Mapping[str, str] = {}  # the first sentence for each reason
    flapping: int = 0  # runs that went no further than propose because their alert flapped
    unknown: Mapping[str, int] = {}  # what nobody can know now, and the number of runs that would have asked for it
    first: datetime | None = None
    last: datetime | None = None
    busiest: datetime | None = None  # the hour with the most matched episodes
    busiest_episodes: int = 0


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What these runbooks would have done in a stretch of history."""

    window: Window
    episodes: int
    names: int  # different alert names
    began_before: int
    still_firing: int
    matched: int
    rejected: int  # alerts that no delivery of which could be used
    runbooks: tuple[Hindsight, ...]
    unmatched: tuple[Unmatched, ...]  # most episodes first
    unmatched_episodes: int
    assumptions: tuple[str, ...]

    @property
    def heartbeats(self) -> int:
        """Episodes of alerts that always fire, which no runbook is asked about."""
        return self.episodes - self.matched - self.unmatched_episodes

    @property
    def would_act(self) -> int:
        """Runs that would have changed something."""
        return sum(each.would_act for each in self.runbooks)

    @property
    def blocked(self) -> int:
        """Runs that a guardrail, a target or a group would have stopped before their first change."""
        return sum(each.blocked for each in self.runbooks)


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is planned otherwise, and for how many alerts; empty text = it is not there."""

    what: str
    before: str
    after: str
    alerts: int
    example: str


class RunbookDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the alerts of one runbook, by number of alerts."""

    runbook: str
    gained: int = 0
    lost: int = 0
    changed: int = 0
    same: int = 0
    changes: tuple[PlanChange, ...] = ()  # those of the most alerts first
    more_changes: int = 0  # that are not listed
    gained_examples: tuple[str, ...] = ()
    lost_examples: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of runbooks changes for the alerts of a history."""

    before: str
    after: str
    alerts: int
    distinct: int
    rejected: int
    added: tuple[str, ...]  # runbooks that are new
    removed: tuple[str, ...]
    runbooks: tuple[RunbookDifference, ...]  # those with a difference
    without_effect: tuple[str, ...]  # written otherwise, and no alert of the history is treated otherwise
    unchanged: int

    @property
    def differs(self) -> bool:
        """Whether anything at all is different for the alerts, or a runbook came or went."""
        return bool(self.added or self.removed or self.runbooks)
