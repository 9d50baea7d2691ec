"""From what the API sends to facts: pods, their budgets, nodes, and how much room there is."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes.amounts import asked_by, parse_amount
from runbook_adapters.kubernetes.budgets import budget_of, covering
from runbook_adapters.kubernetes.headroom import headroom
from runbook_adapters.kubernetes.node_facts import node_of
from runbook_adapters.kubernetes.nodes import host_of
from runbook_adapters.kubernetes.pods import Ourselves, needs_its_daemon_set, pod_of
from runbook_adapters.kubernetes.transport import Json
from runbook_engine.errors import Unreadable
from runbook_engine.model.node import DisruptionBudget

AT = "2026-03-01T12:00:00Z"


def raw_pod(name: str = "web-0", **parts: Any) -> Json:
    """Return a running pod of ReplicaSet web as the API sends one, with parts of it replaced."""
    metadata = {
        "name": name,
        "namespace": "apps",
        "uid": f"uid-{name}",
        "labels": {"app": "web"},
        "creationTimestamp": AT,
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": True}
        ],
    }
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "metadata": {**metadata, **parts.get("metadata", {})},
        "spec": {"nodeName": "node-a", **parts.get("spec", {})},
        "status": {**status, **parts.get("status", {})},
    }


def raw_node(name: str = "node-a", **parts: Any) -> Json:
    """Return a ready node as the API sends one, with parts of it replaced."""
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", **parts.get("metadata", {})},
        "spec": parts.get("spec", {}),
        "status": {"conditions": [ready], "allocatable": allocatable, **parts.get("status", {})},
    }


def test_a_pod_is_told_with_all_that_decides() -> None:
    """Name, node, phase, owner and times."""
    pod = pod_of(raw_pod(metadata={"deletionTimestamp": AT, "finalizers": ["example.org/log"]}), "test")

    assert (pod.target.key, pod.target.uid, pod.node) == ("test/pod/apps/web-0", "uid-web-0", "node-a")
    assert (pod.phase, pod.ready, pod.mirror, pod.ignored) == ("Running", True, False, "")
    assert pod.owner is not None
    assert (pod.owner.kind, pod.owner.name, pod.owner.uid) == ("ReplicaSet", "web", "rs")
    assert pod.created_at == pod.deleted_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert pod.finalizers == ("example.org/log",)


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        pytest.param({"name": "cache", "emptyDir": {}}, "cache", id="plain"),
        pytest.param({"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, "tmp of at most 1Gi", id="limited"),
        pytest.param({"name": "shm", "emptyDir": {"medium": "Memory"}}, "shm in memory", id="in memory"),
        pytest.param(
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            "shm in memory of at most 64Mi",
            id="in memory, limited",
        ),
    ],
)
def test_an_empty_dir_is_told_with_its_medium_and_limit(volume: Json, text: str) -> None:
    """What would be lost, in words."""
    volumes = [{"name": "config", "configMap": {"name": "web"}}, volume]

    assert pod_of(raw_pod(spec={"volumes": volumes}), "test").empty_dirs == (text,)


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        pytest.param({"operator": "Exists"}, True, id="everything"),
        pytest.param({"operator": "Exists", "effect": "NoExecute"}, False, id="everything of another effect"),
        pytest.param({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}, True, id="the taint"),
        pytest.param(
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, True, id="the taint, with its effect"
        ),
        pytest.param({"key": "node.kubernetes.io/unschedulable", "value": "x"}, False, id="the taint with a value"),
        pytest.param({"key": "node.kubernetes.io/not-ready", "operator": "Exists"}, False, id="another taint"),
    ],
)
def test_a_pod_tolerates_a_cordon_as_the_scheduler_sees_it(toleration: Json, tolerates: bool) -> None:
    """Such a pod would be put straight back."""
    assert pod_of(raw_pod(spec={"tolerations": [toleration]}), "test").tolerates_cordon is tolerates


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}, "", id="safe to evict"),
        pytest.param({"karpenter.sh/do-not-disrupt": "false"}, "", id="may be disrupted"),
        pytest.param(
            {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
            'is marked cluster-autoscaler.kubernetes.io/safe-to-evict: "false" (remove the mark to let it go)',
            id="not safe to evict",
        ),
        pytest.param(
            {"karpenter.sh/do-not-disrupt": "true"},
            'is marked karpenter.sh/do-not-disrupt: "true" (remove the mark to let it go)',
            id="not to be disrupted",
        ),
        pytest.param(
            {"runbook-engine/ignore": "migration until 14:00"},
            "is marked runbook-engine/ignore: migration until 14:00",
            id="our own mark",
        ),
    ],
)
def test_an_opt_out_is_told_with_its_remedy(annotations: dict[str, str], says: str) -> None:
    """What people say to autoscalers they say to us."""
    assert pod_of(raw_pod(metadata={"annotations": annotations}), "test").ignored == says


def test_the_engines_own_pod_is_out_of_bounds() -> None:
    """Whoever empties a node must not run on it."""
    ours = Ourselves(pod="web-0", namespace="apps", node="node-a")

    assert pod_of(raw_pod(), "test", ours).ignored == (
        "is the engine's own, and whoever empties a node must not run on it (run the engine elsewhere)"
    )
    assert pod_of(raw_pod("web-1"), "test", ours).ignored == ""
    assert node_of(raw_node(), "test", ours).holds_us
    assert not node_of(raw_node("node-b"), "test", ours).holds_us


def waiting(reason: str, restarts: int = 0) -> Json:
    """Return a container's status that waits."""
    return {"restartCount": restarts, "state": {"waiting": {"reason": reason}}}


