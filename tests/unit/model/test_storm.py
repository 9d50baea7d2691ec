"""The storm latch: when it trips, how long it holds, and what is no news to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from runbook_engine.model.storm import Latch, StormRule, add_opening, held_until, released, say_storm
from tests.length import examples

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
RULE = StormRule(max_targets=2)


def after(*openings: tuple[str, timedelta]) -> Latch:
    """Return the latch after these targets, each so long after noon."""
    latch = Latch()
    for target, at in openings:
        latch = add_opening(latch, RULE, target, NOON + at)
    return latch


def test_latch_holds_nobody_while_there_are_no_more_targets_than_allowed() -> None:
    """Two are allowed."""
    latch = after(("a", MINUTE), ("b", MINUTE), ("a", 2 * MINUTE))

    assert held_until(latch, RULE, NOON + 2 * MINUTE) is None
    assert (("b", NOON + MINUTE), ("a", NOON + 2 * MINUTE)) == latch.recent


def test_latch_holds_from_the_target_that_is_one_too_many() -> None:
    """It says why, in words that stay the same, and until when if nothing more comes."""
    latch = after(("a", SECOND), ("b", SECOND), ("c", MINUTE), ("d", MINUTE))

    assert NOON + MINUTE == latch.held_since
    assert NOON + 16 * MINUTE == held_until(latch, RULE, NOON + MINUTE)
    said = "more than 2 targets within 5m; changes go on after 15m without another, or by `runbook release`"
    assert said == say_storm(latch, RULE)


def test_latch_counts_only_what_opened_within_the_window() -> None:
    """A target every five minutes is no storm."""
    latch = after(("a", 0 * MINUTE), ("b", 5 * MINUTE), ("c", 10 * MINUTE), ("d", 15 * MINUTE))

    assert latch.held_since is None
    assert (("d", NOON + 15 * MINUTE),) == latch.recent


def test_latch_is_the_very_same_when_there_is_no_news() -> None:
    """So that a storm does not write one item a thousand times a second."""
    counted = after(("a", MINUTE))
    held = after(("a", MINUTE), ("b", MINUTE), ("c", MINUTE))

    assert add_opening(counted, RULE, "a", NOON + MINUTE + 9 * SECOND) is counted
    assert add_opening(held, RULE, "d", NOON + MINUTE + 9 * SECOND) is held
    assert NOON + MINUTE + 10 * SECOND == add_opening(held, RULE, "d", NOON + MINUTE + 10 * SECOND).last_at


def test_latch_holds_longer_when_more_comes_and_lets_go_when_it_is_calm() -> None:
    """Fifteen minutes after the newest; the next opening stores that it let go, and counts anew."""
    held = after(("a", MINUTE), ("b", MINUTE), ("c", MINUTE), ("d", 10 * MINUTE))

    assert NOON + 25 * MINUTE == held_until(held, RULE, NOON + 24 * MINUTE)
    assert held_until(held, RULE, NOON + 25 * MINUTE) is None
    calm = add_opening(held, RULE, "e", NOON + 25 * MINUTE)
    assert (None, "calm", (("e", NOON + 25 * MINUTE),)) == (calm.held_since, calm.released_by, calm.recent)


def test_latch_that_a_person_released_counts_anew() -> None:
    """It says who, when and why."""
    held = after(("a", MINUTE), ("b", MINUTE), ("c", MINUTE))

    free = released(held, by="ann", because="it is one rack", now=NOON + 2 * MINUTE)

    assert held_until(free, RULE, NOON + 2 * MINUTE) is None
    assert ("ann", "it is one rack", NOON + 2 * MINUTE) == (
        free.released_by,
        free.released_because,
        free.released_at,
    )
    assert add_opening(free, RULE, "d", NOON + 3 * MINUTE).held_since is None


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(some.lists(some.tuples(some.sampled_from("abcdefgh"), some.integers(0, 200)), max_size=60))
def test_no_more_targets_open_within_the_window_than_allowed_while_it_holds_nobody(
    steps: list[tuple[str, int]],
) -> None:
    """Whatever opens when, up to the throttle of refreshing a target that was counted seconds ago."""
    latch, now, free = Latch(), NOON, list[tuple[str, datetime]]()
    for target, wait in steps:
        now += wait * SECOND
        latch = add_opening(latch, RULE, target, now)
        if held_until(latch, RULE, now) is None:
            free.append((target, now))
        else:
            free.clear()
        within = RULE.within - timedelta(seconds=10)
        assert len({name for name, at in free if now - at < within}) <= RULE.max_targets
