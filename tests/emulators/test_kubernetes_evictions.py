"""Evictions and deletions in the Kubernetes emulator."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.emulators.kubernetes import FakeCluster, Settings
from tests.emulators.kubernetes.client import call, evict
from tests.emulators.kubernetes.clock import parse
from tests.emulators.kubernetes.eviction import AMBIGUOUS, VIOLATES

BUDGETS = "poddisruptionbudgets"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Three ready pods on one node, stepped by hand."""
    with FakeCluster(Settings(pod_start=0, pod_ready=0, pod_stop=0), background=False) as cluster:
        cluster.node("node-a")
        cluster.deployment("web", replicas=3)
        cluster.wait_rollout("web")
        yield cluster


def pods(cluster: FakeCluster) -> list[str]:
    """Return the names of the pods."""
    return [pod["metadata"]["name"] for pod in cluster.pods("app=web")]


def allowed(cluster: FakeCluster, name: str = "web") -> int:
    """Return how many disruptions a budget allows."""
    return cluster.get(BUDGETS, name)["status"]["disruptionsAllowed"]


def path(pod: str) -> str:
    """Return the path of a pod."""
    return f"/api/v1/namespaces/default/pods/{pod}"


def test_eviction_takes_from_the_budget_and_is_429_when_it_is_used_up(cluster: FakeCluster) -> None:
    """The second of two fails with the budget's numbers and no hint when to retry."""
    cluster.pdb("web", min_available=2)
    cluster.step()
    first, second, _ = pods(cluster)

    taken = evict(cluster, first)
    refused = evict(cluster, second)

    assert (taken.status, taken.body["status"]) == (201, "Success")
    assert (refused.status, refused.reason, refused.message) == (429, "TooManyRequests", VIOLATES)
    assert refused.causes == [
        {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 3 currently"}
    ]
    assert refused.headers["Retry-After"] is None
    assert "retryAfterSeconds" not in refused.body["details"]


def test_eviction_is_429_with_a_wait_when_the_budget_is_unobserved(cluster: FakeCluster) -> None:
    """A budget that its controller has not seen asks for ten seconds."""
    cluster.pause_controller("disruption")
    cluster.pdb("web", min_available=1)

    reply = evict(cluster, pods(cluster)[0])

    assert (reply.status, reply.headers["Retry-After"]) == (429, "10")
    assert reply.causes[0]["message"] == "The disruption budget web is still being processed by the server."


def test_eviction_is_500_without_reason_when_two_budgets_match(cluster: FakeCluster) -> None:
    """The subresource does not support it; an empty selector matches every pod."""
    cluster.pdb("web", min_available=1)
    cluster.pdb("all", min_available=1, selector={})
    cluster.step()

    reply = evict(cluster, pods(cluster)[0])

    assert (reply.status, reply.reason, reply.message) == (500, None, AMBIGUOUS)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(None, 429, id="protected by default"),
        pytest.param("IfHealthyBudget", 429, id="protected while the budget is short"),
        pytest.param("AlwaysAllow", 201, id="always allowed"),
    ],
)
def test_eviction_of_an_unready_pod_follows_the_policy(cluster: FakeCluster, policy: str | None, expected: int) -> None:
    """A crash-looping application blocks a drain unless its budget says otherwise."""
    broken = pods(cluster)[0]
    cluster.pod_unready(broken)
    cluster.pdb("web", min_available=3, unhealthy=policy)
    cluster.step()
    cluster.step()

    assert evict(cluster, broken).status == expected


def test_eviction_of_an_unready_pod_is_allowed_when_enough_others_are_healthy(cluster: FakeCluster) -> None:
    """The budget has what it needs without it, and nothing is taken."""
    broken = pods(cluster)[0]
    cluster.pod_unready(broken)
    cluster.pdb("web", min_available=2)
    cluster.step()
    cluster.step()

    assert evict(cluster, broken).status == 201
    assert allowed(cluster) == 0


def test_eviction_ignores_the_budget_when_the_pod_is_pending(cluster: FakeCluster) -> None:
    """A pod that never ran protects nothing, and goes at once."""
    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": True}})
    cluster.patch("deployments", "web", {"spec": {"replicas": 4}})
    cluster.pdb("web", min_available=4)
    cluster.settle()
    pending = next(pod["metadata"]["name"] for pod in cluster.pods("app=web") if not pod["spec"].get("nodeName"))

    reply = evict(cluster, pending)

    assert reply.status == 201
    assert not cluster.exists("pods", pending)


def test_eviction_with_a_stale_uid_is_409_and_still_takes_from_the_budget(cluster: FakeCluster) -> None:
    """The budget stays consumed for two minutes; then its controller gives it back."""
    cluster.pdb("web", min_available=2)
    cluster.step()

    reply = evict(cluster, pods(cluster)[0], preconditions={"uid": "gone"})
    cluster.step()
    held = allowed(cluster)
    cluster.clock.advance(121)
    cluster.step()

    assert (reply.status, reply.reason) == (409, "Conflict")
    assert "UID in precondition: gone" in reply.message
    assert (held, allowed(cluster)) == (0, 1)
    assert len(pods(cluster)) == 3


def test_eviction_with_a_stale_uid_takes_its_time_when_the_pod_is_pending() -> None:
    """The server retries the conflict twenty times before it answers."""
    with FakeCluster(Settings(stale_eviction=300), background=False) as cluster:
        cluster.pod("waiting")
        begun = time.monotonic()

        reply = evict(cluster, "waiting", preconditions={"uid": "gone"})

        assert reply.status == 409
        assert time.monotonic() - begun >= 0.3


