"""Our drain beside `kubectl drain --ignore-daemonsets`, on two clusters alike: the same pods are left alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from runbook_engine.model.eviction import EvictionRules
from tests.contract.kubernetes.node_rig import NODE_A, RULES, client, drain, fill, names_on, rest, until
from tests.emulators.kubernetes import FakeCluster
from tests.tools import find_tool

Arrange = Callable[[FakeCluster], None]


@dataclass
class Kubectl:
    """The real client, pointed at one cluster."""

    program: Path
    config: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.program), "--kubeconfig", str(self.config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def clusters() -> Iterator[tuple[FakeCluster, FakeCluster]]:
    """Two clusters: ours, and kubectl's."""
    with ExitStack() as stack:
        yield stack.enter_context(FakeCluster()), stack.enter_context(FakeCluster())


@pytest.fixture
def kubectl(clusters: tuple[FakeCluster, FakeCluster], tmp_path: Path) -> Kubectl:
    """Kubectl, pointed at the second cluster."""
    return Kubectl(find_tool("kubectl"), clusters[1].kubeconfig(tmp_path / "kubeconfig"))


def ordinary(cluster: FakeCluster) -> None:
    """One of each kind, in two namespaces, and pods that have ended."""
    cluster.namespace("shop")
    fill(
        cluster,
        lambda: cluster.deployment("web", replicas=3),
        lambda: cluster.statefulset("db", replicas=2, namespace="shop"),
        lambda: cluster.daemonset("agent", namespace="kube-system"),
        lambda: cluster.mirror_pod("proxy", "node-a"),
    )
    cluster.pdb("web", max_unavailable=1)
    cluster.pdb("db", max_unavailable=1, namespace="shop")
    cluster.pod("done", node="node-a", image="registry.example/app:complete", restartPolicy="Never")
    cluster.wait(lambda: cluster.get("pods", "done").get("status", {}).get("phase") == "Succeeded")
    rest(cluster)


def with_data(cluster: FakeCluster) -> None:
    """Two pods that keep data in an emptyDir, one in memory."""
    kept = [{"name": "cache", "emptyDir": {}}]
    memory = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    fill(
        cluster,
        lambda: cluster.statefulset("cache", replicas=1, volumes=kept),
        lambda: cluster.statefulset("shm", replicas=1, volumes=memory),
        lambda: cluster.statefulset("web", replicas=1),
    )


def alone(cluster: FakeCluster) -> None:
    """A pod that nothing controls, beside one that something does."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pod("debug", node="node-a")
    cluster.wait(lambda: cluster.get("pods", "debug").get("status", {}).get("phase") == "Running")


def used_up(cluster: FakeCluster) -> None:
    """A budget that one unready pod has used up; others may go."""
    fill(
        cluster,
        lambda: cluster.statefulset("web", replicas=2),
        lambda: cluster.statefulset("db", replicas=2),
        lambda: cluster.daemonset("agent"),
    )
    cluster.pdb("web", max_unavailable=1)
    cluster.pod_unready("web-0")
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web")["status"].get("currentHealthy") == 1)


LOSE = msgspec.structs.replace(RULES, unmanaged_pods="evict", empty_dir="delete")


def staying(cluster: FakeCluster) -> set[str]:
    """Return the pods on the node, without the letters that make a generated name unique."""
    return {re.sub(r"(agent)-[a-z0-9]{5}$", r"\1", name) for name in names_on(cluster)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arrange", "rules", "flags"),
    [
        pytest.param(ordinary, RULES, (), id="one of each kind"),
        pytest.param(with_data, LOSE, ("--delete-emptydir-data",), id="data that may be lost"),
        pytest.param(alone, LOSE, ("--force",), id="alone, and may be lost"),
    ],
)
def test_the_same_pods_are_left_when_a_drain_succeeds(
    clusters: tuple[FakeCluster, FakeCluster],
    kubectl: Kubectl,
    arrange: Arrange,
    rules: EvictionRules,
    flags: tuple[str, ...],
) -> None:
    """The DaemonSet's and the static pods, and no other."""
    ours, theirs = clusters
    for cluster in clusters:
        arrange(cluster)
    one = client(ours)
    one.writer.cordon(NODE_A)

    batches = drain(ours, one, rules)
    done = kubectl("drain", "node-a", "--ignore-daemonsets", "--timeout=120s", *flags)

    assert done.returncode == 0, done.stderr
    assert batches[-1].left == 0
    assert staying(ours) == staying(theirs)
    assert ours.get("nodes", "node-a")["spec"]["unschedulable"] is True


@pytest.mark.parametrize(("arrange", "pods"), [(with_data, {"cache-0", "shm-0"}), (alone, {"debug"})])
def test_the_same_pods_forbid_a_drain(
    clusters: tuple[FakeCluster, FakeCluster], kubectl: Kubectl, arrange: Arrange, pods: set[str]
) -> None:
    """Both name them, and neither evicts anybody."""
    ours, theirs = clusters
    for cluster in clusters:
        arrange(cluster)
    before = staying(ours)
    one = client(ours)
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)
    done = kubectl("drain", "node-a", "--ignore-daemonsets", "--timeout=120s")

    assert done.returncode != 0
    assert {says.split()[1] for says in batch.blocked} == {f"default/{pod}" for pod in pods}
    assert all(f"default/{pod}" in done.stderr for pod in pods)
    assert staying(ours) == staying(theirs) == before
    assert [cluster.log.count("POST", "/eviction") for cluster in clusters] == [0, 0]


@pytest.mark.slow
def test_the_same_pods_are_left_when_a_budget_is_used_up(
    clusters: tuple[FakeCluster, FakeCluster], kubectl: Kubectl
) -> None:
    """Both wait for it, in vain; the others have left."""
    ours, theirs = clusters
    for cluster in clusters:
        used_up(cluster)
    one = client(ours)
    one.writer.cordon(NODE_A)

    until(lambda: one.writer.evict(NODE_A, RULES, limit=5).left == 1)
    done = kubectl("drain", "node-a", "--ignore-daemonsets", "--timeout=3s")

    assert done.returncode != 0
    assert "Cannot evict pod as it would violate the pod's disruption budget." in done.stderr
    assert staying(ours) == staying(theirs) == {"default/web-1", "default/agent"}
    assert ours.log.count("DELETE") == theirs.log.count("DELETE") == 0


def test_kubectl_sees_what_it_expects_when_we_have_drained(
    clusters: tuple[FakeCluster, FakeCluster], tmp_path: Path
) -> None:
    """A second drain by kubectl finds nothing to do, and its uncordon brings the node back."""
    ours, _ = clusters
    ordinary(ours)
    kubectl = Kubectl(find_tool("kubectl"), ours.kubeconfig(tmp_path / "kubeconfig"))
    one = client(ours)
    one.writer.cordon(NODE_A)
    drain(ours, one)
    asked = ours.log.count("POST", "/eviction")

    nodes = kubectl("get", "node", "node-a", "--no-headers")
    again = kubectl("drain", "node-a", "--ignore-daemonsets", "--timeout=120s")
    back = kubectl("uncordon", "node-a")

    assert nodes.stdout.split()[1] == "Ready,SchedulingDisabled"
    assert (again.returncode, back.returncode) == (0, 0), again.stderr + back.stderr
    assert ours.log.count("POST", "/eviction") == asked
    assert not one.reader.node(NODE_A).cordoned
