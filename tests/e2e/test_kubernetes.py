"""`runbook serve` on Kubernetes: real processes, HTTP, RBAC and a token file; only the cluster is emulated."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.model.execution import Execution
from tests.crash.invariants import assert_chained
from tests.e2e.stage import Stage, asked, evicted
from tests.emulators.kubernetes import FakeCluster
from tests.lab import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "runbooks/kubernetes/node-disk-pressure.yaml").read_text(encoding="utf-8")
DISK = re.sub(r"wait: 1m\b", "wait: 1s", SHIPPED)  # for more nodes of the same alert: no test waits that long
NODES = ("node-a", "node-b", "node-c", "node-d")
PRESSURE = {"alertname": "KubeNodePressure", "condition": "DiskPressure", "node": "node-a", "cluster": "prod"}
SHED = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: shed, owner: team-platform}
matchers: [alertname = WebSlow]
inputs:
  cluster: {type: cluster, from: alert.labels.cluster}
  pod: {type: pod, from: alert.labels.pod}
target: {cluster: "{{ inputs.cluster }}", workloadOf: {namespace: shop, pod: "{{ inputs.pod }}"}}
mode: auto
verify: [{ready: 100%, timeout: 1m}]
guardrails: {cooldown: 1s, deadline: 30m}
steps:
  - name: shed
    action: degrade
    with: {env: MODE, value: lite}
    compensate: {when: resolved, holdFor: 1s}
notify:
  - {receiver: chat, events: [started, changed, blocked, ended]}
"""

NO_SUCH_CLUSTER = "invalid_target: unknown cluster 'prod-mars'; engine.yaml names prod-eu, prod-us"

Begin = Callable[..., Stage]


@pytest.fixture
def clusters() -> Iterator[Callable[[str], FakeCluster]]:
    """Clusters with four nodes and a namespace shop, which ask everybody who they are."""
    running: list[FakeCluster] = []

    def start(name: str) -> FakeCluster:
        cluster = FakeCluster(authenticate=True)
        running.append(cluster)
        cluster.start()
        for node in NODES:
            cluster.node(node)
        cluster.namespace("shop")
        return cluster

    yield start
    for cluster in running:
        cluster.close()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start the runner on clusters; it is stopped at the end, and leaves nothing behind."""
    stages: list[Stage] = []

    def start(clusters: Mapping[str, FakeCluster], *runbooks: str) -> Stage:
        stages.append(Stage(tmp_path, clusters, runbooks))
        return stages[-1]

    yield start
    for stage in stages:
        code = stage.runner.stop(signal.SIGTERM)
        assert (0, []) == (code, stage.runner.left())
        assert [] == [entry.path for cluster in stage.clusters.values() for entry in asked(cluster, status=403)]
        assert not re.search(r"Traceback|unexpected", stage.told()), stage.told()


@pytest.fixture
def prod(clusters: Callable[[str], FakeCluster]) -> FakeCluster:
    """One cluster."""
    return clusters("prod")


def crowd_node_a(cluster: FakeCluster) -> None:
    """Put two deployments with budgets and a daemonset's pod on the first node; the others have room."""
    for node in NODES[1:]:
        cluster.patch("nodes", node, {"spec": {"unschedulable": True}})
    for name in ("web", "cart"):
        cluster.deployment(name, namespace="shop", replicas=4)
        cluster.wait_rollout(name, "shop")
        cluster.pdb(name, min_available=3, namespace="shop")
    cluster.daemonset("agent", namespace="shop")
    for node in NODES[1:]:
        cluster.patch("nodes", node, {"spec": {"unschedulable": None}})
    cluster.wait_rollout("agent", "shop", "daemonsets")


def uids_on(cluster: FakeCluster, node: str, app: str = "") -> set[str]:
    """Return the pods of a node, by uid."""
    pods = cluster.pods(f"app={app}" if app else "", "shop")
    return {str(pod["metadata"]["uid"]) for pod in pods if pod["spec"].get("nodeName") == node}


def shared(cluster: FakeCluster) -> dict[str, Any]:
    """Return everything but pods, budgets and events: what a drain must leave as it was."""
    kinds = ("deployments", "replicasets", "daemonsets", "configmaps", "namespaces")
    return {
        f"{kind}/{item['metadata']['name']}": item.get("spec", item.get("data"))
        for kind in kinds
        for item in cluster.list(kind)
    }


