"""The stage of a scenario: everything that a test file says of the world is there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.documents.runbook_test import ScenarioDocument
from runbook_engine.documents.test_world import EditDocument
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import edit, find_workload, open_configuration, set_stage

CHECKOUT = Target("deployment", "local", "apps", "checkout")


def staged(world: dict[str, object], configuration: Configuration | None = None) -> SimulatedWorld:
    """Return the world that a test file describes."""
    document = ScenarioDocument.model_validate({"name": "it", "world": world, "expect": [{"at": "0s"}]})
    return set_stage(document, configuration or Configuration(), timedelta(seconds=15))


def test_deployment_is_as_written_when_staged() -> None:
    """Replicas, readiness, releases and their dates."""
    simulated = staged(
        {
            "deployments": [
                {
                    "namespace": "apps",
                    "name": "checkout",
                    "replicas": 4,
                    "ready": 1,
                    "service": "shop",
                    "revisions": [
                        {"number": 42, "releasedAgo": "10m", "summary": "r42"},
                        {"number": 41, "healthy": True},
                    ],
                }
            ]
        }
    )

    seen = simulated.world.cluster.workload(CHECKOUT)
    assert (seen.replicas, seen.ready, seen.service, seen.revision) == (4, 1, "shop", 42)
    assert [(revision.number, revision.healthy) for revision in seen.revisions] == [(42, None), (41, True)]
    [released] = simulated.world.changes.changes(CHECKOUT, simulated.clock.start - timedelta(hours=1))
    assert released.at == simulated.clock.start - timedelta(minutes=10)


def test_rest_of_the_world_is_as_written_when_staged() -> None:
    """Parameters, series that stay, logs, changes of others, and the kill switch."""
    simulated = staged(
        {
            "deployments": [{"namespace": "apps", "name": "checkout"}],
            "parameters": {"/checkout/degraded_mode": "false"},
            "series": {"errors": "0.1 0.2"},
            "logs": {"apps/checkout": ["one", "two"]},
            "changes": [
                {"target": "deployment=apps/checkout", "ago": "1h", "who": "bob", "what": "a release"},
                {"target": "parameter=/checkout/degraded_mode", "ago": "2h"},
            ],
            "pause": True,
        }
    )
    simulated.push(timedelta(hours=9))
    now, long_ago = simulated.clock.now(), simulated.clock.start - timedelta(days=1)

    assert simulated.value_of("/checkout/degraded_mode") == "false"
    assert [sample.value for sample in simulated.world.metrics.query("errors", {}, now)] == [0.2]
    assert [excerpt.lines for excerpt in simulated.world.logs.logs(CHECKOUT, 1)] == [("two",)]
    assert [event.who for event in simulated.world.changes.changes(CHECKOUT, long_ago)] == ["bob"]
    parameter = simulated.parameter("/checkout/degraded_mode")
    assert [event.what for event in simulated.world.changes.changes(parameter, long_ago)] == ["a change"]
    assert simulated.world.pauses.pause(now) is not None


def test_parameters_are_everywhere_when_there_are_several_clusters() -> None:
    """A test file names no cluster for a parameter: each has its own, with the same value."""
    simulated = staged({"parameters": {"/a": "1"}}, Configuration(clusters=("north", "south")))

    assert (simulated.value_of("/a", "north"), simulated.value_of("/a", "south")) == ("1", "1")
    assert simulated.place == "north"


def test_edit_changes_the_world_when_it_happens() -> None:
    """Others set, remove, scale, break and release, and it is known who did."""
    simulated = staged(
        {"deployments": [{"namespace": "apps", "name": "checkout", "replicas": 4}], "parameters": {"/a": "1"}}
    )

    edit(
        simulated,
        EditDocument.model_validate(
            {
                "at": "0s",
                "who": "bob",
                "parameters": {"/a": None, "/b": "2"},
                "deployments": [
                    {"namespace": "apps", "name": "checkout", "replicas": 6, "ready": 5, "released": "r43"}
                ],
            }
        ),
    )
    simulated.settle()

    seen = simulated.seen(CHECKOUT)
    assert (simulated.value_of("/a"), simulated.value_of("/b")) == (None, "2")
    assert (seen.replicas, seen.ready, seen.revision, seen.revisions[0].summary) == (6, 5, 2, "r43")
    events = simulated.world.changes.changes(CHECKOUT, simulated.clock.start)
    assert {(event.who, event.ours) for event in events} == {("bob", False)}


def test_entries_of_a_config_map_change_when_others_edit_it() -> None:
    """One is set, one removed, and it is known who did it."""
    simulated = staged({"configMaps": {"apps/flags": {"degraded": "false", "old": "1", "kept": "2"}}})
    flags = Target("configmap", "local", "apps", "flags")
    entries = {"degraded": "true", "old": None}

    edit(simulated, EditDocument.model_validate({"at": "1m", "who": "bob", "configMaps": {"apps/flags": entries}}))

    assert {"degraded": "true", "kept": "2"} == simulated.settings.state(flags).entries
    start = simulated.clock.now() - timedelta(minutes=1)
    told = {(event.who, event.what) for event in simulated.world.changes.changes(flags, start)}
    assert {("bob", "degraded set to 'true'"), ("bob", "old removed")} == told


def test_workload_is_refused_when_the_world_has_none_of_that_name() -> None:
    """A misspelled workload is a mistake of the test."""
    with pytest.raises(ValueError, match=r"no deployment 'apps/chekout' in this test's world \(add it under"):
        find_workload(staged({"deployments": [{"namespace": "apps", "name": "checkout"}]}), "apps/chekout")


def test_everything_is_allowed_when_a_test_names_no_configuration() -> None:
    """The clusters of the world, every target, and acting: in a simulated world nothing can break."""
    document = ScenarioDocument.model_validate(
        {
            "name": "it",
            "world": {"deployments": [{"namespace": "apps", "name": "checkout", "cluster": "north"}]},
            "expect": [{"at": "0s"}],
        }
    )

    configuration = open_configuration((), document.world)

    assert configuration.clusters == ("north",)
    assert configuration.targets == ("*",)
    assert [rule.mode for rule in configuration.mode_ceiling] == ["auto"]
