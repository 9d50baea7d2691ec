"""The inbox of the journal in memory; the journal holds the lock."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import NamedTuple

from runbook_engine.errors import Conflict
from runbook_engine.model.delivery import Request
from runbook_engine.model.inbox import Fill, SetAside, Waiting


class _Kept(NamedTuple):
    """A delivery, of how many alerts, and since when it waits."""

    request: Request
    alerts: int
    since: datetime


class MemoryInbox:
    """The deliveries of one process that wait; see `Inbox` for what each method promises."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._waiting: dict[int, _Kept] = {}
        self._aside: dict[int, tuple[SetAside, _Kept]] = {}
        self._tries: dict[int, int] = {}
        self._last = 0

    def keep(self, request: Request, alerts: int) -> int:
        """Store a delivery of so many alerts, and return its number."""
        return self._keep(_Kept(request, alerts, request.received_at))

    def oldest(self) -> Waiting | None:
        """Return the delivery that comes next; None when nothing waits."""
        with self._lock:
            number = next(iter(self._waiting), None)
            return None if number is None else Waiting(number=number, request=self._waiting[number].request)

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._waiting

    def fill(self) -> Fill:
        """Return how much waits."""
        with self._lock:
            waiting = list(self._waiting.values())
            return Fill(
                deliveries=len(waiting),
                alerts=sum(kept.alerts for kept in waiting),
                bytes=sum(len(kept.request.body) for kept in waiting),
                since=waiting[0].since if waiting else None,
                set_aside=len(self._aside),
                set_aside_bytes=sum(len(kept.request.body) for _, kept in self._aside.values()),
            )

    def tried(self, number: int) -> int:
        """Count one more try to decide what waits, and return how many there were; 0 = it no longer waits."""
        with self._lock:
            if number not in self._waiting:
                return 0
            self._tries[number] = self._tries.get(number, 0) + 1
            return self._tries[number]

    def spare(self, number: int) -> None:
        """Take one counted try back: what ended it had nothing to do with what waits."""
        with self._lock:
            self._tries[number] = max(0, self._tries.get(number, 0) - 1)

    def tidy(self) -> None:
        """There is nothing to do."""

    def set_aside(self, number: int, *, reason: str, at: datetime) -> None:
        """Let the others pass a delivery that cannot be decided. Raises Conflict when it no longer waits."""
        with self._lock:
            if number not in self._waiting:
                raise Conflict(f"delivery {number} does not wait any more")
            kept = self._waiting.pop(number)
            self._aside[number] = (SetAside.of(number, kept.request, at=at, reason=reason), kept)

    def aside(self, limit: int, after: int = 0) -> tuple[SetAside, ...]:
        """Return what was set aside, oldest first; of all with a number above `after`."""
        with self._lock:
            numbers = sorted(number for number in self._aside if number > after)
            return tuple(self._aside[number][0] for number in numbers[:limit])

    def give_back(self, number: int, at: datetime) -> int:
        """Put what was set aside behind all that waits, under a new number. Raises Conflict when it is not there."""
        with self._lock:
            return self._keep(self._taken_from_aside(number)._replace(since=at))

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

    def _keep(self, kept: _Kept) -> int:
        with self._lock:
            self._last += 1
            self._waiting[self._last] = kept
            return self._last

    def _taken_from_aside(self, number: int) -> _Kept:
        if number not in self._aside:
            raise Conflict(f"no delivery {number} was set aside")
        return self._aside.pop(number)[1]
