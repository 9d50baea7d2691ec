"""Who waits: when each run of a replay wants to be looked at, and who is looked at as soon as somebody lets go."""

from __future__ import annotations

import heapq
from datetime import datetime

from runbook_engine.ports import Clock


class Waiting:
    """Runs that wait for an instant, or for others to let go of a lock or to end before them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[datetime, str]] = []
        self._parked: dict[str, None] = {}

    def next_due(self) -> datetime | None:
        """Return when the first of them wants to be looked at."""
        return self._due[0][0] if self._due else None

    def pop(self) -> str:
        """Return the one that is due first, which waits no more."""
        return heapq.heappop(self._due)[1]

    def until(self, instant: datetime, execution_id: str) -> None:
        """Let a run wait for an instant; one that is over is now."""
        heapq.heappush(self._due, (max(instant, self._clock.now()), execution_id))

    def for_others(self, execution_id: str, at_most: datetime) -> None:
        """Let a run wait for others, and no longer than until then."""
        self._parked[execution_id] = None
        self.until(at_most, execution_id)

    def wake(self) -> None:
        """Let everybody look again who waits for others."""
        for execution_id in self._parked:
            self.until(self._clock.now(), execution_id)
        self._parked.clear()
