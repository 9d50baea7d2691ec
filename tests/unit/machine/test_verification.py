"""Probes add up to fixed, not fixed, or cannot be told; and polling never steps over an instant that decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.machine.verification import LONGEST_INTERVAL, Answer, add_probe, begin
from runbook_engine.model.check import Check, QueryCheck
from tests.unit.machine.story import DARK, NO, START, YES

HELD = QueryCheck(
    query="errors", comparison="below", value=0.02, hold_for=timedelta(seconds=15), timeout=timedelta(minutes=2)
)
SHORT = QueryCheck(query="latency", comparison="below", value=1.0, timeout=timedelta(seconds=30))
STOPS = QueryCheck(query="errors", comparison="below", value=0.02, timeout=timedelta(minutes=2), no_data="stop")
WORDS = {"y": YES, "n": NO, "-": DARK}


def probe(checks: tuple[Check, ...], *probes: tuple[int, str]) -> Answer:
    """Return what probes add up to: each the second at which it is made, and one letter for each check."""
    verification = begin("final", checks, START, timedelta(0))
    answer: Answer = "go on"
    for second, letters in probes:
        assert answer == "go on", "nobody probes after the answer"
        readings = tuple(WORDS[letter] for letter in letters)
        verification, answer = add_probe(verification, checks, readings, START + timedelta(seconds=second))
    return answer


@pytest.mark.parametrize(
    ("checks", "probes", "answer"),
    [
        pytest.param((HELD,), [(0, "y")], "go on", id="one good sample is not fixed"),
        pytest.param((HELD,), [(0, "y"), (14, "y")], "go on", id="nearly held"),
        pytest.param((HELD,), [(0, "y"), (15, "y")], "fixed", id="held"),
        pytest.param((HELD,), [(0, "y"), (10, "n"), (15, "y")], "go on", id="a bad sample starts the hold again"),
        pytest.param((HELD,), [(0, "y"), (10, "-"), (15, "y")], "go on", id="so does a gap"),
        pytest.param((HELD,), [(0, "n"), (119, "n")], "go on", id="not fixed yet"),
        pytest.param((HELD,), [(0, "n"), (120, "n")], "not fixed", id="not fixed in time"),
        pytest.param((HELD,), [(0, "n"), (119, "y"), (130, "y")], "go on", id="a hold may outlast the time limit"),
        pytest.param((HELD,), [(0, "n"), (119, "y"), (134, "y")], "fixed", id="and then it is fixed"),
        pytest.param((HELD,), [(0, "n"), (119, "y"), (125, "n")], "not fixed", id="unless it breaks"),
        pytest.param((HELD,), [(0, "-"), (119, "-")], "go on", id="no data holds"),
        pytest.param((HELD,), [(0, "-"), (120, "-")], "cannot tell", id="no data at the time limit"),
        pytest.param((STOPS,), [(0, "-")], "cannot tell", id="no data stops at once where the author says so"),
        pytest.param((HELD, SHORT), [(0, "yy"), (15, "yy")], "fixed", id="all hold"),
        pytest.param((HELD, SHORT), [(0, "yn"), (15, "yn")], "go on", id="one does not pass yet"),
        pytest.param((HELD, SHORT), [(0, "yn"), (30, "yn")], "not fixed", id="the shorter time limit ends it"),
        pytest.param((HELD, SHORT), [(0, "n-"), (30, "n-")], "cannot tell", id="cannot tell weighs more than no"),
        pytest.param((HELD, SHORT), [(0, "-n"), (30, "-n")], "not fixed", id="the one that cannot be told has time"),
    ],
)
def test_probes_add_up(checks: tuple[Check, ...], probes: list[tuple[int, str]], answer: Answer) -> None:
    """Only a held yes of every check is fixed."""
    assert answer == probe(checks, *probes)


@given(
    hold=st.integers(0, 40),
    timeout=st.integers(1, 300),
    letters=st.text("yn-", min_size=1, max_size=80),
)
def test_polling_never_steps_over_the_end_of_a_hold_or_of_the_time(hold: int, timeout: int, letters: str) -> None:
    """The next probe is later than this one, soon, and not past an instant at which the answer changes."""
    check = QueryCheck(
        query="errors",
        comparison="below",
        value=1,
        hold_for=timedelta(seconds=hold),
        timeout=timedelta(seconds=timeout),
    )
    verification, at, answer = begin("final", (check,), START, timedelta(0)), START, "go on"
    for letter in letters:
        verification, answer = add_probe(verification, (check,), (WORDS[letter],), at)
        if answer != "go on":
            return
        since = verification.passing_since[0]
        end = since + check.hold_for if since is not None else START + check.timeout
        assert at < verification.not_before <= at + LONGEST_INTERVAL
        assert end <= at or verification.not_before <= end
        at = verification.not_before


def test_the_time_of_a_verification_starts_when_the_change_has_settled() -> None:
    """A slow start eats no time limit."""
    verification = begin("step", (HELD,), START, timedelta(seconds=30))

    assert START + timedelta(seconds=30) == verification.not_before == verification.started_at
