"""The actions on functions, as the engine runs them over the adapter: prepare, apply, observe until it ends, undo."""

from __future__ import annotations

import pytest

from runbook_adapters.lambda_function import ADAPTER
from runbook_engine.actions import canary, degrade, rollback, throttle
from runbook_engine.errors import Permanent
from tests.contract.functions.engine import Engine
from tests.contract.functions.lambda_rig import NAME, LambdaRig


@pytest.fixture
def engine(lambda_rig: LambdaRig) -> Engine:
    """The actions, over a function with three versions and an alias."""
    bed = lambda_rig.bed
    served = {"functions": bed.serve(ADAPTER, "functions"), "settings": bed.serve(ADAPTER, "settings")}
    return Engine(bed.clock, lambda_rig.settle, **served)


def test_rollback_returns_and_comes_back_when_undone(lambda_rig: LambdaRig, engine: Engine) -> None:
    """The release before is live, then the newer one again."""
    change = engine.run(rollback, lambda_rig.target, to="previous")
    assert "2" == lambda_rig.alias()["FunctionVersion"]

    assert "done" == engine.make_true(rollback, change.inverse()).status
    assert "3" == lambda_rig.alias()["FunctionVersion"]


def test_rollback_is_refused_when_callers_go_round_the_alias(lambda_rig: LambdaRig, engine: Engine) -> None:
    """It would reach nobody, and it says who does not notice."""
    lambda_rig.client.add_permission(
        FunctionName=NAME, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )

    with pytest.raises(Permanent, match=r"apigateway\.amazonaws\.com may call orders without the alias"):
        engine.prepare(rollback, lambda_rig.target, to="previous")


def test_canary_begins_and_ends_when_told(lambda_rig: LambdaRig, engine: Engine) -> None:
    """A tenth of the calls, then none."""
    lambda_rig.release("fourth")
    engine.run(canary, lambda_rig.target, percent=10)
    assert {"4": 0.1} == lambda_rig.alias()["RoutingConfig"]["AdditionalVersionWeights"]

    engine.run(canary, lambda_rig.target, percent=0)
    assert {} == lambda_rig.alias()["RoutingConfig"]["AdditionalVersionWeights"]


def test_throttle_stops_the_function_and_lets_it_go_when_undone(lambda_rig: LambdaRig, engine: Engine) -> None:
    """Nothing was reserved before, and nothing is in the end."""
    change = engine.run(throttle, lambda_rig.target, concurrency=0)
    assert 0 == lambda_rig.reader.function(lambda_rig.target).concurrency

    assert "done" == engine.make_true(throttle, change.inverse()).status
    assert lambda_rig.reader.function(lambda_rig.target).concurrency is None


def test_fail_mode_is_off_and_on_again_when_undone(lambda_rig: LambdaRig, engine: Engine) -> None:
    """One entry of the environment, and its neighbours untouched."""
    change = engine.run(degrade, lambda_rig.function, env="FAIL_MODE", value="on")
    assert {"FAIL_MODE": "on", "PASSWORD": "hunter2"} == lambda_rig.environment()

    assert change.sensitive
    assert "done" == engine.make_true(degrade, change.inverse()).status
    assert {"FAIL_MODE": "off", "PASSWORD": "hunter2"} == lambda_rig.environment()
