"""The nodes of a scenario: everything that a test file says of them is there, is edited, and is judged."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from pydantic import ValidationError

from runbook_engine.documents.runbook_test import ScenarioDocument
from runbook_engine.documents.test_nodes import NodeExpectation, PodDocument
from runbook_engine.documents.test_world import EditDocument
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.target import Target
from runbook_engine.testing.node_stage import judge_nodes
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import edit, open_configuration, set_stage

NODE = Target("node", "local", "", "worker-1")
WORLD: dict[str, object] = {
    "deployments": [{"namespace": "apps", "name": "web", "replicas": 2, "ready": 1}],
    "nodes": [
        {
            "name": "worker-1",
            "ready": False,
            "reason": "NodeStatusUnknown",
            "cordoned": True,
            "zone": "a",
            "pool": "blue",
            "labels": {"example.com/gpu": "yes"},
            "pressures": ["DiskPressure"],
            "ignored": "is marked by ann",
            "holdsUs": True,
        },
        {"name": "worker-2", "capacity": 5},
    ],
    "pods": [
        {"namespace": "apps", "name": "web-0", "node": "worker-2", "workload": "web"},
        {
            "namespace": "apps",
            "name": "web-1",
            "node": "worker-2",
            "workload": "web",
            "ready": False,
            "waiting": "CrashLoopBackOff",
            "restarts": 9,
            "emptyDir": True,
        },
        {"namespace": "kube-system", "name": "agent", "node": "worker-2", "daemonset": "agent"},
        {"namespace": "apps", "name": "stray", "node": "worker-2", "mirror": True, "ignored": "is marked by ann"},
    ],
    "budgets": [{"namespace": "apps", "name": "keep-web", "workload": "web", "minAvailable": 1}],
}


def staged(world: dict[str, object]) -> SimulatedWorld:
    """Return the world that a test file describes."""
    document = ScenarioDocument.model_validate({"name": "it", "world": world, "expect": [{"at": "0s"}]})
    return set_stage(document, Configuration(), timedelta(seconds=15))


def test_node_is_as_written_when_staged() -> None:
    """Every field of it."""
    node = staged(WORLD).world.nodes.node(NODE)

    assert (node.ready, node.ready_reason, node.cordoned, node.cordoned_by) == (
        False,
        "NodeStatusUnknown",
        True,
        "somebody",
    )
    assert (node.zone, node.pool, dict(node.labels)) == ("a", "blue", {"example.com/gpu": "yes"})
    assert (node.pressures, node.ignored, node.holds_us) == (("DiskPressure",), "is marked by ann", True)


def test_pods_are_as_written_when_staged() -> None:
    """Their controllers, their state, and the budget that covers some of them."""
    simulated = staged(WORLD)

    web, broken, agent, stray = simulated.world.nodes.pods(Target("node", "local", "", "worker-2"))

    assert (web.ready, web.empty_dirs, [budget.name for budget in web.budgets]) == (True, (), ["keep-web"])
    assert (broken.ready, broken.waiting, broken.restarts, broken.empty_dirs) == (
        False,
        "CrashLoopBackOff",
        9,
        ("data",),
    )
    assert (agent.owner.kind if agent.owner else "", agent.budgets) == ("DaemonSet", ())
    assert (stray.owner, stray.mirror, stray.ignored) == (None, True, "is marked by ann")
    assert simulated.seen(Target("deployment", "local", "apps", "web")).ready == 1


@pytest.mark.parametrize(
    ("world", "says"),
    [
        pytest.param(
            {"pods": [{"namespace": "apps", "name": "web-0", "node": "worker-9"}]},
            "no node 'worker-9' in this test's world (add it under world.nodes)",
            id="a pod on no node",
        ),
        pytest.param(
            {
                "nodes": [{"name": "worker-1"}],
                "pods": [{"namespace": "apps", "name": "web-0", "node": "worker-1", "workload": "web"}],
            },
            "no workload apps/web in this test's world (add it under world.deployments)",
            id="a pod of no workload",
        ),
        pytest.param(
            {"budgets": [{"namespace": "apps", "name": "keep", "workload": "web", "minAvailable": 1}]},
            "no workload apps/web in this test's world (add it under world.deployments)",
            id="a budget of no workload",
        ),
    ],
)
def test_stage_is_refused_when_it_names_what_is_not_there(world: dict[str, object], says: str) -> None:
    """With the remedy."""
    with pytest.raises(ValueError, match=re.escape(says)):
        staged(world)


def test_pod_is_refused_when_it_has_two_controllers() -> None:
    """Nothing would say which of them brings it back."""
    with pytest.raises(ValidationError, match="a pod is of a workload or of a daemonset, not of both"):
        PodDocument.model_validate(
            {"namespace": "apps", "name": "web-0", "node": "worker-1", "workload": "web", "daemonset": "agent"}
        )


def test_node_changes_when_others_edit_it() -> None:
    """It falls silent, is opened, is cordoned by somebody, and is taken away."""
    simulated = staged(WORLD)

    def change(**what: object) -> None:
        edit(simulated, EditDocument.model_validate({"at": "0s", "nodes": [{"name": "worker-1", **what}]}))

    change(ready=True, cordoned=False)
    opened = simulated.nodes.seen(NODE)
    change(ready=False, cordoned=True)
    closed = simulated.nodes.seen(NODE)
    change(gone=True)

    assert (opened.ready, opened.ready_reason, opened.cordoned) == (True, "", False)
    assert (closed.ready, closed.ready_reason, closed.cordoned, closed.cordoned_by) == (
        False,
        "KubeletStopped",
        True,
        "somebody",
    )
    assert [node.target.name for node in simulated.world.nodes.nodes("local")] == ["worker-2"]


def test_expectation_says_what_differs_when_a_node_is_not_as_demanded() -> None:
    """What is not asked is not judged."""
    simulated = staged(WORLD)
    wanted = [
        NodeExpectation(name="worker-1"),
        NodeExpectation(name="worker-1", cordoned=False, pods=0),
        NodeExpectation(name="worker-2", cordoned=False, pods=3),
    ]

    assert list(judge_nodes(simulated, wanted)) == [
        ("cordoned of node worker-1", False, True),
        ("pods of node worker-2", 3, 4),
    ]


def test_clusters_of_a_test_are_those_of_its_nodes_too() -> None:
    """A test without a workload names its cluster by its nodes."""
    document = ScenarioDocument.model_validate(
        {"name": "it", "world": {"nodes": [{"name": "worker-1", "cluster": "prod-eu"}]}, "expect": [{"at": "0s"}]}
    )

    assert open_configuration((), document.world).clusters == ("prod-eu",)
