"""kubectl against the Kubernetes emulator: the second client that keeps it honest."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.emulators.kubernetes import FakeCluster
from tests.emulators.kubernetes.trees import annotations, dig
from tests.tools import find_tool

pytestmark = pytest.mark.slow

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def binary() -> str:
    """The pinned kubectl, else the machine's."""
    return str(find_tool("kubectl"))


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Two nodes with a Deployment, a StatefulSet and a DaemonSet, over TLS with tokens."""
    with FakeCluster(tls=True, authenticate=True) as cluster:
        for node in ("node-a", "node-b"):
            cluster.node(node)
        cluster.deployment("web", replicas=3, image="app:v1", volumes=[{"name": "scratch", "emptyDir": {}}])
        cluster.statefulset("db", replicas=2, image="app:v1")
        cluster.daemonset("agent", image="app:v1")
        cluster.wait_rollout("web")
        cluster.wait_rollout("db", plural="statefulsets")
        cluster.wait_rollout("agent", plural="daemonsets")
        yield cluster


@pytest.fixture
def kubectl(binary: str, cluster: FakeCluster, tmp_path: Path) -> Kubectl:
    """Run kubectl as an administrator of the cluster."""
    config = cluster.kubeconfig(tmp_path / "kubeconfig")

    def run(*arguments: str, stdin: str | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
        command = [binary, "--kubeconfig", str(config), "--cache-dir", str(tmp_path / "cache"), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=180)
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done

    return run


def images(cluster: FakeCluster, app: str) -> set[str]:
    """Return the images of an application."""
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.pods(f"app={app}")}


def test_get_prints_the_servers_columns(kubectl: Kubectl) -> None:
    """Tables, plain names and objects."""
    assert kubectl("get", "deployments", "--no-headers").stdout.split()[:4] == ["web", "3/3", "3", "3"]
    assert kubectl("get", "nodes", "-o", "name").stdout.split() == ["node/node-a", "node/node-b"]
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}").stdout == "3"


def test_scale_moves_the_pods(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """And refuses when the current count is another."""
    kubectl("scale", "deployment/web", "--replicas=5", "--current-replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    refused = kubectl("scale", "deployment/web", "--replicas=9", "--current-replicas=3", fails=True)

    assert len(cluster.ready_pods("app=web")) == 5
    assert "Expected replicas to be 3, was 5" in refused.stderr


@pytest.mark.parametrize("target", ["deployment/web", "statefulset/db", "daemonset/agent"])
def test_restart_and_undo_roll_all_pods(kubectl: Kubectl, cluster: FakeCluster, target: str) -> None:
    """History has two revisions, and undo brings the first one back."""
    kind, _, name = target.partition("/")
    before = {pod["metadata"]["uid"] for pod in cluster.pods(f"app={name}")}

    kubectl("rollout", "restart", target)
    kubectl("rollout", "status", target, "--timeout=120s")
    after = {pod["metadata"]["uid"] for pod in cluster.pods(f"app={name}")}
    history = kubectl("rollout", "history", target).stdout
    kubectl("rollout", "undo", target)
    kubectl("rollout", "status", target, "--timeout=120s")

    template = cluster.get(f"{kind}s", name)["spec"]["template"]
    assert not before & after
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert dig(template, "metadata", "annotations") is None


def test_undo_of_a_bad_image_leaves_the_old_one_running(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """The everyday rollback."""
    kubectl("set", "image", "deployment/web", "app=app:bad-pull")
    cluster.wait(lambda: "app:bad-pull" in images(cluster, "web"))
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=120s")

    assert images(cluster, "web") == {"app:v1"}
    assert annotations(cluster.get("deployments", "web"))["deployment.kubernetes.io/revision"] == "3"


def test_set_env_and_delete_again(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """A strategic merge with its directives."""
    kubectl("set", "env", "deployment/web", "SLOW=off")
    shown = cluster.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]["env"]
    kubectl("set", "env", "deployment/web", "SLOW-")

    assert shown == [{"name": "SLOW", "value": "off"}]
    assert "env" not in cluster.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]


def test_cordon_and_uncordon_mark_the_node(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """Cordoning twice is harmless."""
    kubectl("cordon", "node-a")
    again = kubectl("cordon", "node-a").stdout
    shown = kubectl("get", "node", "node-a", "--no-headers").stdout
    kubectl("uncordon", "node-a")

    assert "already cordoned" in again
    assert "Ready,SchedulingDisabled" in shown
    assert "unschedulable" not in cluster.get("nodes", "node-a")["spec"]


def test_drain_refuses_without_its_flags(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """It cordons first and leaves the node cordoned."""
    refused = kubectl("drain", "node-a", fails=True).stderr

    assert "cannot delete DaemonSet-managed Pods" in refused
    assert cluster.get("nodes", "node-a")["spec"]["unschedulable"] is True


def test_drain_waits_for_the_budget_and_leaves_daemonset_pods(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """A refused eviction is retried after five seconds."""
    kubectl("cordon", "node-b")
    cluster.wait(lambda: dig(cluster.get("nodes", "node-b"), "spec", "taints"))
    cluster.deployment("shop", replicas=2, image="shop:slow")  # a replacement takes two seconds
    cluster.wait_rollout("shop")
    kubectl("uncordon", "node-b")
    cluster.pdb("shop", min_available=1)
    cluster.wait(lambda: dig(cluster.get("poddisruptionbudgets", "shop"), "status", "disruptionsAllowed"))

    done = kubectl("drain", "node-a", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s")

    left = [pod["metadata"]["labels"]["app"] for pod in cluster.pods() if pod["spec"].get("nodeName") == "node-a"]
    assert left == ["agent"]
    assert "Cannot evict pod as it would violate the pod's disruption budget." in done.stderr
    assert [each.status for each in cluster.log.entries("POST", r"/pods/shop-.*/eviction$")] == [201, 429, 201]


def test_delete_pod_waits_until_it_is_gone(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """And another takes its place."""
    victim = cluster.pods("app=web")[0]["metadata"]["name"]

    kubectl("delete", "pod", victim)

    assert not cluster.exists("pods", victim)
    cluster.wait_rollout("web")


def test_create_apply_and_delete_a_deployment(kubectl: Kubectl, cluster: FakeCluster) -> None:
    """With its ReplicaSet and pods; an unknown field is refused."""
    manifest = """
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "new"}, "spec": {"replicas": 2,
 "selector": {"matchLabels": {"app": "new"}}, "template": {"metadata": {"labels": {"app": "new"}},
 "spec": {"containers": [{"name": "app", "image": "app:v1"}]}}}}"""
    kubectl("apply", "-f", "-", stdin=manifest)
    cluster.wait_rollout("new")
    kubectl("apply", "-f", "-", stdin=manifest.replace("app:v1", "app:v2"))
    kubectl("rollout", "status", "deployment/new", "--timeout=120s")
    refused = kubectl("create", "-f", "-", stdin=manifest.replace("replicas", "replicaz"), fails=True)
    kubectl("delete", "deployment", "new", "--cascade=foreground")

    assert 'unknown field "spec.replicaz"' in refused.stderr
    assert cluster.list("pods", labels="app=new") == []
    assert cluster.list("replicasets", labels="app=new") == []


def test_forbidden_says_who_may_not_do_what(binary: str, cluster: FakeCluster, tmp_path: Path) -> None:
    """The message of RBAC reaches the person."""
    role = {"kind": "ClusterRole", "metadata": {"name": "viewer"}, "rules": []}
    subject = {"kind": "User", "name": "alice"}
    reference = {"kind": "ClusterRole", "name": "viewer"}
    binding = {"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "subjects": [subject], "roleRef": reference}
    cluster.access.load(role, binding)
    config = cluster.kubeconfig(tmp_path / "alice", token=cluster.token("alice"))

    command = [binary, "--kubeconfig", str(config), "--cache-dir", str(tmp_path / "cache"), "get", "nodes"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert 'User "alice" cannot list resource "nodes" in API group "" at the cluster scope' in done.stderr
