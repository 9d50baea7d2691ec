"""A clock that stands still until it is pushed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class SimulatedClock:
    """Simulated time: it never runs by itself and never runs backwards."""

    def __init__(self, start: datetime = EPOCH) -> None:
        if start.tzinfo is None:
            raise ValueError("a simulated clock starts at an aware datetime (add a time zone)")
        self.start = start
        self._now = start
        self._ticks: list[tuple[timedelta, Callable[[datetime], None]]] = []

    def now(self) -> datetime:
        """Return the simulated present."""
        return self._now

    def push(self, by: timedelta) -> datetime:
        """Let time pass; return the new present."""
        return self.push_to(self._now + by)

    def push_to(self, instant: datetime) -> datetime:
        """Let time pass until an instant, calling on the way whoever asked to be called."""
        if instant < self._now:
            raise ValueError(f"time does not run backwards: it is {self._now.isoformat()}, not {instant.isoformat()}")
        while upcoming := [self._next(period) for period, _ in self._ticks if self._next(period) <= instant]:
            self._now = min(upcoming)
            for period, call in self._ticks:
                if (self._now - self.start) % period == timedelta(0):
                    call(self._now)
        self._now = instant
        return instant

    def every(self, period: timedelta, call: Callable[[datetime], None]) -> None:
        """Call a function at every multiple of the period that time passes."""
        self._ticks.append((period, call))

    def _next(self, period: timedelta) -> datetime:
        return self.start + ((self._now - self.start) // period + 1) * period
