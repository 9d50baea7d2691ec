"""A breaker before the receivers: one that hangs takes two threads, and after that none, until it answers again.

Messages are sent by the threads that act. A receiver that did not answer is away for a while: it is not called, so what
is to be told waits and what is to be done does not. Then one message tries it, and the others go on when it answers.

A receiver may be well, and break over one message every time. So another message tries it first, and one that failed
while others passed says nothing of the receiver: only two such in a row do.
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
PATIENCE = timedelta(seconds=30)  # of a message that has failed, for another one to try the receiver first
MOST_KNOWN = 100  # messages of one receiver that are remembered
SLOW = timedelta(seconds=3)  # a failure that took longer is one of a receiver that hangs, whatever it is called


@dataclass(slots=True)
class _Line:
    """What is known of one receiver in this process."""

    sending: int = 0
    probing: bool = False
    away_since: datetime | None = None  # None = it answered last time
    failing: dict[str, None] = field(default_factory=dict)  # messages that failed since it answered last
    alone: dict[str, None] = field(default_factory=dict)  # messages that failed before others passed
    waiting: dict[str, None] = field(default_factory=dict)  # messages that were refused, and never failed

    def failed(self, message_id: str, now: datetime) -> None:
        """Note that it did not answer to a message; it is away, unless it is this message that it never answers to."""
        _remember(self.failing, message_id)
        if message_id not in self.alone or len(self.failing) > 1:
            self.away_since = now

    def answered(self, message_id: str) -> None:
        """Note that it answered to a message, so that those which failed before did so for themselves."""
        for each in self.failing:
            _remember(self.alone, each)
        self.alone.pop(message_id, None)
        self.failing.clear()
        self.waiting.clear()
        self.away_since = None

    def refused(self, message_id: str) -> None:
        """Note that a message waits for its turn."""
        if not self._has_failed(message_id):
            _remember(self.waiting, message_id)

    def rather_tries_another(self, message_id: str, now: datetime) -> bool:
        """Whether a message that failed before lets one go first that has not."""
        if self.away_since is None or not self.waiting or not self._has_failed(message_id):
            return False
        return timedelta(0) <= now - self.away_since < AWAY + PATIENCE

    def _has_failed(self, message_id: str) -> bool:
        return message_id in self.failing or message_id in self.alone


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
        with self._place(receiver, message.id) as line:
            began = self.clock.now()
            try:
                reference = self.notifier.send(receiver, message)
            except RunbookError as error:
                now = self.clock.now()
                self._note(line, message.id, now if _hung(error, now - began) else None)
                raise
            self._note(line, message.id, None)
            return reference

    def _note(self, line: _Line, message_id: str, hung_at: datetime | None) -> None:
        with self._guard:
            if hung_at is None:
                line.answered(message_id)
            else:
                line.failed(message_id, hung_at)

    @contextmanager
    def _place(self, receiver: str, message_id: str) -> Iterator[_Line]:
        """Hold one of the few places of a receiver. Raises Retryable when it is away, Busy when none is free."""
        with self._guard:
            line = self._lines.setdefault(receiver, _Line())
            try:
                probes = self._admit(receiver, line, message_id)
            except Retryable:
                line.refused(message_id)
                raise
            line.waiting.pop(message_id, None)
            line.sending += 1
            line.probing = line.probing or probes
        try:
            yield line
        finally:
            with self._guard:
                line.sending -= 1
                line.probing = line.probing and not probes

    def _admit(self, receiver: str, line: _Line, message_id: str) -> bool:
        """Return whether this send is the one that tries a receiver that was away."""
        if line.away_since is not None:
            now = self.clock.now()
            rest = line.away_since + AWAY - now
            if timedelta(0) < rest <= AWAY:  # more is left only after the clock was put back
                raise _away(receiver, rest)
            if line.probing:
                raise _away(receiver, SOON)
            if line.rather_tries_another(message_id, now):
                seconds = int(SOON.total_seconds())
                raise Busy(f"receiver {receiver} is tried with another message first; again in {seconds} s", SOON)
        if line.sending >= MOST_AT_ONCE:
            seconds = int(SOON.total_seconds())
            raise Busy(f"receiver {receiver} is being told {line.sending} others; tried again in {seconds} s", SOON)
        return line.away_since is not None


def _remember(known: dict[str, None], message_id: str) -> None:
    """Remember a message as the newest, and forget the oldest of too many."""
    known.pop(message_id, None)
    known[message_id] = None
    if len(known) > MOST_KNOWN:
        del known[next(iter(known))]


def _hung(error: RunbookError, took: timedelta) -> bool:
    """Whether it did not answer. One that asks us to wait has answered, unless that took too long to be true."""
    return (isinstance(error, Retryable) and error.after is None) or took >= SLOW


def _away(receiver: str, rest: timedelta) -> Retryable:
    seconds = math.ceil(rest.total_seconds())
    return Retryable(f"receiver {receiver} did not answer lately; tried again in {seconds} s", rest)