@pytest.mark.parametrize(
    ("status", "reason", "restarts"),
    [
        pytest.param({}, "", 0, id="nothing waits"),
        pytest.param(
            {"containerStatuses": [waiting("ContainerCreating"), waiting("CrashLoopBackOff", 7)]},
            "CrashLoopBackOff",
            7,
            id="one starts and one crashes",
        ),
        pytest.param({"containerStatuses": [waiting("ContainerCreating")]}, "ContainerCreating", 0, id="it starts"),
        pytest.param(
            {
                "initContainerStatuses": [waiting("ImagePullBackOff")],
                "containerStatuses": [waiting("PodInitializing")],
            },
            "ImagePullBackOff",
            0,
            id="its start-up waits",
        ),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
            "Unschedulable",
            0,
            id="no node takes it",
        ),
    ],
)
def test_a_waiting_reason_is_the_first_that_is_more_than_starting(status: Json, reason: str, restarts: int) -> None:
    """What a person would look for."""
    pod = pod_of(raw_pod(status=status), "test")

    assert (pod.waiting, pod.restarts) == (reason, restarts)


def test_a_daemon_set_is_asked_for_when_that_decides() -> None:
    """Not for a static pod, one that has ended, one on its way, or one of another owner."""
    owner = [{"kind": "DaemonSet", "name": "logs", "uid": "ds", "controller": True}]
    pods = [
        raw_pod("a", metadata={"ownerReferences": owner}),
        raw_pod("b", metadata={"ownerReferences": owner, "annotations": {"kubernetes.io/config.mirror": "x"}}),
        raw_pod("c", metadata={"ownerReferences": owner, "deletionTimestamp": AT}),
        raw_pod("d", metadata={"ownerReferences": owner}, status={"phase": "Failed"}),
        raw_pod("e"),
    ]

    assert [needs_its_daemon_set(pod_of(pod, "test")) for pod in pods] == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        pytest.param({"matchLabels": {"app": "web"}}, True, id="its label"),
        pytest.param({"matchLabels": {"app": "db"}}, False, id="another label"),
        pytest.param({}, True, id="an empty selector takes every pod"),
        pytest.param(None, False, id="an absent selector takes none"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, True, id="one of a set"
        ),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False, id="without the label"),
    ],
)
def test_a_budget_covers_what_it_selects(selector: Json | None, covers: bool) -> None:
    """As the API selects: with a selector, without labels, without a selector."""
    budget = {"metadata": {"name": "web"}, "spec": {} if selector is None else {"selector": selector}}

    assert bool(covering([budget], raw_pod())) is covers


