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

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.errors import Conflict, InvalidAlert, NoAdapter, Permanent, RunbookError
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.inbox import SetAside, Waiting
from runbook_engine.ports import Clock, Inbox

POLL = 0.02  # seconds: so long a delivery waits at most for somebody who is idle
LONGEST_BACKOFF = 15.0
MOST_TRIES = 5  # of a delivery that makes us fail, or the process end
MOST_TOLD = 100
TELL_PERIOD = 15.0


@dataclass(slots=True)
class Deciding:
    """The thread of one process; several processes may have one, each delivery is decided once."""

    engine: Engine
    clock: Clock
    log: EventLog
    stop: threading.Event
    decided: Callable[[Receipt], None] = lambda receipt: None  # is told of every delivery, once it is durable
    first_backoff: float = 0.5  # seconds; doubled each time
    _thread: threading.Thread | None = None
    _problem: str = ""
    _told: set[int] = field(default_factory=set)
    _next_telling: float = 0.0

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

    def _go_round(self, inbox: Inbox) -> None:
        backoff, first = self.first_backoff, True
        while not self.stop.is_set():
            try:
                self._work_off(inbox, first)
                self._tell(inbox)
            except Exception as error:  # noqa: BLE001 - the edge: the journal may be away for a while
                self._say(error)
                self.stop.wait(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)
                continue
            backoff, first, self._problem = self.first_backoff, False, ""
            self.stop.wait(POLL)

    def _work_off(self, inbox: Inbox, first: bool) -> None:
        """Decide all that waits. The first one may be what ended the process before this one."""
        while not self.stop.is_set():
            waiting = self.engine.oldest_waiting()
            if waiting is None:
                return
            if first and inbox.tried(waiting.number) > MOST_TRIES:
                self._set_aside(inbox, waiting, f"the worker ended {MOST_TRIES} times while it was decided")
                continue
            first = False
            self._decide(inbox, waiting)

    def _decide(self, inbox: Inbox, waiting: Waiting) -> None:
        started = time.monotonic()
        try:
            receipt = self.engine.decide(waiting)
        except Conflict:
            return
        except InvalidAlert as error:
            self._set_aside(inbox, waiting, str(error))
            return
        except RunbookError:
            raise
        except Exception as error:
            if inbox.tried(waiting.number) < MOST_TRIES:
                raise
            self._say(error)
            self._set_aside(inbox, waiting, f"an unexpected {type(error).__name__}, {MOST_TRIES} times (see the log)")
            return
        self.decided(receipt)
        self.log.event(
            "delivery.decided",
            scope=waiting.request.scope,
            delivery=waiting.number,
            accepted=receipt.accepted,
            executions=[*receipt.opened, *receipt.joined],
            waited=round((self.clock.now() - waiting.request.received_at).total_seconds(), 3),
            ms=round((time.monotonic() - started) * 1000, 1),
        )

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
        for aside in inbox.aside(MOST_TOLD):
            if aside.number not in self._told and self._told_of(aside):
                self._told.add(aside.number)

    def _told_of(self, aside: SetAside) -> bool:
        """Return whether it need not be tried again."""
        try:
            self.engine.tell_set_aside(aside, self.clock.now())
        except RunbookError as error:
            self.log.event("delivery.set_aside.untold", "error", delivery=aside.number, **say_error(error))
            return isinstance(error, Permanent | NoAdapter)
        return True

    def _say(self, error: Exception) -> None:
        if self._problem != str(error):
            self.log.event("deciding.failed", "error", **say_error(error))
        self._problem = str(error)