def test_eviction_is_400_when_the_name_differs(cluster: FakeCluster) -> None:
    """The body must name the pod of the URL."""
    pod = pods(cluster)[0]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "other"}}

    reply = call(cluster, "POST", path(pod) + "/eviction", body)

    assert (reply.status, reply.reason) == (400, "BadRequest")
    assert reply.message == f"name in URL does not match name in Eviction object: {pod} vs other"


def test_eviction_is_403_when_the_namespace_is_terminating(cluster: FakeCluster) -> None:
    """An eviction is a create, and the cause tells it from missing permission."""
    cluster.pause_controller("garbage")
    cluster.delete("namespaces", "default")

    reply = evict(cluster, pods(cluster)[0])

    assert (reply.status, reply.reason) == (403, "Forbidden")
    assert [each["reason"] for each in reply.causes] == ["NamespaceTerminating"]


def test_dry_run_eviction_takes_nothing_from_the_budget(cluster: FakeCluster) -> None:
    """With one disruption allowed, all of them are answered 201."""
    cluster.pdb("web", min_available=2)
    cluster.step()

    replies = [evict(cluster, pod, dryRun=["All"]).status for pod in pods(cluster)]

    assert replies == [201, 201, 201]
    assert (allowed(cluster), len(pods(cluster))) == (1, 3)


@pytest.mark.parametrize("arguments", [{"max_unavailable": 0}, {"min_available": 3}, {"min_available": "100%"}])
def test_budget_desires_all_when_it_can_never_allow(cluster: FakeCluster, arguments: dict) -> None:
    """Such a budget is told by desiredHealthy >= expectedPods."""
    cluster.pdb("web", **arguments)
    cluster.step()

    status = cluster.get(BUDGETS, "web")["status"]

    assert (status["desiredHealthy"], status["expectedPods"], status["disruptionsAllowed"]) == (3, 3, 0)


def test_budget_fails_its_sync_when_a_pod_has_no_controller(cluster: FakeCluster) -> None:
    """A percentage of nothing cannot be computed."""
    cluster.pod("loner", node="node-a", labels={"app": "loner"})
    cluster.pdb("loner", max_unavailable=1)
    cluster.step()

    condition = cluster.condition(BUDGETS, "loner", "DisruptionAllowed")

    assert (condition["status"], condition["reason"]) == ("False", "SyncFailed")


def test_deletion_time_is_the_request_plus_the_grace(cluster: FakeCluster) -> None:
    """And a smaller grace shortens it, a larger one does not."""
    pod = pods(cluster)[0]
    now = cluster.clock.now()

    reply = call(cluster, "DELETE", path(pod), {"gracePeriodSeconds": 60})
    longer = call(cluster, "DELETE", path(pod), {"gracePeriodSeconds": 90})
    shorter = evict(cluster, pod, gracePeriodSeconds=5)

    wait = parse(reply.body["metadata"]["deletionTimestamp"]) - now
    assert timedelta(seconds=58) < wait < timedelta(seconds=61)
    assert longer.body["metadata"]["deletionGracePeriodSeconds"] == 60
    assert shorter.status == 201
    assert cluster.get("pods", pod)["metadata"]["deletionGracePeriodSeconds"] == 5


def test_delete_is_409_when_the_uid_is_another_pods(cluster: FakeCluster) -> None:
    """A pod reborn under the same name is safe."""
    reply = call(cluster, "DELETE", path(pods(cluster)[0]), {"preconditions": {"uid": "old"}})

    assert (reply.status, reply.reason) == (409, "Conflict")


def test_delete_bypasses_the_budget(cluster: FakeCluster) -> None:
    """Only evictions ask."""
    cluster.pdb("web", max_unavailable=0)
    cluster.step()

    assert call(cluster, "DELETE", path(pods(cluster)[0])).status == 200


def test_pod_stays_when_a_finalizer_keeps_it(cluster: FakeCluster) -> None:
    """Until the finalizer is taken away."""
    pod = pods(cluster)[0]
    cluster.patch("pods", pod, {"metadata": {"finalizers": ["example.com/hold"]}})
    call(cluster, "DELETE", path(pod))
    cluster.settle()
    held = cluster.exists("pods", pod)

    cluster.patch("pods", pod, {"metadata": {"finalizers": None}})

    assert held
    assert not cluster.exists("pods", pod)


def test_pod_stays_terminating_when_its_node_is_down(cluster: FakeCluster) -> None:
    """No kubelet confirms the deletion, even long after the grace."""
    cluster.node_down("node-a")
    pod = pods(cluster)[0]
    evict(cluster, pod)
    cluster.clock.advance(100)
    cluster.step()

    assert "deletionTimestamp" in cluster.get("pods", pod)["metadata"]


def test_mirror_pod_comes_back_when_evicted(cluster: FakeCluster) -> None:
    """The API accepts it, the kubelet recreates it under a new uid."""
    before = cluster.mirror_pod("etcd", "node-a")["metadata"]
    cluster.settle()

    reply = evict(cluster, before["name"], "kube-system")
    cluster.settle()

    assert reply.status == 201
    assert cluster.get("pods", before["name"], "kube-system")["metadata"]["uid"] != before["uid"]


def test_daemonset_pod_comes_back_when_evicted_from_a_cordoned_node(cluster: FakeCluster) -> None:
    """The endless loop that a drain must not enter."""
    cluster.daemonset("agent")
    cluster.settle()
    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": True}})
    before = cluster.pods("app=agent")[0]["metadata"]

    evict(cluster, before["name"])
    cluster.settle()

    (after,) = cluster.ready_pods("app=agent")
    assert after["metadata"]["uid"] != before["uid"]
