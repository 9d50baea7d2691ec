"""Recording: decide and store, and decide again when somebody else was faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from runbook_engine.errors import StaleVersion
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Journal

MOST_TRIES = 50  # in a storm every delivery touches the same incident, and somebody else's is always the faster
LONGEST_PAUSE = 0.05  # seconds
NOTHING = Intake()


def give_way(attempt: int) -> None:
    """Let the others of a storm finish first: for longer after every attempt, and never all for the same time."""
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.001 * 2 ** min(attempt, 10))))


@dataclass(frozen=True, slots=True)
class Recorder:
    """Stores what was decided, in one journal."""

    journal: Journal
    give_way: Callable[[int], None] = give_way

    def record(self, build: Callable[[], Intake], announce: Callable[[Intake], None] = lambda intake: None) -> Intake:
        """Build and store; when somebody was faster, look again. Raises StaleVersion after many tries."""
        for attempt in range(MOST_TRIES - 1):
            try:
                return self._once(build, announce)
            except StaleVersion:
                self.give_way(attempt)
        return self._once(build, announce)

    def _once(self, build: Callable[[], Intake], announce: Callable[[Intake], None]) -> Intake:
        intake = build()
        announce(intake)
        if intake != NOTHING:
            self.journal.record(intake)
        return intake