def test_a_budget_is_told_as_its_controller_counted() -> None:
    """Counts, whether they are of this generation, and what unready pods may do."""
    raw = {
        "metadata": {"name": "web", "generation": 2},
        "spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": 1,
            "currentHealthy": 3,
            "desiredHealthy": 2,
            "expectedPods": 3,
        },
    }

    assert budget_of(raw) == DisruptionBudget(
        name="web", allowed=1, healthy=3, wanted=2, expected=3, observed=False, frees_unready=True
    )


def test_a_budget_that_failed_to_sync_says_why() -> None:
    """Its controller's sentence is the problem."""
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "SyncFailed",
        "message": 'found no controller ref for pod "a"',
    }
    raw = {"metadata": {"name": "web", "generation": 1}, "spec": {}, "status": {"conditions": [condition]}}

    budget = budget_of(raw)

    assert budget.problem == 'found no controller ref for pod "a"'
    assert budget.impossible


def test_a_node_is_told_with_who_cordoned_it_and_when() -> None:
    """From the entry of managedFields that holds the field."""
    fields = [
        {"manager": "kubelet", "operation": "Update", "time": AT, "fieldsV1": {"f:status": {}}},
        {
            "manager": "runbook-engine",
            "operation": "Update",
            "time": "2026-03-01T12:30:00Z",
            "fieldsV1": {"f:spec": {"f:unschedulable": {}}},
        },
    ]
    labels = {"topology.kubernetes.io/zone": "eu-1a", "eks.amazonaws.com/nodegroup": "blue"}
    node = node_of(
        raw_node(metadata={"managedFields": fields, "labels": labels}, spec={"unschedulable": True}),
        "test",
    )

    assert (node.cordoned, node.cordoned_by) == (True, "runbook-engine")
    assert node.cordoned_at == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert (node.zone, node.pool, node.labels) == ("eu-1a", "blue", labels)


@pytest.mark.parametrize(
    ("conditions", "ready", "says"),
    [
        pytest.param(
            [
                {
                    "type": "Ready",
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting.",
                }
            ],
            False,
            "Ready is Unknown: NodeStatusUnknown: Kubelet stopped posting.",
            id="its kubelet is silent",
        ),
        pytest.param([], False, "its kubelet has never said that it is ready", id="its kubelet never spoke"),
        pytest.param([{"type": "Ready", "status": "True"}], True, "", id="ready"),
    ],
)
def test_a_node_is_ready_only_when_its_kubelet_says_so(conditions: list[Json], ready: bool, says: str) -> None:
    """Unknown counts as not ready, and is told why."""
    node = node_of(raw_node(status={"conditions": conditions}), "test")

    assert (node.ready, node.ready_reason) == (ready, says)


