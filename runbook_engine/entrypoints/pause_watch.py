"""The pause watch: a pause that runs out by itself is said aloud, since changes start again with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.errors import NoAdapter, Permanent, RunbookError
from runbook_engine.model.observation import Pause

PERIOD = 15.0  # seconds
NEWS = timedelta(hours=1)  # so long somebody whose receiver was away is still told


@dataclass(slots=True)
class PauseWatch:
    """Looks every now and then whether a pause that was in force is over without anybody having ended it."""

    engine: Engine
    log: EventLog
    _looked_at: datetime | None = None
    _untold: Pause | None = None
    _next: float = field(default=0.0)

    def look(self, now: datetime) -> None:
        """Say that a pause ended since the last look; what cannot be read counts as paused, and is said too."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD
        before, self._looked_at = self._looked_at, now
        try:
            ended = self._ended_since(before, now)
            untold = self._still_untold(now)
        except RunbookError as error:
            self._looked_at = before
            self.log.event("pause.unreadable", "error", **say_error(error))
            return
        if ended is not None:
            self._untold = None if say_pause_ended(self.engine, ended, now, self.log) else ended
        elif untold is not None and tell_pause_ended(self.engine, untold, now, self.log):
            self._untold = None

    def _still_untold(self, now: datetime) -> Pause | None:
        """Return the pause whose end nobody could be told yet, while that is news: another one makes it none."""
        untold = self._untold
        if untold is None or now - untold.until >= NEWS or self.engine.world.pauses.pause(now) is not None:
            self._untold = None
        return self._untold

    def _ended_since(self, before: datetime | None, now: datetime) -> Pause | None:
        """Return the pause that held at the last look and has run out; one that somebody lifted is not there."""
        reader = self.engine.world.pauses
        known = reader.pause(before) if before is not None else None
        return known if known is not None and reader.pause(now) is None else None


def say_pause_ended(engine: Engine, pause: Pause, now: datetime, log: EventLog) -> bool:
    """Log that a pause has run out, and page when alerts fire; return whether it need not be tried again."""
    log.event("pause.ended", "warning", until=pause.until.isoformat(), by=pause.by)
    return tell_pause_ended(engine, pause, now, log)


def tell_pause_ended(engine: Engine, pause: Pause, now: datetime, log: EventLog) -> bool:
    """Page when alerts fire; return whether it need not be tried again."""
    try:
        engine.tell_pause_ended(pause, now)
    except RunbookError as error:
        log.event("pause.ended.untold", "error", **say_error(error))
        return isinstance(error, Permanent | NoAdapter)
    return True
