"""The ration: which changes it is for after a storm, how much it has, and how long it lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Budget, Verdict
from runbook_engine.model.ration import RATION, hold, let_go_at, ration_of, say_ration, say_turn
from runbook_engine.model.storm import CALM, Latch, StormRule, add_opening, released
from tests.unit.machine.story import opened

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE = StormRule(max_targets=20, at_a_time=5, longest_run=40 * MINUTE)
HELD = Latch(held_since=NOON, last_at=NOON + 5 * MINUTE, reason="more than 20 targets within 5m")
FREE = released(HELD, by="ann", because="one rack", now=NOON + 10 * MINUTE)
AGAIN = Latch(held_since=NOON + 30 * MINUTE, last_at=NOON + 30 * MINUTE, released_at=NOON + 10 * MINUTE)


@pytest.mark.parametrize(
    ("latch", "opened", "now", "taken"),
    [
        pytest.param(Latch(), 0, 60, False, id="none when there never was a storm"),
        pytest.param(HELD, 0, 19, False, id="none while the storm is held, since nothing is changed then"),
        pytest.param(HELD, 0, 20, True, id="from the moment of calm, although nobody has stored it yet"),
        pytest.param(FREE, 0, 10, True, id="at the very moment at which a person lets go"),
        pytest.param(FREE, 0, 600, True, id="for ever for a run that was opened before"),
        pytest.param(FREE, 10, 600, True, id="for ever for a run that was opened at that moment"),
        pytest.param(FREE, 11, 49, True, id="for a newer run while an older one may still change something"),
        pytest.param(FREE, 11, 50, False, id="no longer for a newer run when all of the older must be over"),
        pytest.param(AGAIN, 0, 31, False, id="none while the next storm is held"),
        pytest.param(AGAIN, 0, 45, True, id="again when the next storm is calm"),
    ],
)
def test_a_change_is_rationed(latch: Latch, opened: int, now: int, taken: bool) -> None:
    """By when its run was opened, and when the storm was let go."""
    ration = ration_of(latch, RULE, opened_at=NOON + opened * MINUTE, now=NOON + now * MINUTE)

    assert (Budget(RATION, 5 * MINUTE, 5, counts_own=True) if taken else None) == ration


@pytest.mark.parametrize(
    ("most", "wanted", "ration"),
    [
        pytest.param(20, None, 20, id="as many as are no storm when nothing is said"),
        pytest.param(20, 3, 3, id="as few as the installation says"),
        pytest.param(20, 30, 20, id="never more than is no storm, whatever is said"),
    ],
)
def test_the_ration_has(most: int, wanted: int | None, ration: int) -> None:
    """So many changes within the time in which a storm is counted."""
    assert ration == StormRule(max_targets=most, at_a_time=wanted).ration


def test_calm_lets_go_at_its_own_moment_however_late_the_next_run_opens() -> None:
    """So that what opens first afterwards is newer than the release."""
    stored = add_opening(HELD, RULE, "new", NOON + 90 * MINUTE)

    assert (CALM, NOON + 20 * MINUTE) == (stored.released_by, stored.released_at)
    assert NOON + 20 * MINUTE == let_go_at(stored, RULE, NOON + 90 * MINUTE)


def test_why_a_change_waits_is_said_in_words_that_stay_the_same() -> None:
    """Else every look would be news."""
    said = "it was let go, and no more than 1 change goes on within 5m; this one waits for its turn"
    assert said == say_ration(1, 5 * MINUTE)


@pytest.mark.parametrize(
    ("waiting", "room", "late"),
    [
        pytest.param(9001, 50, 8801, id="nearly all of nine thousand with a deadline of twenty minutes"),
        pytest.param(200, 50, 0, id="none when the last turn comes in time"),
        pytest.param(201, 50, 1, id="one when one is too many"),
        pytest.param(150, 0, 0, id="none when there is no room at first, and enough later"),
        pytest.param(0, 50, 0, id="none of none"),
    ],
)
def test_those_are_late_whose_deadline_comes_before_their_turn(waiting: int, room: int, late: int) -> None:
    """Fifty within five minutes: at once, after five, ten and fifteen."""
    run = replace(opened(), opened_at=NOON, deadline_at=NOON + 20 * MINUTE)

    held = hold([run] * waiting, StormRule(), room=room, now=NOON)

    assert (waiting, min(room, waiting), late) == (held.runs, len(held.first), late)
    assert late == held.late


def test_a_run_that_is_late_leaves_its_turn_to_the_next() -> None:
    """Those of an hour have their turn when those of a minute are over."""
    short = [replace(opened(), opened_at=NOON, deadline_at=NOON + MINUTE)] * 100
    long = [replace(opened(), opened_at=NOON + MINUTE, deadline_at=NOON + 60 * MINUTE)] * 5

    assert 100 == hold([*short, *long], RULE, room=0, now=NOON).late


@pytest.mark.parametrize(
    ("latch", "said"),
    [
        pytest.param(HELD, "storm: held", id="as it was said while the storm is held"),
        pytest.param(
            FREE,
            "storm: it was let go, and no more than 5 changes go on within 5m; this one waits for its turn; too soon",
            id="that it waits for its turn once it was let go, although it has not looked again",
        ),
    ],
)
def test_a_run_that_a_storm_held_says(latch: Latch, said: str) -> None:
    """What else it waits for stays."""
    storm = Verdict(guardrail="storm", ok=False, says="storm: held")
    soon = Verdict(guardrail="cooldown", ok=False, says="too soon")
    reason = "storm: held" if latch is HELD else "storm: held; too soon"
    verdicts = (storm,) if latch is HELD else (storm, soon)
    run: Execution = replace(opened(), resume_at=NOON, verdicts=verdicts, waiting_for=reason)

    assert said == say_turn(run, latch, RULE, NOON + 11 * MINUTE).waiting_for