def begun(stage: Stage, cluster: FakeCluster) -> None:
    """Begin a drain and hold it in its middle: budgets let nobody else go until who has left is replaced elsewhere."""
    cluster.pause_controller("scheduler")
    stage.post(PRESSURE)
    wait_until(lambda: len(evicted(cluster)) == 2, "the first of each deployment has left")


def test_node_under_disk_pressure_is_taken_out_of_service(prod: FakeCluster, begin: Begin) -> None:
    """Cordoned, drained as budgets allow, verified; the trail is whole, and nothing else was touched."""
    crowd_node_a(prod)
    before, leaving = shared(prod), uids_on(prod, "node-a", "web") | uids_on(prod, "node-a", "cart")
    agents = uids_on(prod, "node-a", "agent")
    stage = begin({"prod": prod}, DISK)

    stage.post(PRESSURE)
    execution = stage.ended()

    assert "succeeded" == execution.status, "\n".join(stage.says())
    assert_chained(execution, stage.journal.audit(execution.id))
    assert (8, leaving) == (len(evicted(prod)), set(evicted(prod)))
    assert {"/api/v1/nodes/node-a"} == {entry.path for entry in asked(prod) if entry.method == "PATCH"}
    assert {"PATCH", "POST"} == {entry.method for entry in asked(prod)}
    assert prod.get("nodes", "node-a")["spec"]["unschedulable"] is True
    assert agents == uids_on(prod, "node-a")
    assert before == shared(prod)


def test_degraded_deployment_is_what_it_was_when_the_alert_is_over(prod: FakeCluster, begin: Begin) -> None:
    """One entry is set and set back: the template to the byte, the same ReplicaSet, the same pods' hash."""
    prod.deployment("web", namespace="shop", replicas=3, env={"FIRST": "1", "MODE": "full", "LAST": "$(MODE)"})
    prod.wait_rollout("web", "shop")
    before = json.dumps(prod.get("deployments", "web", "shop")["spec"])
    (original,) = prod.list("replicasets", "shop")
    stage = begin({"prod": prod}, SHED)
    alert = {"alertname": "WebSlow", "cluster": "prod", "pod": prod.pods("app=web", "shop")[0]["metadata"]["name"]}

    stage.post(alert)
    held = stage.ended()
    degraded = json.dumps(prod.get("deployments", "web", "shop")["spec"])
    stage.post(alert, status="resolved")
    stage.wait(lambda execution: execution.compensation == "undone", "it is undone")
    prod.wait_rollout("web", "shop")

    sets = {item["metadata"]["name"]: item["spec"]["replicas"] for item in prod.list("replicasets", "shop")}
    assert ("succeeded", "held") == (held.status, held.compensation), "\n".join(stage.says())
    assert before.replace('"full"', '"lite"') == degraded
    assert before == json.dumps(prod.get("deployments", "web", "shop")["spec"])
    assert (2, 3) == (len(sets), sets[original["metadata"]["name"]])


def test_drain_is_finished_by_the_next_worker_when_one_is_killed(prod: FakeCluster, begin: Begin) -> None:
    """SIGKILL in the middle: every pod is let go once, by its uid."""
    crowd_node_a(prod)
    leaving = uids_on(prod, "node-a", "web") | uids_on(prod, "node-a", "cart")
    stage = begin({"prod": prod}, DISK)
    begun(stage, prod)

    os.kill(stage.runner.worker_pid(), signal.SIGKILL)
    prod.resume_controller("scheduler")
    execution = stage.ended()

    assert "succeeded" == execution.status, "\n".join(stage.says())
    assert 1 == len(stage.runner.events("child.died"))
    assert sorted(leaving) == sorted(evicted(prod))
    assert_chained(execution, stage.journal.audit(execution.id))