def test_a_nodes_pressures_are_told_once() -> None:
    """Conditions and the control plane's taints, without what is told elsewhere."""
    taints = [
        {"key": f"node.kubernetes.io/{name}", "effect": "NoSchedule"}
        for name in ("disk-pressure", "unreachable", "unschedulable", "not-ready", "out-of-service")
    ]
    conditions = [{"type": "DiskPressure", "status": "True"}, {"type": "PIDPressure", "status": "False"}]

    node = node_of(raw_node(spec={"taints": taints}, status={"conditions": conditions}), "test")

    assert node.pressures == ("DiskPressure", "unreachable", "out-of-service")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        pytest.param("250m", Fraction(1, 4), id="thousandths"),
        pytest.param("0.1", Fraction(1, 10), id="a tenth, exactly"),
        pytest.param("1.5Gi", Fraction(3 * 1024**3, 2), id="binary"),
        pytest.param("128974848", Fraction(128974848), id="plain"),
        pytest.param("129e6", Fraction(129_000_000), id="exponent"),
        pytest.param("129M", Fraction(129_000_000), id="decimal"),
        pytest.param("1E", Fraction(10**18), id="exa"),
        pytest.param("2E1", Fraction(20), id="exponent in capitals"),
        pytest.param("500n", Fraction(1, 2_000_000), id="billionths"),
        pytest.param(".5", Fraction(1, 2), id="no digit before the point"),
    ],
)
def test_an_amount_is_exact(text: str, amount: Fraction) -> None:
    """As the API's own arithmetic, which never rounds what it compares."""
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["", "1 Gi", "abc", "1GiB", "--1", "1e9999", "٣"])
def test_an_amount_is_unreadable_when_it_is_none(text: str) -> None:
    """What cannot be read is never zero."""
    with pytest.raises(Unreadable):
        parse_amount(text)


@given(st.integers(0, 10**12), st.sampled_from(["m", "", "k", "Ki", "M", "Mi", "G", "Gi"]))
def test_an_amount_grows_with_its_number(number: int, suffix: str) -> None:
    """A larger number of the same unit is a larger amount, by exactly one unit."""
    assert parse_amount(f"{number + 1}{suffix}") - parse_amount(f"{number}{suffix}") == parse_amount(f"1{suffix}")


def container(cpu: str, **more: Any) -> Json:
    """Return a container that asks for so much."""
    return {"resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param({"containers": [container("1"), container("500m")]}, Fraction(3, 2), id="containers together"),
        pytest.param(
            {"initContainers": [container("4")], "containers": [container("1")]}, Fraction(4), id="a larger start-up"
        ),
        pytest.param(
            {
                "initContainers": [container("1", restartPolicy="Always"), container("2")],
                "containers": [container("1")],
            },
            Fraction(3),
            id="a sidecar stays beside the start-up",
        ),
        pytest.param(
            {"containers": [container("1")], "overhead": {"cpu": "250m"}}, Fraction(5, 4), id="with an overhead"
        ),
        pytest.param({"containers": [{}]}, Fraction(0), id="asks for nothing"),
        pytest.param(
            {"containers": [container("1")], "resources": {"requests": {"cpu": "3"}}},
            Fraction(3),
            id="for the whole pod",
        ),
    ],
)
def test_a_pod_asks_for_the_most_that_it_takes_at_any_time(spec: Json, cpu: Fraction) -> None:
    """As the scheduler counts."""
    assert asked_by({"spec": spec})["cpu"] == cpu


def asking(name: str, node: str, cpu: str, **parts: Any) -> Json:
    """Return a pod on a node that asks for so much."""
    spec = {"nodeName": node, "containers": [container(cpu)], **parts.pop("spec", {})}
    return raw_pod(name, spec=spec, **parts)


def test_headroom_is_there_when_the_sum_fits() -> None:
    """Requests against what others have free, with the numbers."""
    nodes = [raw_node("node-a"), raw_node("node-b")]
    pods = [asking("a", "node-a", "1500m"), asking("b", "node-b", "2")]

    found = headroom("node-a", nodes, pods)

    assert found.fits
    assert found.says == (
        "1.50 CPU, 0 MiB and 1 pod would have to fit into 2.00 CPU, 8,192 MiB and 109 pods free on the other node"
    )


