"""Room: how many more runs may open. Beyond it alerts are recorded like any other, and open none.

What is said of alerts is never refused for want of room: runs would act on what is over if nobody heard a resolve.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from runbook_engine.model.execution import ENDED
from runbook_engine.ports import Journal

TOO_MANY = "as many runs are open as may be"
COUNTED_FOR = 1.0  # seconds that a count is believed; what was opened here since then is counted besides


@dataclass(slots=True)
class Room:
    """The room that is left in one journal."""

    journal: Journal
    most: int
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _counted_at: float = float("-inf")
    _open: int = 0

    def left(self) -> int:
        """Return how many more runs may open; it may be less than none."""
        with self._guard:
            if time.monotonic() - self._counted_at > COUNTED_FOR:
                self._open = open_executions(self.journal)
                self._counted_at = time.monotonic()
            return self.most - self._open

    def take(self, runs: int) -> None:
        """Count runs that are about to open."""
        with self._guard:
            self._open += runs

    @property
    def refusal(self) -> str:
        """Why an alert opened no run."""
        return (
            f"{TOO_MANY}, {self.most} (limits.maxOpenExecutions): none was opened for this alert, look at it yourself "
            "(it opens one when it fires anew and there is room)"
        )


def open_executions(journal: Journal) -> int:
    """Return how many executions have not ended."""
    ended = {f"executions.{status}" for status in ENDED}
    return sum(
        count for name, count in journal.counts().items() if name.startswith("executions.") and name not in ended
    )
