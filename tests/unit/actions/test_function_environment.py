"""Degrade of a function: one variable, the others untouched, and no value shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runbook_engine.actions.degrade import ACTION
from runbook_engine.actions.degrade_params import DegradeParams
from runbook_engine.errors import Permanent, Retryable, RunbookError
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

WHOLE = Target("function", "", "", "orders")
FAIL_MODE = {"env": "FAIL_MODE", "value": "false"}


def world() -> SimulatedWorld:
    """Return a world with one function that has a secret beside its switch."""
    simulated = SimulatedWorld()
    environment = {"FAIL_MODE": "true", "API_KEY": "s3cr3t"}
    simulated.add_function("orders", aliases={"live": 8}, environment=environment)
    return simulated


def prepare(simulated: SimulatedWorld, target: Target = WHOLE, **written: Any) -> Change | None:
    """Prepare a change of a variable as an author would write it."""
    return ACTION.prepare(DegradeParams.model_validate({**FAIL_MODE, **written}), target, simulated.world)


def test_prepare_is_sensitive() -> None:
    """What a function's environment holds is neither shown nor audited."""
    change = prepare(world())

    assert change is not None
    assert (change.target, change.field, change.before, change.after) == (WHOLE, "env:/FAIL_MODE", "true", "false")
    assert change.sensitive


def test_prepare_returns_none_when_it_is_set_already() -> None:
    """Nothing to do."""
    assert prepare(world(), value="true") is None


@pytest.mark.parametrize(
    ("target", "written", "sentence"),
    [
        pytest.param(
            Target("function", "", "", "orders:live"),
            {},
            "cannot set FAIL_MODE of function/orders:live: an alias points to a published version, whose environment "
            "never changes (roll the alias back, or name the function without it)",
            id="an alias",
        ),
        pytest.param(
            WHOLE,
            {"container": "web"},
            "cannot set FAIL_MODE of function/orders: a function has no containers (remove container)",
            id="a container",
        ),
        pytest.param(
            WHOLE,
            {"env": "fail-mode"},
            "cannot set fail-mode of function/orders: a function's variable has letters, digits and _, and begins with "
            "a letter",
            id="a name that Lambda does not take",
        ),
    ],
)
def test_prepare_refuses_what_would_change_nothing(target: Target, written: dict[str, Any], sentence: str) -> None:
    """Each refusal says why, and what to do instead."""
    with pytest.raises(Permanent) as refused:
        prepare(world(), target, **written)

    assert str(refused.value) == sentence


def test_prepare_waits_while_the_function_is_being_updated() -> None:
    """Lambda takes one update at a time."""
    simulated = world()
    simulated.effects.settings.write(WHOLE, "env:/OTHER", "1", expected=None)

    with pytest.raises(Retryable) as refused:
        prepare(simulated)

    said = "cannot set FAIL_MODE of function/orders: it is being updated (wait until that has ended)"
    assert str(refused.value) == said


def test_apply_and_undo_touch_one_variable_alone() -> None:
    """The secret beside it stays what it was, set and restored."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    environment = simulated.functions.state_of(WHOLE).environment

    ACTION.apply(change, "key", simulated.effects)
    assert environment == {"FAIL_MODE": "false", "API_KEY": "s3cr3t"}
    ACTION.apply(change.inverse(), "key", simulated.effects)

    assert environment == {"FAIL_MODE": "true", "API_KEY": "s3cr3t"}


@pytest.mark.parametrize("before", ["true", None])
def test_undo_restores_a_variable_or_its_absence(before: str | None) -> None:
    """What was not there is not there again."""
    simulated = world()
    environment = simulated.functions.state_of(WHOLE).environment
    environment.pop("FAIL_MODE") if before is None else environment
    change = prepare(simulated)
    assert change is not None
    ACTION.apply(change, "key", simulated.effects)

    ACTION.apply(change.inverse(), "key", simulated.effects)

    assert environment.get("FAIL_MODE") == before


def test_observe_waits_until_the_function_runs_with_it() -> None:
    """Set is not yet in use; and an update may fail."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    untouched = ACTION.observe(change, {}, simulated.world)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    during = ACTION.observe(change, receipt, simulated.world)
    simulated.push(timedelta(seconds=5))
    after = ACTION.observe(change, receipt, simulated.world)
    simulated.functions.state_of(WHOLE).failing = "KMS denied"
    badly = ACTION.observe(change, receipt, simulated.world)

    name = "env:/FAIL_MODE of function/orders"
    assert untouched == Progress.absent(f"{name} is still as it was")
    assert during == Progress.progressing(f"{name} is set, and function/orders is being updated", timedelta(seconds=2))
    assert after == Progress.done(f"{name} is set")
    assert badly == Progress.failed(f"{name} is set, and function/orders cannot run: KMS denied")


def test_no_value_is_said_when_somebody_else_has_changed_it() -> None:
    """Neither ours nor theirs."""
    simulated = world()
    change = prepare(simulated)
    assert change is not None
    simulated.functions.state_of(WHOLE).environment["FAIL_MODE"] = "theirs"

    outcome = ACTION.apply(change, "key", simulated.effects)
    seen = ACTION.observe(change, {}, simulated.world)

    said = "env:/FAIL_MODE of function/orders is another one than we set: somebody else has changed it"
    assert (outcome.status, seen) == ("conflict", Progress.superseded(said))
    assert not any(secret in f"{outcome.reason} {seen.reason}" for secret in ("theirs", "true", "false"))


def test_a_function_that_is_not_there_is_no_guess() -> None:
    """Raised by who looks."""
    with pytest.raises(RunbookError):
        prepare(world(), Target("function", "", "", "other"))
