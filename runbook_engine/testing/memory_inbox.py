"""The inbox of the journal in memory; the journal holds the lock."""

from __future__ import annotations

import threading
from datetime import datetime

from runbook_engine.errors import Conflict
from runbook_engine.model.delivery import Request
from runbook_engine.model.inbox import Fill, SetAside, Waiting


class MemoryInbox:
    """The deliveries of one process that wait; see `Inbox` for what each method promises."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._waiting: dict[int, tuple[Request, int]] = {}
        self._aside: dict[int, tuple[SetAside, int]] = {}
        self._tries: dict[int, int] = {}
        self._last = 0

    def keep(self, request: Request, alerts: int) -> int:
        """Store a delivery of so many alerts, and return its number."""
        with self._lock:
            self._last += 1
            self._waiting[self._last] = (request, alerts)
            return self._last

    def oldest(self) -> Waiting | None:
        """Return the delivery that comes next; None when nothing waits."""
        with self._lock:
            number = next(iter(self._waiting), None)
            return None if number is None else Waiting(number=number, request=self._waiting[number][0])

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._waiting

    def fill(self) -> Fill:
        """Return how much waits."""
        with self._lock:
            waiting = list(self._waiting.values())
            return Fill(
                deliveries=len(waiting),
                alerts=sum(alerts for _, alerts in waiting),
                bytes=sum(len(request.body) for request, _ in waiting),
                since=waiting[0][0].received_at if waiting else None,
                set_aside=len(self._aside),
            )

    def tried(self, number: int) -> int:
        """Count one more try to decide what waits, and return how many there were; 0 = it no longer waits."""
        with self._lock:
            if number not in self._waiting:
                return 0
            self._tries[number] = self._tries.get(number, 0) + 1
            return self._tries[number]

    def set_aside(self, number: int, *, reason: str, at: datetime) -> None:
        """Let the others pass a delivery that cannot be decided. Raises Conflict when it no longer waits."""
        with self._lock:
            if number not in self._waiting:
                raise Conflict(f"delivery {number} does not wait any more")
            request, alerts = self._waiting.pop(number)
            self._aside[number] = (SetAside(number=number, at=at, reason=reason, request=request), alerts)

    def aside(self, limit: int) -> tuple[SetAside, ...]:
        """Return what was set aside, oldest first."""
        with self._lock:
            return tuple(self._aside[number][0] for number in sorted(self._aside)[:limit])

    def give_back(self, number: int) -> int:
        """Put what was set aside behind all that waits, under a new number. Raises Conflict when it is not there."""
        with self._lock:
            aside, alerts = self._taken_from_aside(number)
            return self.keep(aside.request, alerts)

    def discard(self, number: int) -> None:
        """Throw away what was set aside. Raises Conflict when it is not there."""
        with self._lock:
            self._taken_from_aside(number)

    def refuse_decided(self, number: int) -> None:
        """Raise Conflict unless this is the oldest that waits; 0 is none."""
        if number and number != next(iter(self._waiting), None):
            raise Conflict(f"delivery {number} was decided by somebody else")

    def leave(self, number: int) -> None:
        """Take a delivery out that `refuse_decided` has let pass."""
        self._waiting.pop(number, None)

    def _taken_from_aside(self, number: int) -> tuple[SetAside, int]:
        if number not in self._aside:
            raise Conflict(f"no delivery {number} was set aside")
        return self._aside.pop(number)
