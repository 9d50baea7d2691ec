"""The simulated clock: it stands still, and it does not run backwards."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from runbook_engine.testing.clock import EPOCH, SimulatedClock


def test_clock_stands_still_when_not_pushed() -> None:
    """Reading the time does not change it."""
    clock = SimulatedClock()

    assert clock.now() == clock.now() == EPOCH


def test_clock_moves_when_pushed() -> None:
    """By a span, or to an instant."""
    clock = SimulatedClock()

    clock.push(timedelta(seconds=90))

    assert clock.push_to(EPOCH + timedelta(minutes=2)) == clock.now() == EPOCH + timedelta(minutes=2)


def test_clock_refuses_when_pushed_back() -> None:
    """An instant in the past is a mistake of the test."""
    clock = SimulatedClock()

    with pytest.raises(ValueError, match="time does not run backwards: it is 2026-01-05T09:00:00"):
        clock.push(timedelta(seconds=-1))


def test_clock_refuses_when_the_start_has_no_zone() -> None:
    """Naive times are how hours get lost."""
    with pytest.raises(ValueError, match="add a time zone"):
        SimulatedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


def test_clock_calls_at_every_multiple_when_asked() -> None:
    """Whoever asked is called at its own instants, and sees them as the present."""
    clock, seen = SimulatedClock(), []
    clock.every(timedelta(seconds=15), lambda at: seen.append((at == clock.now(), (at - EPOCH).total_seconds())))
    clock.every(timedelta(seconds=20), lambda at: seen.append((at == clock.now(), (at - EPOCH).total_seconds())))

    clock.push(timedelta(seconds=44))

    assert seen == [(True, 15), (True, 20), (True, 30), (True, 40)]
