"""The draft: what has been decided so far of one delivery; later alerts see what earlier ones did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from runbook_engine.machine.notices import put
from runbook_engine.machine.signals import joined_signal
from runbook_engine.model.alert import SEVERITY_NUMBERS, Alert
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution, Member
from runbook_engine.model.group import Group
from runbook_engine.model.incident import Arrival, Incident, Intake
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal, SignalKind
from runbook_engine.model.standing import Standing
from runbook_engine.model.storm import Latch

MOST_NAMES = 1_000  # of alerts that ever joined an incident: it is written whole with every delivery that touches it


@dataclass(slots=True)
class TouchedIncident:
    """An incident that a delivery touches. Its lists are keys here: a storm adds thousands of alerts to one."""

    stored: Incident
    open_alerts: dict[str, None]
    expired_alerts: dict[str, None]
    alert_keys: dict[str, None]
    execution_ids: dict[str, None]

    @classmethod
    def of(cls, incident: Incident) -> TouchedIncident:
        """Return an incident as it is stored, ready to be touched; of all that ever joined, with the newest.

        Which alerts are open is never cut: it decides when the incident is resolved. Nothing is decided by who ever
        joined; but a journal that stores a large delivery in parts must find all its alerts among them.
        """
        return cls(
            incident,
            dict.fromkeys(incident.open_alerts),
            dict.fromkeys(incident.expired_alerts),
            dict.fromkeys(incident.alert_keys[-MOST_NAMES:]),
            dict.fromkeys(incident.execution_ids),
        )

    def fires(self, alert: Alert, now: datetime) -> None:
        """Take a firing alert in."""
        severity = max(self.stored.severity, alert.severity, key=SEVERITY_NUMBERS.__getitem__)
        again = replace(self.stored, severity=severity, last_firing_at=now, resolved_at=None)
        self.stored = replace(again, closed_at=None, closed_by="", closed_because="")  # it was not over
        self.open_alerts[alert.alert_key] = None
        self.expired_alerts.pop(alert.alert_key, None)
        self._names(alert.alert_key)

    def ends(self, alert_key: str, now: datetime, *, resolved: bool) -> None:
        """Take an alert that is over out; the last one to resolve ends the incident, unless one only expired."""
        self.open_alerts.pop(alert_key, None)
        self.expired_alerts.pop(alert_key, None)
        self._names(alert_key)
        if not resolved:
            self.expired_alerts[alert_key] = None
        elif not self.open_alerts and not self.expired_alerts and self.stored.closed_at is None:
            self.stored = replace(self.stored, resolved_at=now)

    def _names(self, alert_key: str) -> None:
        """Name an alert as the newest."""
        self.alert_keys.pop(alert_key, None)
        self.alert_keys[alert_key] = None

    def incident(self) -> Incident:
        """Return the incident as it is to be stored."""
        return replace(
            self.stored,
            open_alerts=tuple(self.open_alerts),
            expired_alerts=tuple(self.expired_alerts),
            alert_keys=tuple(self.alert_keys),
            execution_ids=tuple(self.execution_ids),
        )


@dataclass(slots=True)
class Draft:
    """What has been decided so far of one delivery; later alerts see what earlier ones did."""

    episodes: dict[str, Episode]
    holders: dict[str, str]
    followers: dict[str, tuple[str, ...]]
    incidents: dict[str, TouchedIncident] = field(default_factory=dict)  # by id
    newest: dict[str, str] = field(default_factory=dict)  # incident key -> id
    stored: dict[str, Incident | None] = field(default_factory=dict)  # incident key -> the newest one that is stored
    groups: dict[str, Group] = field(default_factory=dict)  # by runbook
    firing_groups: dict[str, bool] = field(default_factory=dict)  # of those that were refused, by id
    touched: dict[str, Episode] = field(default_factory=dict)
    opened: dict[str, Execution] = field(default_factory=dict)  # by slot
    members: dict[str, list[Member]] = field(default_factory=dict)  # by slot: those that joined what was opened
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    joined: list[tuple[str, str, Signal]] = field(default_factory=list)
    signals: list[tuple[str, Signal]] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)  # by runbook, of those that were about to open
    counted_at: datetime | None = None  # when what is opened counts towards a storm; None = when the alerts came
    room: int | None = None  # how many runs may open; None: nobody has asked yet
    latch: Latch | None = None  # None: nothing opened that could trip it
    latch_moved: bool = False
    page: tuple[str, str, datetime] | None = None  # who hears that the latch was tripped, what, and when

    def follow(self, alert_key: str, execution_id: str) -> None:
        """Let an execution hear of what else this delivery says of its alert."""
        self.followers[alert_key] = tuple(dict.fromkeys((*self.followers.get(alert_key, ()), execution_id)))

    def intake(self) -> Intake:
        """Return everything that was decided, as one value."""
        return Intake(
            episodes=tuple(self.touched.values()),
            incidents=tuple(touched.incident() for touched in self.incidents.values()),
            groups=tuple(self.groups.values()),
            opened=self._paging([_with_members(each, self.members.get(slot)) for slot, each in self.opened.items()]),
            runbooks=tuple(self.runbooks.values()),
            joined=tuple(self.joined),
            signals=tuple(self.signals),
            arrivals=tuple(self.arrivals),
            latch=self.latch if self.latch_moved else None,
        )

    def _paging(self, opened: list[Execution]) -> tuple[Execution, ...]:
        """Return what is opened, with the page of a storm in the outbox of the run whose alert was taken first.

        A journal that stores a large delivery in parts stores the latch with it: neither is ever there by itself.
        """
        if self.page is None:
            return tuple(opened)
        receiver, text, at = self.page
        taken = {alert_key: number for number, alert_key in enumerate(self.touched)}
        counted = [index for index, each in enumerate(opened) if each.counted]
        first = min(counted, key=lambda index: min(taken[each.alert_key] for each in opened[index].members))
        opened[first] = put(opened[first], "storm", receiver, at, text)
        return tuple(opened)

    def join(self, slot: str, holder: str, member: Member) -> None:
        """Let an alert join what holds the slot: by a signal, or at once when this very delivery opened it."""
        if slot in self.opened:
            self.members.setdefault(slot, []).append(member)
            return
        self.joined.append((slot, holder, joined_signal(member)))

    def open(self, execution: Execution, runbook: Runbook) -> None:
        """Open an execution, which has its first member already."""
        self.opened[execution.slot] = execution
        self.runbooks[runbook.digest] = runbook

    def tell_followers(self, kind: SignalKind, episode: Episode, at: datetime) -> None:
        """Tell every execution that the alert has joined."""
        signal = Signal(kind=kind, at=at, alert_key=episode.alert_key, episode_id=episode.episode_id, name=episode.name)
        self.signals.extend((execution_id, signal) for execution_id in self.followers.get(episode.alert_key, ()))


def _with_members(execution: Execution, joined: list[Member] | None) -> Execution:
    """Return an execution with all that joined it in the delivery that opened it."""
    return replace(execution, members=(*execution.members, *joined)) if joined else execution
