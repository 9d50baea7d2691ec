"""How much waits to be decided, for every front door: when it is too much, nothing new is taken in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.errors import Overloaded
from runbook_engine.model.inbox import EMPTY, Fill
from runbook_engine.ports import Clock

MOST_WAITING = 50_000  # alerts, or deliveries without any
MOST_BYTES = 256 * 1024 * 1024
MOST_ASIDE = 50_000  # deliveries, and as many bytes as may wait: until a person says, nothing of them goes away


@dataclass(slots=True)
class Backlog:
    """Counts that are believed for a moment, so that a storm of deliveries asks the journal seldom."""

    engine: Engine
    clock: Clock
    counted_for: timedelta = timedelta(seconds=1)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _counted_at: datetime | None = None
    _fill: Fill = EMPTY

    def demand_room(self) -> None:
        """Raise Overloaded when there is no room for more, or what the journal raises when it cannot count."""
        with self._guard:
            now = self.clock.now()
            if self._counted_at is None or abs(now - self._counted_at) > self.counted_for:
                self._fill = fill(self.engine)
                self._counted_at = now
            waiting = max(self._fill.alerts, self._fill.deliveries)  # there are deliveries without any alert
            if waiting >= MOST_WAITING or self._fill.bytes >= MOST_BYTES:
                what = "alerts" if waiting == self._fill.alerts else "deliveries"
                raise Overloaded(
                    f"{waiting} {what} in {self._fill.bytes >> 20} MiB wait to be decided, "
                    f"the most is {MOST_WAITING} in {MOST_BYTES >> 20} MiB"
                )
            if self._fill.set_aside >= MOST_ASIDE or self._fill.set_aside_bytes >= MOST_BYTES:
                raise Overloaded(
                    f"{self._fill.set_aside} deliveries in {self._fill.set_aside_bytes >> 20} MiB were set aside, "
                    f"the most is {MOST_ASIDE} in {MOST_BYTES >> 20} MiB (runbook inbox lists them: retry or discard)"
                )


def fill(engine: Engine) -> Fill:
    """Return how much waits in the inbox."""
    inbox = engine.journal.inbox
    return inbox.fill() if inbox is not None else EMPTY
