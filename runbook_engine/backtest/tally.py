"""The tally: counts what is decided while a history is replayed, by runbook and by alert name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runbook_engine.intake.builder import NEVER_REMEDIATED
from runbook_engine.model.hindsight import Hindsight, Unmatched
from runbook_engine.model.incident import Arrival, Intake
from runbook_engine.model.runbook import MODES, Mode

MOST_UNMATCHED = 20
NOT_OPEN = ("closed", "superseded", "expired")
OF_THE_REPLAY = re.compile(r"\bexecution [0-9a-f]{16}\b")  # an id that nobody can look up


@dataclass(slots=True)
class RunbookTally:
    """What is counted of one runbook."""

    mode: Mode | None = None
    counts: Counter[str] = field(default_factory=Counter)
    blocked_by: Counter[str] = field(default_factory=Counter)
    blocked_later: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    hours: Counter[datetime] = field(default_factory=Counter)
    says: dict[str, str] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, what: str) -> None:
        """Count one more."""
        self.counts[what] += 1

    def matched(self, at: datetime) -> None:
        """Count an episode that the runbook matches."""
        self.add("matched")
        self.first, self.last = self.first or at, at
        self.hours[at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)] += 1

    def blocked(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Count a run that was stopped, under each of its reasons: a name, and a sentence."""
        self.add("blocked")
        for name, says in reasons:
            self.blocked_by[name] += 1
            self.says.setdefault(name, OF_THE_REPLAY.sub("an earlier run", says))

    def stopped(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Count a run that would have acted, and stopped at a later step."""
        for name, says in reasons:
            self.blocked_later[name] += 1
            self.says.setdefault(name, OF_THE_REPLAY.sub("an earlier run", says))

    def goes_as(self, mode: Mode) -> None:
        """Remember the furthest mode."""
        self.mode = max(self.mode or mode, mode, key=MODES.index)

    def hindsight(self, runbook: str) -> Hindsight:
        """Return what was counted."""
        busiest = min(self.hours, key=lambda hour: (-self.hours[hour], hour), default=None)
        return Hindsight(
            runbook=runbook,
            mode=self.mode or "",
            blocked_by=dict(self.blocked_by.most_common()),
            blocked_later=dict(self.blocked_later.most_common()),
            unknown=dict(self.unknown.most_common()),
            says=dict(self.says),
            first=self.first,
            last=self.last,
            busiest=busiest,
            busiest_episodes=0 if busiest is None else self.hours[busiest],
            **self.counts,
        )


@dataclass(slots=True)
class _Fire:
    name: str
    since: datetime
    matched: bool


class Tally:
    """Everything that is counted."""

    def __init__(self, runbooks: Iterable[str]) -> None:
        self.runbooks = {name: RunbookTally() for name in runbooks}
        self.episodes = self.matched = self.unmatched = 0
        self.names: set[str] = set()
        self._fires: dict[str, _Fire] = {}
        self._unmatched: Counter[str] = Counter()
        self._firing: Counter[str] = Counter()  # seconds

    def episode(self, arrival: Arrival, at: datetime) -> None:
        """Count an episode that begins."""
        alert = arrival.alert
        self.over(alert.alert_key, at)
        matched = bool(arrival.decisions)
        self.episodes += 1
        self.names.add(alert.name)
        self._fires[alert.alert_key] = _Fire(alert.name, at, matched)
        if matched:
            self.matched += 1
        elif alert.name not in NEVER_REMEDIATED:
            self.unmatched += 1
            self._unmatched[alert.name] += 1

    def ends(self, intake: Intake, now: datetime) -> None:
        """Note the episodes that are over."""
        for episode in intake.episodes:
            if episode.state in NOT_OPEN:
                self.over(episode.alert_key, min(episode.ends_at or now, now))

    def over(self, alert_key: str, at: datetime) -> None:
        """Note that an alert fires no more."""
        fire = self._fires.pop(alert_key, None)
        if fire is not None and not fire.matched:
            self._firing[fire.name] += max(0, round((at - fire.since).total_seconds()))

    def all_over(self, at: datetime) -> int:
        """Note that the history ends here; return how many alerts still fire."""
        firing = tuple(self._fires)
        for alert_key in firing:
            self.over(alert_key, at)
        return len(firing)

    def unmatched_top(self) -> tuple[Unmatched, ...]:
        """Return the names that no runbook matches, those with the most episodes first."""
        ordered = sorted(self._unmatched, key=lambda name: (-self._unmatched[name], -self._firing[name], name))
        return tuple(
            Unmatched(name=name, episodes=self._unmatched[name], firing=timedelta(seconds=self._firing[name]))
            for name in ordered[:MOST_UNMATCHED]
        )
