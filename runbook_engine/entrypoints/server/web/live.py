"""Live: tells pages that something may have changed, by server-sent events. What it is, they ask themselves.

All who listen share one look at the journal a second. They hold a thread each, so only half of the threads may; the
others are told to come again, and a page that is told so asks for itself now and then. Who listens is let go after a
minute, and comes back by itself: so a thread is never lost to a browser that has gone to sleep.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from flask import Blueprint, Response, request

from runbook_engine.entrypoints.backlog import fill
from runbook_engine.entrypoints.server.web.answers import HEADERS, NEVER_KEPT
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.door import Door
from runbook_engine.errors import Overloaded, RunbookError

LOOK = 1.0  # seconds that one look at the journal is believed
PAUSE_LOOK = 5.0  # the kill switch may be kept far away
BEAT = 15.0  # seconds of silence after which a listener hears that somebody is there
LIFE = 60.0  # seconds
NEWEST, ACTIVE = 20, 100
TICK = timedelta(seconds=30)  # ages, limits and signals change without anybody writing anything
AWAY = "the journal cannot be read now"


@dataclass(slots=True)
class Pulse:
    """The newest look, for every listener of this process."""

    desk: WebDesk
    seconds: Callable[[], float] = time.monotonic
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = float("-inf")
    _mark: str = ""
    _pause_read_at: float = float("-inf")
    _pause: str = ""

    def mark(self) -> str:
        """Return what differs once anything on a page may have changed; empty = that cannot be told now."""
        with self._guard:
            if self.seconds() - self._looked_at >= LOOK:
                self._mark = self._look()
                self._looked_at = self.seconds()
            return self._mark

    def _look(self) -> str:
        now = self.desk.clock.now()
        try:
            seen = msgspec.json.encode([*self._of_journal(), self._of_pause(now), int(now.timestamp() // TICK.seconds)])
        except RunbookError:
            return ""
        return hashlib.sha256(seen).hexdigest()[:16]

    def _of_journal(self) -> list[object]:
        journal = self.desk.engine.journal
        executions = {
            each.id: each.version
            for each in (*journal.executions(limit=NEWEST), *journal.executions(limit=ACTIVE, active_only=True))
        }
        incidents = {each.id: each.version for each in journal.incidents(limit=ACTIVE)}
        counts = dict(sorted(journal.counts().items()))
        return [counts, executions, incidents, journal.latch(), journal.next_due(), fill(self.desk.engine)]

    def _of_pause(self, now: datetime) -> str:
        """A kill switch that cannot be read is something to show, not a journal that is away."""
        if self.seconds() - self._pause_read_at >= PAUSE_LOOK:
            try:
                self._pause = repr(self.desk.pause[0].pause(now))
            except RunbookError as error:
                self._pause = type(error).__name__
            self._pause_read_at = self.seconds()
        return self._pause


@dataclass(slots=True)
class Listeners:
    """Those who listen in this process."""

    most: int
    stopping: threading.Event
    life: float = LIFE
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    def enter(self) -> Callable[[], None]:
        """Take a place, and return what gives it back, once. Raises Overloaded when there is none."""
        with self._guard:
            if self._number >= self.most or self.stopping.is_set():
                raise Overloaded("too many pages listen", timedelta(seconds=10))
            self._number += 1
        left = threading.Lock()

        def leave() -> None:
            if left.acquire(blocking=False):
                with self._guard:
                    self._number -= 1

        return leave

    def told(self, pulse: Pulse) -> Iterator[str]:
        """Yield events until it is time to go: at first how things stand, then whatever changes."""
        yield "retry: 2000\n\n"
        began = spoke = time.monotonic()
        last: str | None = None
        while not self.stopping.is_set() and time.monotonic() - began < self.life:
            mark = pulse.mark()
            if mark != last:
                yield f"event: changed\ndata: {mark}\n\n" if mark else f"event: away\ndata: {AWAY}\n\n"
                last, spoke = mark, time.monotonic()
            elif time.monotonic() - spoke >= BEAT:
                yield ": still here\n\n"
                spoke = time.monotonic()
            self.stopping.wait(LOOK)


def live_routes(routes: Blueprint, door: Door, pulse: Pulse, listeners: Listeners) -> None:
    """Add the route that pages listen to."""

    @routes.get("/live")
    def live() -> Response:
        door.demand("read")
        headers = HEADERS | NEVER_KEPT | {"X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(b"", 200, headers, content_type="text/event-stream")
        leave = listeners.enter()
        response = Response(listeners.told(pulse), 200, headers, content_type="text/event-stream")
        response.call_on_close(leave)
        return response
