"""What a test file says of workloads and their settings is there, and what it expects of them is compared."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.documents.runbook_test import ExpectationDocument, ScenarioDocument
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.observation import Autoscaler
from runbook_engine.model.target import Target
from runbook_engine.testing.expectations import Seen, judge_expectation
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import set_stage

CHECKOUT = Target("deployment", "local", "apps", "checkout")
FLAGS = Target("configmap", "local", "apps", "flags")


@pytest.fixture
def simulated() -> SimulatedWorld:
    """The world that a test file describes."""
    world = {
        "deployments": [
            {
                "namespace": "apps",
                "name": "checkout",
                "replicas": 3,
                "gitops": "Argo CD application web",
                "ignored": "is moving",
                "paused": True,
                "autoscaler": {"min": 2, "max": 9, "kind": "ScaledObject"},
                "env": {"DEGRADED": "false"},
            }
        ],
        "configMaps": {"apps/flags": {"degraded": "false"}},
    }
    document = ScenarioDocument.model_validate({"name": "it", "world": world, "expect": [{"at": "0s"}]})
    return set_stage(document, Configuration(), timedelta(seconds=15))


def test_workload_has_the_facts_that_are_written(simulated: SimulatedWorld) -> None:
    """Who owns it, why it is out of bounds, whether it is paused, and what sets its replicas."""
    seen = simulated.world.cluster.workload(CHECKOUT)

    assert (seen.gitops, seen.ignored, seen.paused) == ("Argo CD application web", "is moving", True)
    assert seen.autoscaler == Autoscaler(
        kind="ScaledObject", name="checkout", minimum=2, maximum=9, current=3, gitops="Argo CD application web"
    )
    assert simulated.world.settings.setting(CHECKOUT, "env:/DEGRADED").text == "false"
    assert simulated.world.settings.setting(FLAGS, "data:degraded").text == "false"


@pytest.mark.parametrize(
    ("wanted", "misses"),
    [
        pytest.param({"env": {"apps/checkout": {"DEGRADED": "false", "OTHER": None}}}, (), id="as it is"),
        pytest.param(
            {"configMaps": {"apps/flags": {"degraded": "false", "other": None}}}, (), id="entries as they are"
        ),
        pytest.param(
            {"env": {"apps/checkout": {"DEGRADED": "true"}}},
            ("env DEGRADED of apps/checkout: expected true, it is false",),
            id="another value",
        ),
        pytest.param(
            {"configMaps": {"apps/flags": {"other": "1"}}},
            ("other of config map apps/flags: expected 1, it is absent",),
            id="an entry that is not there",
        ),
    ],
)
def test_settings_are_compared_when_they_are_expected(
    simulated: SimulatedWorld, wanted: dict[str, object], misses: tuple[str, ...]
) -> None:
    """What differs is said, with what was expected."""
    expectation = ExpectationDocument.model_validate({"at": "0s", **wanted})
    seen = Seen(simulated=simulated, executions=(), matched=frozenset(), refusals=())

    assert tuple(map(str, judge_expectation(expectation, seen))) == misses


def test_a_config_map_that_is_not_in_the_world_is_a_mistake_of_the_test(simulated: SimulatedWorld) -> None:
    """Rather than an entry that is absent."""
    expectation = ExpectationDocument.model_validate({"at": "0s", "configMaps": {"apps/flag": {"a": "b"}}})

    with pytest.raises(ValueError, match=r"no ConfigMap 'apps/flag' in this test's world \(add it under world.config"):
        judge_expectation(expectation, Seen(simulated=simulated, executions=(), matched=frozenset(), refusals=()))


def test_settings_are_refused_when_another_one_bears_the_name(simulated: SimulatedWorld) -> None:
    """What was deleted and created since is not what was looked at."""
    for target, key in ((CHECKOUT, "env:/DEGRADED"), (FLAGS, "data:degraded")):
        another = Target(target.kind, target.place, target.namespace, target.name, uid="another")

        with pytest.raises(Conflict, match="is another one now: it was deleted and created since"):
            simulated.effects.settings.write(another, key, "true", expected="false")


def test_settings_of_what_is_not_there_are_refused_for_good(simulated: SimulatedWorld) -> None:
    """Unknown is Permanent to a writer, and an immutable ConfigMap is left alone."""
    nowhere = Target("configmap", "local", "apps", "nowhere")
    simulated.settings.state(FLAGS).immutable = True

    with pytest.raises(Permanent, match="apps/configmap/nowhere does not exist in cluster 'local'"):
        simulated.effects.settings.write(nowhere, "data:a", "b", expected=None)
    with pytest.raises(Permanent, match="apps/configmap/flags is immutable: nothing was written"):
        simulated.effects.settings.write(FLAGS, "data:degraded", "true", expected="false")