def test_drain_goes_on_when_the_api_server_restarts_and_the_token_expires(prod: FakeCluster, begin: Begin) -> None:
    """The file has a new token by then; nothing is asked twice, and nobody is called."""
    crowd_node_a(prod)
    leaving = uids_on(prod, "node-a", "web") | uids_on(prod, "node-a", "cart")
    stage = begin({"prod": prod}, DISK)
    begun(stage, prod)

    prod.restart(away=1).join()
    old, stage.tokens["prod"] = stage.tokens["prod"], stage.renew("prod")
    prod.access.expire(old)
    prod.faults.unauthorized("GET", "/api/v1/pods")
    prod.resume_controller("scheduler")
    execution = stage.ended()

    assert "succeeded" == execution.status, "\n".join(stage.says())
    assert sorted(leaving) == sorted(evicted(prod))
    assert 401 in {entry.status for entry in prod.log.entries()}
    assert "notFixed" not in stage.told()


def test_cluster_is_chosen_by_the_label_of_the_alert(clusters: Callable[[str], FakeCluster], begin: Begin) -> None:
    """Of two clusters with the same names one is touched; an alias that nobody knows is refused, and told."""
    found = {name: clusters(name) for name in ("prod-eu", "prod-us")}
    for cluster in found.values():
        cluster.deployment("web", namespace="shop", replicas=1, env={"MODE": "full"})
        cluster.wait_rollout("web", "shop")
    stage = begin(found, SHED)
    pod = found["prod-us"].pods("app=web", "shop")[0]["metadata"]["name"]

    stage.post({"alertname": "WebSlow", "cluster": "prod-us", "pod": pod})
    right = stage.ended()
    stage.post({"alertname": "WebSlow", "cluster": "prod-mars", "pod": pod})
    wait_until(lambda: NO_SUCH_CLUSTER in stage.told(), "the refusal is told")

    refused = next(one for one in stage.journal.executions(limit=2) if one.id != right.id)
    modes = {name: mode_of(cluster) for name, cluster in found.items()}
    assert ("succeeded", "prod-us") == (right.status, right.target.place), "\n".join(stage.says())
    assert {"prod-eu": "full", "prod-us": "lite"} == modes
    assert [] == asked(found["prod-eu"])
    assert ("blocked", NO_SUCH_CLUSTER) == (refused.status, refused.reason)


def mode_of(cluster: FakeCluster) -> str:
    """Return the value of MODE in the template."""
    (container,) = cluster.get("deployments", "web", "shop")["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: str(entry["value"]) for entry in container["env"]}["MODE"]


def test_alert_is_kept_while_the_api_server_is_down(prod: FakeCluster, begin: Begin) -> None:
    """It is durable before anything is looked up; the run waits and says why, and goes on when the server is back."""
    prod.deployment("web", namespace="shop", replicas=1, env={"MODE": "full"})
    prod.wait_rollout("web", "shop")
    pod = prod.pods("app=web", "shop")[0]["metadata"]["name"]
    stage = begin({"prod": prod}, SHED)
    prod.server.stop()

    stage.post({"alertname": "WebSlow", "cluster": "prod", "pod": pod})
    waiting = stage.wait(lambda execution: bool(execution.waiting_for), "it says what it waits for")
    prod.server.start()
    execution = stage.ended()

    assert "waiting" == waiting.status
    assert "cannot" in waiting.waiting_for, waiting.waiting_for
    assert ("succeeded", "lite") == (execution.status, mode_of(prod)), "\n".join(stage.says())


def test_two_alerts_of_one_deployment_are_one_run(prod: FakeCluster, begin: Begin) -> None:
    """They name different pods, and arrive together: the second joins the first, and one change is made for both."""
    prod.deployment("web", namespace="shop", replicas=2, env={"MODE": "full"})
    prod.wait_rollout("web", "shop")
    names = [pod["metadata"]["name"] for pod in prod.pods("app=web", "shop")]
    stage = begin({"prod": prod}, SHED)

    stage.post(*({"alertname": "WebSlow", "cluster": "prod", "pod": name} for name in names))
    wait_until(lambda: sorted(runs(stage)) == ["cancelled", "succeeded"], "one has run, and the other joined it")

    found = runs(stage)
    assert len(names) == len(found["succeeded"].members)
    assert (
        f"joined execution {found['succeeded'].id}, which already works on shop/deployment/web"
        == found["cancelled"].reason
    )
    assert 1 == len([entry for entry in asked(prod) if entry.method == "PATCH"])


def runs(stage: Stage) -> dict[str, Execution]:
    """Return the runs by their status."""
    return {one.status: one for one in stage.journal.executions(limit=5)}
