"""What is to be done at which simulated time: deliveries, asynchronous invocations, schedules."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

Task = Callable[[], None]


@dataclass(frozen=True, order=True)
class Entry:
    """One task; the smaller order of two that are due at once goes first."""

    due: datetime
    order: float
    serial: int
    task: Task


class Agenda:
    """Tasks by time. Any thread may add one; only the pump takes them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._schedules: list[tuple[datetime, timedelta, Task]] = []
        self._serial = itertools.count()
        self._lock = threading.Lock()

    def add(self, due: datetime, task: Task, order: float = 0.0) -> None:
        """Do this once, at its time."""
        with self._lock:
            self._entries.append(Entry(due, order, next(self._serial), task))

    def every(self, start: datetime, period: timedelta, task: Task) -> None:
        """Do this one period from the start, and again after each period. Nobody waits for it."""
        with self._lock:
            self._schedules.append((start + period, period, task))

    def take(self, now: datetime) -> Task | None:
        """Return the next task that is due, off the list."""
        with self._lock:
            for place, (due, period, task) in enumerate(self._schedules):
                if due <= now:
                    self._schedules[place] = (due + period, period, task)
                    return task
            entry = min(self._entries, default=None)
            if entry is None or entry.due > now:
                return None
            self._entries.remove(entry)
            return entry.task

    def next_task(self) -> datetime | None:
        """Return when the next task that somebody waits for is due."""
        with self._lock:
            return min((entry.due for entry in self._entries), default=None)

    def next_schedule(self) -> datetime | None:
        """Return when the next schedule fires."""
        with self._lock:
            return min((due for due, _, _ in self._schedules), default=None)
