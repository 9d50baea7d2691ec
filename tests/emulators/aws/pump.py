"""Moves the bed: does what is due, waits until nothing runs, and pushes the clock to the next thing that waits."""

import time
from datetime import datetime, timedelta

from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws.agenda import Agenda
from tests.emulators.aws.machines import Machines
from tests.emulators.aws.timers import SLEEPING, Timers

POLL = 0.002


class Pump:
    """The only one who lets time pass. Runs in the thread of the test."""

    def __init__(self, clock: SimulatedClock, agenda: Agenda, timers: Timers, machines: Machines) -> None:
        self._clock = clock
        self._agenda = agenda
        self._timers = timers
        self._machines = machines

    def settle(self, timeout: float) -> None:
        """Do all that is due now, until every execution is over or parked."""
        deadline = time.monotonic() + timeout
        while True:
            while task := self._agenda.take(self._clock.now()):
                task()
            busy = self._machines.busy()
            if not busy and self._nothing_due():
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"still running after {timeout:g} s: {', '.join(busy)}")
            time.sleep(POLL)

    def wait_idle(self, timeout: float, within: timedelta) -> None:
        """Let time pass until nothing waits any more but people."""
        horizon = self._clock.now() + within
        deadline = time.monotonic() + timeout
        self.settle(timeout)
        while (wanted := earliest(self._agenda.next_task(), self._timers.next(SLEEPING))) is not None:
            if wanted > horizon:
                raise AssertionError(f"not idle within {within} of simulated time: {self._timers.describe()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not idle after {timeout:g} s: {self._timers.describe()}")
            self._push(self._next() or wanted, deadline - time.monotonic())

    def advance(self, by: timedelta, timeout: float) -> None:
        """Let exactly so much time pass, stopping at everything that is due on the way."""
        horizon = self._clock.now() + by
        deadline = time.monotonic() + timeout
        self.settle(timeout)
        while (instant := self._next()) is not None and instant <= horizon:
            self._push(instant, deadline - time.monotonic())
        self._push(horizon, deadline - time.monotonic())

    def _push(self, instant: datetime, timeout: float) -> None:
        self._clock.push_to(max(instant, self._clock.now()))
        self._timers.wake_due()
        self.settle(max(timeout, 0.0))

    def _next(self) -> datetime | None:
        return earliest(self._agenda.next_task(), self._agenda.next_schedule(), self._timers.next())

    def _nothing_due(self) -> bool:
        instant = earliest(self._agenda.next_task(), self._agenda.next_schedule())
        return instant is None or instant > self._clock.now()


def earliest(*instants: datetime | None) -> datetime | None:
    """Return the first of some times, if there is any."""
    return min((instant for instant in instants if instant is not None), default=None)
