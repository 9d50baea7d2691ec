"""A breaker before the receivers: one that hangs takes two threads, and after that none, until it answers again.

Messages are sent by the threads that act. A receiver that did not answer is away for a while: it is not called, so what
is to be told waits and what is to be done does not. Then one message tries it, and the others go on when it answers.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.errors import Busy, Retryable, RunbookError
from runbook_engine.model.observation import Message
from runbook_engine.ports import Clock, Notifier

AWAY = timedelta(seconds=30)
MOST_AT_ONCE = 2  # sends to one receiver, of the eight threads of a worker
SOON = timedelta(seconds=5)
SLOW = timedelta(seconds=3)  # a failure that took longer is one of a receiver that hangs, whatever it is called


@dataclass(slots=True)
class _Line:
    """What is known of one receiver in this process."""

    sending: int = 0
    probing: bool = False
    away_since: datetime | None = None  # None = it answered last time


@dataclass(frozen=True, slots=True)
class ReceiverBreaker:
    """Tells receivers through another notifier, and spares those that do not answer."""

    notifier: Notifier
    clock: Clock
    _lines: dict[str, _Line] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the receiver's reference.

        Raises what the notifier raises; Retryable at once while the receiver is away, Busy while it is told others.
        """
        with self._place(receiver) as line:
            began = self.clock.now()
            try:
                reference = self.notifier.send(receiver, message)
            except RunbookError as error:
                now = self.clock.now()
                self._note(line, now if _hung(error, now - began) else None)
                raise
            self._note(line, None)
            return reference

    def _note(self, line: _Line, away_since: datetime | None) -> None:
        with self._guard:
            line.away_since = away_since

    @contextmanager
    def _place(self, receiver: str) -> Iterator[_Line]:
        """Hold one of the few places of a receiver. Raises Retryable when it is away, Busy when none is free."""
        with self._guard:
            line = self._lines.setdefault(receiver, _Line())
            probes = self._admit(receiver, line)
            line.sending += 1
            line.probing = line.probing or probes
        try:
            yield line
        finally:
            with self._guard:
                line.sending -= 1
                line.probing = line.probing and not probes

    def _admit(self, receiver: str, line: _Line) -> bool:
        """Return whether this send is the one that tries a receiver that was away."""
        if line.away_since is not None:
            rest = line.away_since + AWAY - self.clock.now()
            if timedelta(0) < rest <= AWAY:  # more is left only after the clock was put back
                raise _away(receiver, rest)
            if line.probing:
                raise _away(receiver, SOON)
        if line.sending >= MOST_AT_ONCE:
            seconds = int(SOON.total_seconds())
            raise Busy(f"receiver {receiver} is being told {line.sending} others; tried again in {seconds} s", SOON)
        return line.away_since is not None


def _hung(error: RunbookError, took: timedelta) -> bool:
    """Whether it did not answer. One that asks us to wait has answered, unless that took too long to be true."""
    return (isinstance(error, Retryable) and error.after is None) or took >= SLOW


def _away(receiver: str, rest: timedelta) -> Retryable:
    seconds = math.ceil(rest.total_seconds())
    return Retryable(f"receiver {receiver} did not answer lately; tried again in {seconds} s", rest)
