"""Judging one call through a proxy that lies: the right answer or an error that the port promises, within its time.

Every call is made once undisturbed, which tells how many requests it takes and what is right. Then each of its requests
in turn goes wrong in every way there is.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, Unreadable
from tests.chaos.dependencies.proxy import FAULTS, Asked, Fault, Proxy
from tests.chaos.tally import LONG, SEED, Tally, keep

SURELY_NOT_DONE = (Conflict, Permanent, Retryable)
SAMPLE = 2  # kinds of faults that each call meets in the gate
MOST_ENDLESS = 40 * 1024 * 1024  # bytes that a client may take in of an answer without end


@dataclass(frozen=True)
class Look:
    """Something that only looks, and answers the same whenever it is asked."""

    name: str
    call: Callable[[], Any]
    raises: tuple[type[Exception], ...] = (Unreadable,)


@dataclass(frozen=True)
class Write:
    """Something that changes a target of its own: `fresh` arranges one, and returns the call and the count of effects.

    `again`: a second delivery is harmless, so that whoever is in doubt says Retryable.
    """

    name: str
    fresh: Callable[[], tuple[Callable[[], Any], Callable[[], int]]]
    raises: tuple[type[Exception], ...] = (Conflict, Permanent, Retryable, EffectUnknown)
    again: bool = False
    repeats: bool = False  # it is sent again by the adapter itself, so that two may arrive


@dataclass
class Strike:
    """Lets the requests from the nth on go wrong, as many as told."""

    fault: Fault
    first: int
    times: int
    _number: count[int] = field(default_factory=count)

    def __call__(self, asked: Asked) -> Fault | None:
        """Decide for one request."""
        return self.fault if self.first <= next(self._number) < self.first + self.times else None


@dataclass
class Judge:
    """Judges the calls of one adapter, and keeps count."""

    adapter: str
    proxy: Proxy
    limit: float  # seconds that one call may take at most, with all its own tries
    spare: Callable[[str, Fault], bool] = lambda name, fault: False  # what cannot be known, and is documented so
    lot: random.Random = field(default_factory=lambda: random.Random(SEED))
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def look(self, look: Look) -> None:
        """Let every request of a look go wrong in every way."""
        right, requests = self._undisturbed(look.call)
        for fault, first, times in self._strikes(requests):
            if self.spare(look.name, fault):
                continue
            with_fault = f"{look.name}, {fault} at request {first + 1} of {requests}"
            raised, answer = self._struck(look.call, Strike(fault, first, times), with_fault)
            if raised is None and answer != right:
                self.wrong.append(f"{with_fault}: answers {answer!r}, right is {right!r}")
            if raised is not None and not isinstance(raised, look.raises):
                self.wrong.append(f"{with_fault}: raises {type(raised).__name__}: {raised}")

    def write(self, write: Write) -> None:
        """Let every request of a change go wrong in every way, each time on a target of its own."""
        call, effects = write.fresh()
        before = effects()
        _, requests = self._undisturbed(call)
        assert effects() == before + 1, f"{write.name}: undisturbed, it has one effect"
        for fault, first, times in self._strikes(requests):
            if self.spare(write.name, fault):
                continue
            self._judge(write, Strike(fault, first, times), requests)
        with_refusals = f"{write.name}, nobody listens"
        call, effects = write.fresh()
        before = effects()
        with self.proxy.gone():
            raised, _ = self._called(call, with_refusals)
        if not isinstance(raised, Retryable) or effects() != before:
            self.wrong.append(f"{with_refusals}: {type(raised).__name__}, {effects() - before} effects")

    def settle(self) -> Tally:
        """Leave the row, and assert that nothing was wrong."""
        row = Tally(
            host=self.adapter,
            fault="single faults at the port",
            tries=self.counted["tries"],
            effects=self.counted["effects"],
            lost=self.counted["lost"],
            doubled=self.counted["doubled"],
            doubtful=self.counted["doubtful"],
            remark=f"{len(FAULTS)} kinds, each request of each call" if LONG else "a sample",
        )
        keep(row)
        assert not self.wrong, "\n".join([f"seed {SEED}", *self.wrong])
        assert row.sound, row
        assert self.proxy.sent_endlessly < MOST_ENDLESS, f"{self.proxy.sent_endlessly} bytes were taken in"
        return row

    def _judge(self, write: Write, strike: Strike, requests: int) -> None:
        call, effects = write.fresh()
        before = effects()
        what = f"{write.name}, {strike.fault} at request {strike.first + 1} of {requests}"
        raised, answer = self._struck(call, strike, what)
        time.sleep(0.01)  # what was forwarded arrives
        made = effects() - before
        if raised is not None and not isinstance(raised, write.raises):
            self.wrong.append(f"{what}: raises {type(raised).__name__}: {raised}")
        self.counted["effects"] += made > 0 or raised is None
        if made > 1 and not write.repeats:
            self._count("doubled", f"{what}: {made} effects")
        if raised is None and made == 0 and not (isinstance(answer, dict) and answer.get("unchanged")):
            self._count("lost", f"{what}: it says {answer!r}, and nothing happened")
        if isinstance(raised, SURELY_NOT_DONE) and made and not (write.again and isinstance(raised, Retryable)):
            self._count("lost", f"{what}: {type(raised).__name__}, and it happened: {raised}")
        self.counted["doubtful"] += isinstance(raised, EffectUnknown)

    def _count(self, what: str, says: str) -> None:
        self.counted[what] += 1
        self.wrong.append(says)

    def _strikes(self, requests: int) -> list[tuple[Fault, int, int]]:
        """Return what is to go wrong: everything at every request, or in the gate a sample with the last one in it."""
        every = [(fault, first, times) for fault in FAULTS for first in range(requests) for times in (1, 99)]
        if LONG:
            return every
        kinds = self.lot.sample(FAULTS, SAMPLE)
        return [(fault, self.lot.choice([requests - 1, self.lot.randrange(requests)]), 1) for fault in kinds]

    def _undisturbed(self, call: Callable[[], Any]) -> tuple[Any, int]:
        self.proxy.decide = lambda asked: None
        before = len(self.proxy.done)
        try:
            answer = call()
        except (Unreadable, Retryable):  # this machine was busy for longer than the patience here
            before = len(self.proxy.done)
            answer = call()
        return answer, len(self.proxy.done) - before

    def _struck(self, call: Callable[[], Any], strike: Strike, what: str) -> tuple[Exception | None, Any]:
        self.proxy.decide = strike
        try:
            return self._called(call, what)
        finally:
            self.proxy.decide = lambda asked: None

    def _called(self, call: Callable[[], Any], what: str) -> tuple[Exception | None, Any]:
        self.counted["tries"] += 1
        began = time.monotonic()
        try:
            return None, call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
            return error, None
        finally:
            took = time.monotonic() - began
            if took > self.limit:
                self.wrong.append(f"{what}: took {took:.1f}s, {self.limit:g}s is the most")
