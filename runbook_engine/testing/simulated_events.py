"""Simulated events: what a simulated cluster says happened."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.model.observation import ClusterEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults


class SimulatedEvents:
    """The events of targets, as a test tells them."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._events: list[tuple[str, ClusterEvent]] = []

    def add(self, target: Target, event: ClusterEvent) -> None:
        """Let something have happened to a target or to one of its pods."""
        self._events.append((target.key, event))

    def events(self, target: Target, since: datetime) -> tuple[ClusterEvent, ...]:
        """Return the events of a target since then, newest first."""
        self._faults.look("events.events")
        now = self._clock.now()
        found = [event for key, event in self._events if key == target.key and since <= event.at <= now]
        return tuple(sorted(found, key=lambda event: event.at, reverse=True))
