"""An answer: which of several signals settled a question, and the sentence for whoever came later.

Signals have an order and nobody can change it: two people who answer within one moment are told the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Final

from runbook_engine.model.signal import Signal

SAID: Final = {"approved": "yes", "denied": "no"}


def first_answer(signals: Iterable[Signal], plan_hash: str = "") -> Signal | None:
    """Return the first yes or no, with a hash (or its beginning) the first to exactly that; None = there is none."""
    return next((each for each in signals if each.kind in SAID and each.plan_hash.startswith(plan_hash)), None)


def say_answer(answer: Signal) -> str:
    """Return who said what, and when."""
    return f"{answer.by} has said {SAID[answer.kind]} already, at {answer.at.astimezone(UTC):%H:%M:%S} UTC"
