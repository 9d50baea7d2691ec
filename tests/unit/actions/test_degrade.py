"""Degrade: set a parameter, and put back exactly what was there."""

from __future__ import annotations

import pytest

from runbook_engine.actions.degrade import ACTION, DegradeParams
from runbook_engine.errors import EffectUnknown, Retryable, Unreadable
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

NAME = "/checkout/degraded_mode"
WORKLOAD = Target("deployment", "local", "apps", "checkout")


def prepare(simulated: SimulatedWorld) -> Change:
    """Prepare the flip of the parameter to "true"."""
    change = ACTION.prepare(DegradeParams(parameter=NAME, value="true"), WORKLOAD, simulated.world)
    assert change is not None
    return change


def test_prepare_targets_the_parameter_when_the_step_has_a_workload() -> None:
    """The parameter is what locks and cooldowns are kept under, in the workload's place."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, "false")

    change = prepare(simulated)

    assert change == Change(target=Target("parameter", "local", "", NAME), field="value", before="false", after="true")


def test_prepare_returns_none_when_already_so() -> None:
    """A parameter that has the value already is no change."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, "true")

    assert ACTION.prepare(DegradeParams(parameter=NAME, value="true"), WORKLOAD, simulated.world) is None


def test_prepare_raises_when_the_store_is_unreadable() -> None:
    """What cannot be read is not overwritten."""
    simulated = SimulatedWorld()
    simulated.faults.make_unreadable("flags", "the store is down")

    with pytest.raises(Unreadable, match="flags cannot be read: the store is down"):
        prepare(simulated)


@pytest.mark.parametrize("before", [pytest.param("false", id="a value"), pytest.param(None, id="no parameter")])
def test_inverse_restores_what_was_there_when_undone(before: str | None) -> None:
    """Absence is restored as absence."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, before)
    change = prepare(simulated)
    ACTION.apply(change, "key", simulated.effects)

    outcome = ACTION.apply(change.inverse(), "key-undo", simulated.effects)

    assert outcome.status == "done"
    assert simulated.value_of(NAME) == before
    assert ACTION.observe(change.inverse(), outcome.receipt, simulated.world).status == "done"


def test_apply_is_a_conflict_when_somebody_set_it() -> None:
    """Somebody else's value is left alone, on the way there and on the way back."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, "false")
    change = prepare(simulated)
    simulated.set_parameter(NAME, "partly", by="alice")

    there = ACTION.apply(change, "key", simulated.effects)
    back = ACTION.apply(change.inverse(), "key-undo", simulated.effects)

    assert there == Outcome.conflict("/checkout/degraded_mode is 'partly', not 'false': nothing was written")
    assert back == Outcome.conflict("/checkout/degraded_mode is 'partly', not 'true': nothing was written")


def test_apply_happens_once_when_the_answer_was_lost() -> None:
    """Applying again after a lost answer finds the value, and writes nothing."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, "false")
    change = prepare(simulated)
    simulated.fail_next("flags.write", EffectUnknown("connection reset"), after_effect=True)

    with pytest.raises(EffectUnknown):
        ACTION.apply(change, "key", simulated.effects)
    again = ACTION.apply(change, "key", simulated.effects)

    assert again.status == "noop"
    assert len(simulated.effects_made) == 1


def test_apply_lets_retryable_through_when_the_store_asks_for_patience() -> None:
    """Retrying is decided in one place, by type; nothing was written."""
    simulated = SimulatedWorld()
    simulated.set_parameter(NAME, "false")
    change = prepare(simulated)
    simulated.fail_next("flags.write", Retryable("throttled"))

    with pytest.raises(Retryable):
        ACTION.apply(change, "key", simulated.effects)

    assert simulated.value_of(NAME) == "false"


def test_observe_tells_apart_what_is_there_when_read_back() -> None:
    """Ours, never written, and somebody else's."""
    simulated = SimulatedWorld()
    change = prepare(simulated)

    absent = ACTION.observe(change, {}, simulated.world)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    done = ACTION.observe(change, receipt, simulated.world)
    simulated.set_parameter(NAME, "partly", by="alice")
    superseded = ACTION.observe(change, receipt, simulated.world)

    assert absent == Progress.absent("value of /checkout/degraded_mode is still absent")
    assert done == Progress.done('/checkout/degraded_mode is "true"')
    assert superseded == Progress.superseded(
        'value of /checkout/degraded_mode is "partly", not "true": somebody else has changed it'
    )
