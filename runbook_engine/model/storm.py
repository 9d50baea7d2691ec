"""A storm: more targets at once than an installation wants machines to touch; and the latch that it trips."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from runbook_engine.model.duration import say_duration

LEAST_NEWS = timedelta(seconds=10)  # what is younger in the latch is not written again: no hot spot
CALM = "calm"  # released it, if no person did


class StormRule(msgspec.Struct, frozen=True, kw_only=True):
    """Past `max_targets` targets within `within`, every change is held until a person, or `calm` without a new one."""

    max_targets: int = 50
    within: timedelta = timedelta(minutes=5)
    calm: timedelta = timedelta(minutes=15)
    receiver: str = ""  # who is paged, once; empty = whoever hears what nobody else is told
    at_a_time: int | None = None  # how many changes go on `within` after a release; None = as many as are no storm
    longest_run: timedelta = timedelta(days=1)  # so long after a release, what it let go may still change something

    @property
    def ration(self) -> int:
        """How many changes go on within `within` after a release: never more than what is no storm."""
        return min(self.max_targets if self.at_a_time is None else self.at_a_time, self.max_targets)


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """The storm latch as stored: what opened lately, and since when changes are held, if they are."""

    recent: tuple[tuple[str, datetime], ...] = ()  # targets that executions were opened for, oldest first
    held_since: datetime | None = None
    reason: str = ""
    last_at: datetime | None = None  # the newest opening while it holds
    paged: str = ""  # who was paged for the newest storm; empty = nobody, so that every run tells its own end
    released_by: str = ""  # who let it go last
    released_at: datetime | None = None
    released_because: str = ""
    version: int = 0


def held_until(latch: Latch, rule: StormRule, now: datetime) -> datetime | None:
    """Return until when changes are held, if nothing more opens; None when they are not."""
    if latch.held_since is None:
        return None
    until = calm_at(latch, rule, latch.held_since)
    return until if now < until else None


def calm_at(latch: Latch, rule: StormRule, held_since: datetime) -> datetime:
    """Return when a storm that is held since then is over by itself, if nothing more opens."""
    return (latch.last_at or held_since) + rule.calm


def say_storm(latch: Latch, rule: StormRule) -> str:
    """Return why changes are held, in words that stay the same while they are."""
    return f"{latch.reason}; changes go on after {say_duration(rule.calm)} without another, or by `runbook release`"


def add_opening(latch: Latch, rule: StormRule, target: str, now: datetime) -> Latch:
    """Return the latch after a run was opened for a target; the very same one when that is no news to it."""
    if held_until(latch, rule, now) is not None:
        newest = latch.last_at or now
        return msgspec.structs.replace(latch, last_at=now) if now - newest >= LEAST_NEWS else latch
    if latch.held_since is not None:
        latch = released(latch, by=CALM, because="", now=calm_at(latch, rule, latch.held_since))
    known = {name: at for name, at in latch.recent if now - at < rule.within}
    if target in known and now - known[target] < LEAST_NEWS:
        return latch
    known.pop(target, None)
    recent = (*known.items(), (target, now))
    if len(recent) <= rule.max_targets:
        return msgspec.structs.replace(latch, recent=recent)
    targets = f"{rule.max_targets} target{'' if rule.max_targets == 1 else 's'}"
    reason = f"more than {targets} within {say_duration(rule.within)}"
    return msgspec.structs.replace(latch, recent=recent, held_since=now, reason=reason, last_at=now)


def released(latch: Latch, *, by: str, because: str, now: datetime) -> Latch:
    """Return the latch let go; what opens from here on is counted anew."""
    return msgspec.structs.replace(
        latch,
        recent=(),
        held_since=None,
        reason="",
        last_at=None,
        released_by=by,
        released_at=now,
        released_because=because,
    )
