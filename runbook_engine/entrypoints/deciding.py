"""Deciding: one thread that goes through the inbox in order, and decides what each delivery means.

What cannot be reached is tried again for as long as it takes: the others wait behind it, and the front door says so
when there are too many. What is the delivery's own fault, or ours, does not hold the others up for ever: it is set
aside, and somebody is paged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.errors import (
    Conflict,
    InvalidAlert,
    NoAdapter,
    Overloaded,
    Permanent,
    Retryable,
    RunbookError,
    Unreadable,
)
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.inbox import SetAside, Waiting
from runbook_engine.ports import Clock, Inbox

POLL = 0.02  # seconds: so long a delivery waits at most for somebody who is idle, and was not woken
LONGEST_BACKOFF = 15.0
MOST_TRIES = 5  # of a delivery that makes us fail, or the process end
MOST_TOLD = 100  # at once
TELL_PERIOD = 15.0
CROWD_PERIOD = 600.0
BEHIND = timedelta(seconds=10)  # what came in longer ago may be taken back by what came in since
AWAY = (Unreadable, Overloaded, Retryable)  # the journal, not the delivery: it only has to wait


@dataclass(slots=True)
class Deciding:
    """The thread of one process; several processes may have one, each delivery is decided once."""

    engine: Engine
    clock: Clock
    log: EventLog
    stop: threading.Event
    decided: Callable[[Receipt], None] = lambda receipt: None  # is told of every delivery, once it is durable
    first_backoff: float = 0.5  # seconds; doubled each time
    rest: Callable[[float], object] | None = None  # rests so many seconds at most: who can be woken, ends it sooner
    _thread: threading.Thread | None = field(default=None, init=False)
    _backoff: float = field(default=0.0, init=False)
    _problem: str = field(default="", init=False)
    _began: bool = field(default=False, init=False)  # this process has taken its first delivery in hand
    _counted: int = field(default=0, init=False)  # the delivery that this counted as a try of
    _looked: bool = field(default=False, init=False)
    _came: datetime | None = field(default=None, init=False)  # when the oldest was received, as far as is known
    _told: int = field(default=0, init=False)  # the newest that was set aside of which somebody was told
    _next_telling: float = field(default=0.0, init=False)
    _lost: int = field(default=0, init=False)  # the last that somebody else was said to have decided
    _crowded: int = 0  # alerts that opened no run for want of room, and of which nobody was told
    _crowd_told: float = float("-inf")

    def start(self) -> None:
        """Begin; the thread ends with `stop`, and does not keep the process alive."""
        inbox = self.engine.journal.inbox
        if inbox is not None:
            self._thread = threading.Thread(target=self._go_round, args=(inbox,), name="deciding", daemon=True)
            self._thread.start()

    def join(self, patience: float) -> bool:
        """Wait for the delivery in hand, once `stop` is set. Returns whether it is done, within the patience."""
        if self._thread is not None:
            self._thread.join(patience)
        return self._thread is None or not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Return whether somebody decides, where there is anything to decide."""
        return self._thread is None or self._thread.is_alive()

    def is_behind(self) -> bool:
        """Return whether what is decided now came in a while ago: nobody knows yet what has been said since."""
        if self._thread is None or not self._looked:
            return self._thread is not None
        came = self._came
        return came is not None and self.clock.now() - came > BEHIND

    def _go_round(self, inbox: Inbox) -> None:
        self._backoff = self.first_backoff
        while not self.stop.is_set():
            try:
                self._work_off(inbox)
            except Exception as error:  # noqa: BLE001 - the edge: the journal may be away for a while
                self._say(error)
                self.stop.wait(self._backoff)
                self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
                continue
            self._is_well()
            (self.rest or self.stop.wait)(POLL)

    def _work_off(self, inbox: Inbox) -> None:
        """Decide all that waits. The first one may be what ended the process before this one."""
        while not self.stop.is_set():
            self._tell(inbox)
            inbox.tidy()
            waiting = self.engine.oldest_waiting()
            self._came = waiting.request.received_at if waiting is not None else None
            self._looked = True
            if waiting is None:
                return
            if self._was_the_end(inbox, waiting):
                self._set_aside(inbox, waiting, f"the worker ended {MOST_TRIES} times while it was decided")
            else:
                self._decide(inbox, waiting)

    def _was_the_end(self, inbox: Inbox, waiting: Waiting) -> bool:
        """Return whether a delivery has ended too many processes. Each counts the first one that it finds, once."""
        if self._began:
            return False
        tries = inbox.tried(waiting.number)
        self._began, self._counted = True, waiting.number
        return tries > MOST_TRIES

    def _decide(self, inbox: Inbox, waiting: Waiting) -> None:
        started = time.monotonic()
        try:
            receipt = self.engine.decide(waiting)
        except InvalidAlert as error:
            self._set_aside(inbox, waiting, str(error))
            return
        except AWAY:
            self._spare(inbox, waiting)
            raise
        except Exception as error:
            if isinstance(error, Conflict) and self._lost != waiting.number:
                self._lost = waiting.number  # somebody else has decided it; if it still waits then, nobody has
                return
            self._spare(inbox, waiting)
            if inbox.tried(waiting.number) < MOST_TRIES:
                raise
            self._say(error)
            self._set_aside(inbox, waiting, f"an unexpected {type(error).__name__}, {MOST_TRIES} times (see the log)")
            return
        self._is_well()
        self._crowded += receipt.crowded
        self.decided(receipt)
        self.log.event(
            "delivery.decided",
            scope=waiting.request.scope,
            delivery=waiting.number,
            accepted=receipt.accepted,
            executions=[*receipt.opened, *receipt.joined],
            crowded=receipt.crowded,
            waited=round((self.clock.now() - waiting.request.received_at).total_seconds(), 3),
            ms=round((time.monotonic() - started) * 1000, 1),
        )

    def _is_well(self) -> None:
        self._backoff, self._problem = self.first_backoff, ""

    def _spare(self, inbox: Inbox, waiting: Waiting) -> None:
        """Take back the try that was counted in case it would end this process: it did not."""
        if self._counted == waiting.number:
            inbox.spare(waiting.number)
            self._counted = 0

    def _set_aside(self, inbox: Inbox, waiting: Waiting, reason: str) -> None:
        try:
            inbox.set_aside(waiting.number, reason=reason, at=self.clock.now())
        except Conflict:
            return
        self._next_telling = 0.0
        self.log.event("delivery.set_aside", "error", scope=waiting.request.scope, delivery=waiting.number, says=reason)

    def _tell(self, inbox: Inbox) -> None:
        """Page for all that is aside, once in this process; a receiver that is away is tried again."""
        if time.monotonic() < self._next_telling:
            return
        self._next_telling = time.monotonic() + TELL_PERIOD
        self._tell_crowded()
        for aside in inbox.aside(MOST_TOLD, after=self._told):
            if not self._told_of(aside):
                return
            self._told = aside.number

    def _tell_crowded(self) -> None:
        """Page for the alerts that opened no run for want of room, once in a while with all of them."""
        if not self._crowded or time.monotonic() < self._crowd_told + CROWD_PERIOD:
            return
        alerts, now = self._crowded, self.clock.now()
        if self._told_to(lambda: self.engine.tell_crowded(alerts, now), "alerts.crowded.untold", alerts=alerts):
            self._crowded, self._crowd_told = self._crowded - alerts, time.monotonic()

    def _told_of(self, aside: SetAside) -> bool:
        now = self.clock.now()
        return self._told_to(
            lambda: self.engine.tell_set_aside(aside, now), "delivery.set_aside.untold", delivery=aside.number
        )

    def _told_to(self, tell: Callable[[], None], otherwise: str, **about: int) -> bool:
        """Return whether it need not be tried again."""
        try:
            tell()
        except RunbookError as error:
            self.log.event(otherwise, "error", **about, **say_error(error))
            return isinstance(error, Permanent | NoAdapter)
        return True

    def _say(self, error: Exception) -> None:
        if self._problem != str(error):
            self.log.event("deciding.failed", "error", **say_error(error))
        self._problem = str(error)