@pytest.mark.parametrize(
    ("nodes", "pods", "says"),
    [
        pytest.param(
            [raw_node("node-a"), raw_node("node-b")],
            [asking("a", "node-a", "3"), asking("b", "node-b", "2")],
            "3.00 CPU, 0 MiB and 1 pod would have to fit into 2.00 CPU, 8,192 MiB and 109 pods free on the other node: "
            "not enough cpu",
            id="too little",
        ),
        pytest.param(
            [raw_node("node-a"), raw_node("node-b", spec={"unschedulable": True})],
            [],
            "no other node takes its pods",
            id="the other is cordoned",
        ),
        pytest.param(
            [raw_node("node-a"), raw_node("node-b", status={"conditions": []})],
            [],
            "no other node takes its pods",
            id="the other is not ready",
        ),
        pytest.param(
            [raw_node("node-a"), raw_node("node-b", spec={"taints": [{"key": "gpu", "effect": "NoSchedule"}]})],
            [],
            "no other node takes its pods",
            id="the other takes only some",
        ),
        pytest.param(
            [
                raw_node("node-a", metadata={"labels": {"kubernetes.io/os": "linux"}}),
                raw_node("node-b", metadata={"labels": {"kubernetes.io/os": "windows"}}),
            ],
            [],
            "no other node takes its pods",
            id="the other runs another system",
        ),
        pytest.param(
            [
                raw_node("node-a", metadata={"labels": {"kubernetes.io/arch": "amd64"}}),
                raw_node("node-b", metadata={"labels": {"kubernetes.io/arch": "arm64"}}),
            ],
            [],
            "no other node takes its pods",
            id="the other is of another architecture",
        ),
        pytest.param(
            [raw_node("node-a"), raw_node("node-b")],
            [
                raw_pod(
                    "stuck",
                    spec={"nodeName": None},
                    status={
                        "phase": "Pending",
                        "conditions": [
                            {
                                "type": "PodScheduled",
                                "status": "False",
                                "reason": "Unschedulable",
                                "message": "0/2 nodes are available: 2 Insufficient cpu.",
                            }
                        ],
                    },
                )
            ],
            "pod apps/stuck cannot be placed as it is: 0/2 nodes are available: 2 Insufficient cpu.",
            id="somebody has no place already",
        ),
    ],
)
def test_headroom_is_missing_when(nodes: list[Json], pods: list[Json], says: str) -> None:
    """Each way of having no room says so."""
    found = headroom("node-a", nodes, pods)

    assert (found.fits, found.says) == (False, says)


def test_headroom_counts_only_what_comes_back() -> None:
    """Not what a DaemonSet runs, what is on its way, what has ended, what stands alone; a volume is told of."""
    daemon = [{"kind": "DaemonSet", "name": "logs", "uid": "ds", "controller": True}]
    claim = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "web"}}]}
    pods = [
        asking("agent", "node-a", "9", metadata={"ownerReferences": daemon}),
        asking("leaving", "node-a", "9", metadata={"deletionTimestamp": AT}),
        asking("ended", "node-a", "9", status={"phase": "Succeeded"}),
        asking("alone", "node-a", "9", metadata={"ownerReferences": []}),
        asking("web", "node-a", "1", spec=claim),
    ]

    found = headroom("node-a", [raw_node("node-a"), raw_node("node-b")], pods)

    assert found.fits
    assert found.says == (
        "1.00 CPU, 0 MiB and 1 pod would have to fit into 4.00 CPU, 8,192 MiB and 110 pods free on the other node; "
        "volumes that only one zone can attach were not judged"
    )


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        pytest.param("10.0.1.7:9100", "10.0.1.7", id="address and port"),
        pytest.param("10.0.1.7", "10.0.1.7", id="address"),
        pytest.param("[fd00::7]:9100", "fd00::7", id="address in brackets and port"),
        pytest.param("fd00::7", "fd00::7", id="address with colons"),
        pytest.param(
            "ip-10-0-1-7.eu-west-1.compute.internal:9100", "ip-10-0-1-7.eu-west-1.compute.internal", id="name"
        ),
    ],
)
def test_an_instance_is_a_host_and_perhaps_a_port(instance: str, host: str) -> None:
    """As scrapers write it."""
    assert host_of(instance) == host
