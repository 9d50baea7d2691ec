"""Canary: a share of the calls for a second version, and the end of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_engine.actions.canary import ACTION, CanaryParams
from runbook_engine.errors import Permanent
from runbook_engine.model.observation import Revision
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

LIVE = Target("function", "", "", "orders:live")


def world(version: int = 8, canary: str = "") -> SimulatedWorld:
    """Return a world with one function behind an alias."""
    simulated = SimulatedWorld()
    versions = tuple(Revision(number=number) for number in (9, 8, 7))
    simulated.functions.alias_of(simulated.add_function("orders", aliases={"live": version}, versions=versions))
    simulated.functions.alias_of(LIVE).canary = canary
    return simulated


def prepare(simulated: SimulatedWorld, **written: Any) -> Change | None:
    """Prepare a canary as an author would write it."""
    return ACTION.prepare(CanaryParams.model_validate(written), LIVE, simulated.world)


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        pytest.param("", {"percent": 10}, "9=10", id="the newest version when none is named"),
        pytest.param("", {"version": 7, "percent": 2.5}, "7=2.5", id="a version and a fraction"),
        pytest.param("9=10", {"percent": 50}, "9=50", id="more of the one on trial"),
        pytest.param("9=10", {"percent": 0}, "", id="the end of it"),
    ],
)
def test_prepare_is_absolute(before: str, written: dict[str, Any], after: str) -> None:
    """The change says where the calls go, and binds who has the others."""
    change = prepare(world(canary=before), **written)

    assert change is not None
    assert (change.field, change.before, change.after, change.arguments) == ("canary", before, after, {"version": 8})


@pytest.mark.parametrize(
    ("simulated", "written"),
    [
        pytest.param(world(canary="9=10"), {"percent": 10}, id="it has that share already"),
        pytest.param(world(), {"percent": 0}, id="there is none to end"),
        pytest.param(world(version=9), {"percent": 10}, id="the newest has every call"),
    ],
)
def test_prepare_returns_none_when_it_is_so_already(simulated: SimulatedWorld, written: dict[str, Any]) -> None:
    """Nothing to do."""
    assert prepare(simulated, **written) is None


def test_prepare_refuses_a_version_that_is_not_published() -> None:
    """And says which ones are."""
    with pytest.raises(Permanent) as refused:
        prepare(world(), version=12, percent=10)

    said = "cannot shift calls of function/orders:live: version 12 is not published (published: 9, 8, 7)"
    assert str(refused.value) == said


@pytest.mark.parametrize("written", [{}, {"percent": 100}, {"percent": -1}, {"percent": 0, "version": 9}])
def test_parameters_say_one_thing(written: dict[str, Any]) -> None:
    """All of the calls is a deployment, and no share is the end of every canary."""
    with pytest.raises(ValidationError):
        CanaryParams.model_validate(written)


@given(percent=st.floats(min_value=0.01, max_value=99.9).map(lambda share: round(share, 2)))
def test_undo_restores_what_was_there_whatever_the_share(percent: float) -> None:
    """Applied, observed, undone, observed: as before."""
    simulated = world(canary="7=5")
    change = prepare(simulated, percent=percent)
    assert change is not None

    receipts = [ACTION.apply(each, "key", simulated.effects).receipt for each in (change,)]
    assert ACTION.observe(change, receipts[0], simulated.world).status == "done"
    undo = change.inverse()
    receipt = ACTION.apply(undo, "key", simulated.effects).receipt

    assert ACTION.observe(undo, receipt, simulated.world) == Progress.done('canary of function/orders:live is "7=5"')


def test_apply_overwrites_nothing_when_somebody_has_begun_another() -> None:
    """Their canary is not ours to end."""
    simulated = world()
    change = prepare(simulated, percent=10)
    assert change is not None
    simulated.functions.alias_of(LIVE).canary = "7=50"

    outcome = ACTION.apply(change, "key", simulated.effects)
    seen = ACTION.observe(change, {}, simulated.world)

    assert outcome.reason == "canary of function/orders:live is '7=50', not '': nothing was written"
    assert (outcome.status, seen.status) == ("conflict", "superseded")
