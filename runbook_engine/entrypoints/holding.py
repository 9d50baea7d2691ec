"""Holding: no run goes on while what was said since its alert came in waits to be decided.

A worker that was away finds deliveries of an hour in the inbox: the oldest says that an alert fires, a later one that
it is over. But runs also undo, and tell people, so an inbox that does not move stops them for a minute at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from runbook_engine.entrypoints.logs import EventLog

LONGEST = 60.0  # seconds
SHORT = 1.0  # every worker looks into the inbox first: that is nothing to speak of


@dataclass(slots=True)
class Holding:
    """Whether a worker holds its runs, and for how long it has."""

    is_behind: Callable[[], bool]
    log: EventLog
    _since: float | None = None  # monotonic
    _said: bool = False

    def holds(self) -> bool:
        """Return whether nothing more may be driven now."""
        if not self.is_behind():
            self._since, self._said = None, False
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        held = now - self._since
        if held > SHORT and not self._said:
            self._said = True
            self.log.event("worker.holds", "warning", longest=LONGEST, says="deliveries that came in long ago wait")
        return held < LONGEST
