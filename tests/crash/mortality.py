"""Dying on purpose: at the n-th place where a crash is worth trying, in this process or as SIGKILL.

Places are the executor's own checkpoints, before every commit, and both sides of all else that is sent or stored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from runbook_engine.model.observation import Message
from runbook_engine.ports import Effects, Journal, Notifier
from tests.length import LONG

REPEATED = frozenset({"leased", "before-commit", "rested"})  # passed again with every look, a hundred times in a run
STRIDE = 7  # prime to the two and three places of one look, so that none of them is left out


class Killed(BaseException):
    """The process is gone, as far as this test goes."""


def places_to_die(passed: Sequence[str]) -> tuple[int, ...]:
    """Return where to die of the places that a run passes: by night everywhere.

    In the gate it is every place around an intent, a change, a message, a signal and a delivery, with the places right
    before and after it, the first and the last of every kind, and each seventh of those where it only looks or waits.
    """
    numbered = tuple(enumerate(passed, 1))
    if LONG:
        return tuple(number for number, _ in numbered)
    rare = {number for number, name in numbered if name not in REPEATED}
    beside = {number + step for number in rare for step in (-1, 1)}
    firsts = {name: number for number, name in reversed(numbered)}.values()
    lasts = {name: number for number, name in numbered}.values()
    sampled = set(range(1, len(passed) + 1, STRIDE))
    return tuple(number for number, _ in numbered if number in rare | beside | sampled | {*firsts, *lasts})


def die(name: str) -> None:
    """Leave as a dead process leaves: nothing after this line happens."""
    raise Killed(name)


def kill(name: str) -> None:
    """Be killed, for real."""
    os.kill(os.getpid(), signal.SIGKILL)


class Mortality:
    """Counts the places that were passed; dies at those that were ordered, by number (the first is 1) or by name."""

    def __init__(self, *deaths: int | str, by: Callable[[str], None] = die) -> None:
        self.passed: list[str] = []
        self.died_at: list[str] = []
        self._deaths = frozenset(deaths)
        self._by = by

    def __call__(self, name: str) -> None:
        """Pass one place, or not."""
        self.passed.append(name)
        if {len(self.passed), name} & self._deaths:
            self.died_at.append(name)
            self._by(name)


class MortalJournal:
    """A journal around whose writes one may die. What it does is the inner journal's business."""

    def __init__(self, inner: Journal, mortality: Mortality) -> None:
        self._inner = inner
        self._mortality = mortality

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in ("commit", "record", "signal"):
            return found

        def mortal(*arguments: Any, **named: Any) -> Any:
            self._mortality(f"before-{name}")
            answer = found(*arguments, **named)
            if name != "commit":  # after a commit, the executor passes a checkpoint of its own
                self._mortality(f"after-{name}")
            return answer

        return mortal


class MortalNotifier:
    """A notifier around whose deliveries one may die."""

    def __init__(self, inner: Notifier, mortality: Mortality) -> None:
        self._inner = inner
        self._mortality = mortality

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, if still alive."""
        self._mortality("before-send")
        reference = self._inner.send(receiver, message)
        self._mortality("after-send")
        return reference


def mortal_effects(effects: Effects, mortality: Mortality) -> Effects:
    """Return the same hands; changes have checkpoints around them already."""
    return replace(effects, notifier=MortalNotifier(effects.notifier, mortality))
