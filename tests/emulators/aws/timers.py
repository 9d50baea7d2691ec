"""Who sleeps until which simulated time. The threads of Step Functions park here instead of sleeping for real."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runbook_engine.testing.clock import SimulatedClock

# wait, retry, hang: time passes for them. token: a person is waited for. watch: somebody times another thread.
Kind = Literal["wait", "retry", "hang", "token", "watch"]
SLEEPING = ("wait", "retry", "hang")


@dataclass(eq=False)
class Timer:
    """One sleeper: whose it is, until when, and how it is woken."""

    kind: Kind
    owner: str
    deadline: datetime
    ring: Callable[[], None]
    due: bool = False


class Timers:
    """Everyone who is parked. Waking takes a sleeper off the list at once, so that nobody counts it as idle."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._parked: list[Timer] = []
        self._lock = threading.Lock()
        self._closed = False

    def start(self, kind: Kind, owner: str, seconds: float, ring: Callable[[], None]) -> Timer:
        """Park a sleeper; when the bed is being closed it is woken at once."""
        timer = Timer(kind, owner, self._clock.now() + timedelta(seconds=seconds), ring)
        with self._lock:
            if not self._closed:
                self._parked.append(timer)
                return timer
        timer.ring()
        return timer

    def sleep(self, kind: Kind, owner: str, seconds: float) -> bool:
        """Sleep in simulated time. Say whether the time came (False: woken by something else)."""
        woken = threading.Event()
        timer = self.start(kind, owner, seconds, woken.set)
        woken.wait()
        return timer.due

    def stop(self, timer: Timer) -> None:
        """Take a sleeper off the list without waking it."""
        with self._lock:
            if timer in self._parked:
                self._parked.remove(timer)

    def wake(self, chosen: Callable[[Timer], bool], due: bool = False) -> None:
        """Wake some sleepers now."""
        with self._lock:
            woken = [timer for timer in self._parked if chosen(timer)]
            self._parked = [timer for timer in self._parked if timer not in woken]
        for timer in woken:
            timer.due = due
            timer.ring()

    def wake_due(self) -> None:
        """Wake whose time has come."""
        now = self._clock.now()
        self.wake(lambda timer: timer.deadline <= now, due=True)

    def close(self) -> None:
        """Wake everyone, and let nobody sleep any more."""
        with self._lock:
            self._closed = True
        self.wake(lambda timer: True)

    def parked(self, owner: str) -> int:
        """Return how many threads of somebody are parked; watching another thread is not parking."""
        with self._lock:
            return sum(timer.owner == owner and timer.kind != "watch" for timer in self._parked)

    def next(self, kinds: tuple[str, ...] | None = None) -> datetime | None:
        """Return the earliest deadline, of these kinds or of all."""
        with self._lock:
            return min((timer.deadline for timer in self._parked if kinds is None or timer.kind in kinds), default=None)

    def describe(self) -> str:
        """Return who is parked, for a failed test."""
        with self._lock:
            return ", ".join(
                f"{timer.owner} ({timer.kind} until {timer.deadline.isoformat()})" for timer in self._parked
            )
