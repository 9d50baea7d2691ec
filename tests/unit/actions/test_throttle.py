"""Throttle: a bound for the function as a whole, and its absence restored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.actions.throttle import ACTION, ThrottleParams
from runbook_engine.errors import Permanent
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

LIVE = Target("function", "", "", "orders:live")
WHOLE = Target("function", "", "", "orders")


def world(concurrency: int | None = None) -> SimulatedWorld:
    """Return a world with one function."""
    simulated = SimulatedWorld()
    simulated.add_function("orders", aliases={"live": 8}, concurrency=concurrency)
    return simulated


def prepare(simulated: SimulatedWorld, concurrency: int, target: Target = LIVE) -> Change | None:
    """Prepare a bound."""
    return ACTION.prepare(ThrottleParams(concurrency=concurrency), target, simulated.world)


@pytest.mark.parametrize(
    ("before", "wanted", "asks"),
    [
        pytest.param(None, 5, False, id="none so far"),
        pytest.param(50, 5, False, id="less than before"),
        pytest.param(5, 50, False, id="more than before"),
        pytest.param(50, 0, True, id="stopping it asks a person, whatever the mode"),
    ],
)
def test_prepare_changes_the_function_as_a_whole(before: int | None, wanted: int, asks: bool) -> None:
    """Whatever alias is meant: two runbooks that throttle one function meet at one lock."""
    change = prepare(world(before), wanted)

    assert change is not None
    assert (change.target, change.field, change.before, change.after) == (WHOLE, "concurrency", before, wanted)
    assert change.asks is asks


def test_prepare_returns_none_when_it_is_bound_so_already() -> None:
    """Nothing to do."""
    assert prepare(world(5), 5) is None


def test_prepare_refuses_to_start_what_somebody_stopped() -> None:
    """Zero was somebody's decision."""
    with pytest.raises(Permanent) as refused:
        prepare(world(0), 5)

    assert str(refused.value) == (
        "cannot throttle function/orders: it is stopped, and starting what somebody stopped is for a person (remove "
        "its reserved concurrency by hand first)"
    )


def test_apply_fails_when_too_little_would_be_left_for_others() -> None:
    """The account keeps some calls for functions without a bound of their own."""
    simulated = world()
    change = prepare(simulated, 950)
    assert change is not None

    with pytest.raises(Permanent) as refused:
        ACTION.apply(change, "key", simulated.effects)

    assert str(refused.value) == "cannot reserve 950 for function/orders: 50 would be left, 100 must be"


def test_apply_overwrites_nothing_when_somebody_has_bound_it_since() -> None:
    """Their bound stays."""
    simulated = world(50)
    change = prepare(simulated, 5)
    assert change is not None
    simulated.functions.state_of(WHOLE).concurrency = 20

    outcome = ACTION.apply(change, "key", simulated.effects)

    assert outcome == Outcome.conflict("concurrency of function/orders is 20, not 50: nothing was written")


@given(before=st.none() | st.integers(1, 400), wanted=st.integers(0, 400))
def test_undo_restores_the_number_or_its_absence(before: int | None, wanted: int) -> None:
    """Whatever it was before, it is again."""
    simulated = world(before)
    change = prepare(simulated, wanted)
    if change is None:
        assert before == wanted
        return
    ACTION.apply(change, "key", simulated.effects)

    undo = change.inverse()
    receipt = ACTION.apply(undo, "key", simulated.effects).receipt

    assert simulated.functions.seen(WHOLE).concurrency == before
    assert ACTION.observe(undo, receipt, simulated.world).status == "done"


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(5, Progress.done("concurrency of function/orders is 5"), id="bound"),
        pytest.param(None, Progress.absent("concurrency of function/orders is still absent"), id="never written"),
        pytest.param(
            9,
            Progress.superseded("concurrency of function/orders is 9, not 5: somebody else has changed it"),
            id="bound otherwise since",
        ),
    ],
)
def test_observe_reads_the_bound_back(live: int | None, expected: Progress) -> None:
    """It holds at once."""
    simulated = world()
    change = prepare(simulated, 5)
    assert change is not None
    simulated.functions.state_of(WHOLE).concurrency = live

    assert ACTION.observe(change, {}, simulated.world) == expected
