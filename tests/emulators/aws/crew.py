"""The threads of executions: whose each is, and which of them only wait for another. So idle can be told from busy.

A thread hands its execution on to the threads it starts. Whoever ends a wait counts the waiting thread as working
again before it does anything else, so that no moment looks idle between the two.
"""

import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

from tests.emulators.aws.timers import Timer, Timers


class Crew:
    """How many threads work for each execution, and how many of those are blocked by others."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self._threads: Counter[str] = Counter()
        self._blocked: Counter[str] = Counter()
        self._current = threading.local()
        self._lock = threading.Lock()

    @property
    def owner(self) -> str:
        """Return the execution that this thread works for; empty when for none."""
        return getattr(self._current, "owner", "")

    def work_for(self, owner: str) -> None:
        """Let this thread work for an execution from now on."""
        self._current.owner = owner

    def idle(self, owner: str) -> bool:
        """Say whether every thread of an execution sleeps, or waits for one that does."""
        parked = self.timers.parked(owner)
        with self._lock:
            return self._threads[owner] > 0 and self._threads[owner] - self._blocked[owner] <= parked

    def count(self, owner: str, threads: int = 0, blocked: int = 0) -> None:
        """Change the numbers of one execution."""
        with self._lock:
            self._threads[owner] += threads
            self._blocked[owner] += blocked


def event_class(crew: Crew) -> type[threading.Event]:
    """Return an event whose waiting thread counts as blocked, and whose time limit is simulated."""

    class Event(threading.Event):
        def __init__(self) -> None:
            super().__init__()
            self._guard = threading.Lock()
            self._waiting = ""
            self._answered = False

        def set(self) -> None:
            self._answered = True
            self._release()

        def wait(self, timeout: float | None = None) -> bool:
            with self._guard:
                if not self.is_set():
                    self._waiting = crew.owner
                    crew.count(crew.owner, blocked=1)
            timer: Timer | None = None
            if timeout is not None:
                timer = crew.timers.start("watch", crew.owner, timeout, self._release)
            super().wait()
            if timer is not None:
                crew.timers.stop(timer)
            return self._answered

        def _release(self) -> None:
            with self._guard:
                if self._waiting:
                    crew.count(self._waiting, blocked=-1)
                    self._waiting = ""
                super().set()

    return Event


def thread_class(crew: Crew) -> type[threading.Thread]:
    """Return a thread that works for the execution of whoever starts it, and whose joining is waiting as above."""
    event = event_class(crew)

    class Thread(threading.Thread):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self._owner = crew.owner
            self._over = event()

        def start(self) -> None:
            crew.count(self._owner, threads=1)
            super().start()

        def run(self) -> None:
            crew.work_for(self._owner)
            try:
                super().run()
            finally:
                self._over.set()
                crew.count(self._owner, threads=-1)

        def join(self, timeout: float | None = None) -> None:
            if not crew.owner:
                super().join(timeout)
            elif self._over.wait(timeout):
                super().join()

    return Thread


def threading_with(**replaced: Any) -> SimpleNamespace:
    """Return the module threading with some of its names replaced."""
    return SimpleNamespace(**(vars(threading) | replaced))
