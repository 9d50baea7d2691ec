"""Rollouts in the Kubernetes emulator: Deployments, StatefulSets, DaemonSets, Jobs and autoscalers."""

from collections.abc import Iterator

import pytest

from tests.emulators.kubernetes import FakeCluster, Settings
from tests.emulators.kubernetes.client import call, patch
from tests.emulators.kubernetes.trees import annotations, labels

REVISION = "deployment.kubernetes.io/revision"
IMAGE = "/spec/template/spec/containers/0/image"
APPS = "/apis/apps/v1/namespaces/default"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Two nodes, instant pods, controllers stepped by hand."""
    with FakeCluster(Settings(pod_start=0, pod_ready=0, pod_stop=0), background=False) as cluster:
        cluster.node("node-a")
        cluster.node("node-b")
        yield cluster


def status(cluster: FakeCluster, name: str = "web", plural: str = "deployments") -> dict:
    """Return the status of a workload."""
    return cluster.get(plural, name)["status"]


def progressing(cluster: FakeCluster, name: str = "web") -> tuple[str, str]:
    """Return status and reason of the Progressing condition."""
    condition = cluster.condition("deployments", name, "Progressing")
    return (condition["status"], condition["reason"])


def set_image(cluster: FakeCluster, image: str, name: str = "web", plural: str = "deployments") -> None:
    """Change the image of the first container."""
    assert patch(cluster, f"{APPS}/{plural}/{name}", ("replace", IMAGE, image)).status == 200


def images(cluster: FakeCluster, selector: str = "app=web") -> set[str]:
    """Return the images that run."""
    return {pod["spec"]["containers"][0]["image"] for pod in cluster.pods(selector)}


def web(cluster: FakeCluster, replicas: int = 3, **spec: object) -> None:
    """Create a Deployment and wait until it runs."""
    cluster.deployment("web", replicas=replicas, image="app:v1", spec=spec)
    cluster.wait_rollout("web")


def test_status_is_of_the_old_generation_until_the_controller_looks(cluster: FakeCluster) -> None:
    """Without that gate a status from before the write says done."""
    web(cluster)

    set_image(cluster, "app:v2")

    item = cluster.get("deployments", "web")
    assert (item["metadata"]["generation"], item["status"]["observedGeneration"]) == (2, 1)
    assert item["status"]["updatedReplicas"] == 3


def test_rolling_update_keeps_within_surge_and_unavailable(cluster: FakeCluster) -> None:
    """At no step are there more than four or fewer than three pods."""
    web(cluster, 3, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    set_image(cluster, "app:v2")

    seen = set()
    for _ in range(30):
        cluster.step()
        seen.add((len(cluster.pods("app=web")), len(cluster.ready_pods("app=web"))))

    assert images(cluster) == {"app:v2"}
    assert max(total for total, _ in seen) == 4
    assert min(ready for _, ready in seen) == 3


def test_recreate_ends_all_pods_before_new_ones_start(cluster: FakeCluster) -> None:
    """Both versions never run together."""
    cluster.deployment("web", replicas=2, image="app:v1", spec={"strategy": {"type": "Recreate"}})
    cluster.wait_rollout("web")
    set_image(cluster, "app:v2")

    mixed = []
    for _ in range(20):
        cluster.step()
        mixed.append(images(cluster))

    assert {"app:v1", "app:v2"} not in mixed
    assert set() in mixed
    assert images(cluster) == {"app:v2"}


def test_undo_reuses_the_old_replicaset_and_renumbers_it(cluster: FakeCluster) -> None:
    """An exact undo makes no new ReplicaSet; its former number goes to the history."""
    web(cluster)
    (first,) = cluster.list("replicasets")
    set_image(cluster, "app:v2")
    cluster.wait_rollout("web")

    set_image(cluster, "app:v1")
    cluster.wait_rollout("web")

    again = cluster.get("replicasets", first["metadata"]["name"])
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert annotations(again)[REVISION] == "3"
    assert annotations(again)["deployment.kubernetes.io/revision-history"] == "1"
    assert annotations(cluster.get("deployments", "web"))[REVISION] == "3"
    assert len(cluster.list("replicasets")) == 2


@pytest.mark.parametrize(("limit", "kept"), [(0, 1), (1, 2), (10, 4)])
def test_old_replicasets_go_beyond_the_history_limit(cluster: FakeCluster, limit: int, kept: int) -> None:
    """A limit of zero keeps nothing to roll back to."""
    web(cluster, 1, revisionHistoryLimit=limit)
    for version in ("v2", "v3", "v4"):
        set_image(cluster, f"app:{version}")
        cluster.wait_rollout("web")
    cluster.settle()

    assert len(cluster.list("replicasets")) == kept


def test_paused_deployment_is_observed_scaled_and_never_rolled(cluster: FakeCluster) -> None:
    """The controller reports the generation all the same."""
    web(cluster, 2)
    cluster.patch("deployments", "web", {"spec": {"paused": True}})
    set_image(cluster, "app:v2")
    cluster.patch("deployments", "web", {"spec": {"replicas": 3}})
    cluster.settle()

    item = cluster.get("deployments", "web")
    assert item["status"]["observedGeneration"] == item["metadata"]["generation"]
    assert images(cluster) == {"app:v1"}
    assert len(cluster.pods("app=web")) == 3
    assert progressing(cluster) == ("Unknown", "DeploymentPaused")


def stuck(cluster: FakeCluster, replicas: int = 3) -> dict:
    """Roll out an image that cannot be pulled until the deadline passes; return the condition."""
    web(cluster, replicas, progressDeadlineSeconds=60)
    set_image(cluster, "app:bad-pull")
    cluster.settle()
    cluster.clock.advance(120)
    cluster.settle()
    condition = cluster.condition("deployments", "web", "Progressing")
    assert (condition["status"], condition["reason"]) == ("False", "ProgressDeadlineExceeded")
    return condition


def test_pods_wait_in_image_pull_back_off_when_the_image_is_missing(cluster: FakeCluster) -> None:
    """The old pods go on serving."""
    stuck(cluster)

    reasons = {
        each["state"]["waiting"]["reason"]
        for pod in cluster.pods("app=web")
        for each in pod["status"]["containerStatuses"]
        if "waiting" in each["state"]
    }
    assert reasons == {"ImagePullBackOff"}
    assert status(cluster)["availableReplicas"] == 3


def test_old_deadline_condition_stays_when_no_pod_moves(cluster: FakeCluster) -> None:
    """The new generation is reported together with the failure of the old one."""
    before = stuck(cluster)
    cluster.quota("full", pods=str(len(cluster.pods())))

    cluster.patch("deployments", "web", {"spec": {"replicas": 6}})
    cluster.settle()

    item = cluster.get("deployments", "web")
    assert item["status"]["observedGeneration"] == item["metadata"]["generation"]
    assert cluster.condition("deployments", "web", "Progressing") == before


def test_quota_shows_as_replica_failure_while_progress_reads_fine(cluster: FakeCluster) -> None:
    """NewReplicaSetAvailable is no sign of health."""
    web(cluster, 2)
    cluster.quota("full", pods="3")

    cluster.patch("deployments", "web", {"spec": {"replicas": 5}})
    cluster.settle()

    failure = cluster.condition("deployments", "web", "ReplicaFailure")
    assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
    assert "exceeded quota: full, requested: pods=1, used: pods=3, limited: pods=3" in failure["message"]
    assert progressing(cluster) == ("True", "NewReplicaSetAvailable")


def test_reason_stays_available_when_pods_crash_after_the_rollout(cluster: FakeCluster) -> None:
    """The Progressing condition is about the rollout, not the pods."""
    web(cluster, 1)
    cluster.images["app:v1"] = "crash"
    cluster.settle()
    cluster.wait(lambda: cluster.pods("app=web")[0]["status"]["containerStatuses"][0]["restartCount"] > 0)

    assert progressing(cluster) == ("True", "NewReplicaSetAvailable")
    assert status(cluster).get("availableReplicas", 0) == 0


def test_counts_leave_out_terminating_pods(cluster: FakeCluster) -> None:
    """They live on for their grace."""
    web(cluster, 4)
    for node in ("node-a", "node-b"):
        cluster.node_down(node)

    cluster.patch("deployments", "web", {"spec": {"replicas": 1}})
    cluster.step()
    cluster.step()

    assert (status(cluster)["replicas"], status(cluster)["terminatingReplicas"]) == (1, 3)


def test_scaling_in_the_middle_of_a_rollout_is_proportional(cluster: FakeCluster) -> None:
    """Both ReplicaSets grow."""
    stuck(cluster, 4)
    before = {each["metadata"]["name"]: each["spec"]["replicas"] for each in cluster.list("replicasets")}

    cluster.patch("deployments", "web", {"spec": {"replicas": 12}})
    cluster.step()

    after = {each["metadata"]["name"]: each["spec"]["replicas"] for each in cluster.list("replicasets")}
    assert all(after[name] > before[name] for name in before)
    assert sum(after.values()) == 15


def test_annotation_raises_the_generation_of_a_deployment(cluster: FakeCluster) -> None:
    """The real server's rule, for Deployments only."""
    web(cluster, 1)
    cluster.statefulset("db")

    cluster.patch("deployments", "web", {"metadata": {"annotations": {"a": "b"}}})
    cluster.patch("statefulsets", "db", {"metadata": {"annotations": {"a": "b"}}})

    assert cluster.get("deployments", "web")["metadata"]["generation"] == 2
    assert cluster.get("statefulsets", "db")["metadata"]["generation"] == 1


def test_statefulset_starts_in_order_and_updates_from_the_top(cluster: FakeCluster) -> None:
    """One at a time, each ready before the next."""
    cluster.statefulset("db", replicas=3, image="app:v1")
    cluster.step()
    first = [pod["metadata"]["name"] for pod in cluster.pods("app=db")]
    cluster.settle()
    set_image(cluster, "app:v2", "db", "statefulsets")
    cluster.wait(lambda: "app:v2" in images(cluster, "app=db"))

    updated = [
        pod["metadata"]["name"] for pod in cluster.pods("app=db") if pod["spec"]["containers"][0]["image"] == "app:v2"
    ]
    cluster.settle()
    assert (first, updated) == (["db-0"], ["db-2"])
    assert images(cluster, "app=db") == {"app:v2"}
    assert (
        status(cluster, "db", "statefulsets")["currentRevision"]
        == status(cluster, "db", "statefulsets")["updateRevision"]
    )


def test_statefulset_leaves_pods_below_the_partition(cluster: FakeCluster) -> None:
    """A partition is a partial success."""
    spec = {"updateStrategy": {"rollingUpdate": {"partition": 2}}}
    cluster.statefulset("db", replicas=3, image="app:v1", spec=spec)
    cluster.settle()

    set_image(cluster, "app:v2", "db", "statefulsets")
    cluster.settle()

    found = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in cluster.pods("app=db")}
    assert found == {"db-0": "app:v1", "db-1": "app:v1", "db-2": "app:v2"}
    assert status(cluster, "db", "statefulsets")["updatedReplicas"] == 1


def test_statefulset_stays_stuck_after_the_template_is_restored(cluster: FakeCluster) -> None:
    """Revisions are equal while a broken pod of the bad one remains, until somebody deletes it."""
    cluster.statefulset("db", replicas=2, image="app:v1")
    cluster.settle()
    set_image(cluster, "app:bad-pull", "db", "statefulsets")
    cluster.settle()

    set_image(cluster, "app:v1", "db", "statefulsets")
    cluster.settle()

    shown = status(cluster, "db", "statefulsets")
    broken = cluster.get("pods", "db-1")
    assert shown["currentRevision"] == shown["updateRevision"]
    assert labels(broken)["controller-revision-hash"] != shown["updateRevision"]
    cluster.delete("pods", "db-1")
    cluster.wait_rollout("db", plural="statefulsets")
    assert images(cluster, "app=db") == {"app:v1"}


def test_statefulset_counts_terminating_pods(cluster: FakeCluster) -> None:
    """So ready >= wanted is true at once on the way down."""
    cluster.statefulset("db", replicas=3)
    cluster.settle()
    for node in ("node-a", "node-b"):
        cluster.node_down(node)

    cluster.patch("statefulsets", "db", {"spec": {"replicas": 1}})
    cluster.step()

    assert status(cluster, "db", "statefulsets")["replicas"] == 3


def test_controller_revision_restores_the_template_when_sent_as_a_patch(cluster: FakeCluster) -> None:
    """Its data is a strategic merge patch that replaces the template."""
    cluster.statefulset("db", replicas=1, image="app:v1", env={"A": "1"})
    cluster.settle()
    before = cluster.get("statefulsets", "db")["spec"]["template"]
    set_image(cluster, "app:v2", "db", "statefulsets")
    cluster.settle()
    oldest = min(cluster.list("controllerrevisions"), key=lambda each: each["revision"])

    media = "application/strategic-merge-patch+json"
    reply = call(cluster, "PATCH", f"{APPS}/statefulsets/db", oldest["data"], media=media)
    cluster.settle()

    assert reply.body["spec"]["template"] == before
    assert sorted(each["revision"] for each in cluster.list("controllerrevisions")) == [2, 3]


@pytest.mark.parametrize(
    ("plural", "strategy"), [("statefulsets", "OnDelete"), ("daemonsets", "OnDelete")], ids=["StatefulSet", "DaemonSet"]
)
def test_on_delete_changes_no_pod_until_it_is_deleted(cluster: FakeCluster, plural: str, strategy: str) -> None:
    """A template change alone does nothing."""
    create = cluster.statefulset if plural == "statefulsets" else cluster.daemonset
    create("db", image="app:v1", spec={"updateStrategy": {"type": strategy}})
    cluster.settle()

    set_image(cluster, "app:v2", "db", plural)
    cluster.settle()

    assert images(cluster, "app=db") == {"app:v1"}


def test_daemonset_is_blocked_when_a_node_is_down(cluster: FakeCluster) -> None:
    """The lost node's pod is never replaced, when the pods tolerate everything as agents do."""
    cluster.daemonset("agent", image="app:v1", tolerations=[{"operator": "Exists"}])
    cluster.settle()
    cluster.node_down("node-b")
    cluster.settle()

    set_image(cluster, "app:v2", "agent", "daemonsets")
    cluster.settle()

    shown = status(cluster, "agent", "daemonsets")
    assert (shown["desiredNumberScheduled"], shown.get("updatedNumberScheduled", 0)) == (2, 0)


def test_daemonset_keeps_a_pod_on_a_lost_node_without_wanting_it_there(cluster: FakeCluster) -> None:
    """The lost node refuses new pods, so it is no longer counted."""
    cluster.daemonset("agent")
    cluster.settle()

    cluster.node_down("node-b")
    cluster.settle()

    shown = status(cluster, "agent", "daemonsets")
    assert (shown["desiredNumberScheduled"], shown["numberMisscheduled"]) == (1, 1)
    assert len(cluster.pods("app=agent")) == 2


@pytest.mark.parametrize(
    ("image", "condition"),
    [("app:complete", ("Complete", "CompletionsReached")), ("app:fail", ("Failed", "BackoffLimitExceeded"))],
)
def test_job_ends_as_its_pods_do(cluster: FakeCluster, image: str, condition: tuple[str, str]) -> None:
    """A job that fails more than its limit gives up."""
    cluster.job("fix", image=image, spec={"backoffLimit": 1})

    (ended,) = cluster.wait(lambda: cluster.get("jobs", "fix").get("status", {}).get("conditions"))

    assert (ended["type"], ended["reason"]) == condition


def autoscaled(cluster: FakeCluster, replicas: int = 3) -> None:
    """Create a Deployment with an autoscaler between 2 and 5."""
    web(cluster, replicas)
    cluster.hpa("web", low=2, high=5)
    cluster.settle()


def test_autoscaler_raises_to_a_new_minimum_without_metrics(cluster: FakeCluster) -> None:
    """Bounds hold even with broken metrics."""
    autoscaled(cluster)

    cluster.patch("horizontalpodautoscalers", "web", {"spec": {"minReplicas": 4}})
    cluster.settle()

    assert cluster.get("deployments", "web")["spec"]["replicas"] == 4
    assert status(cluster, "web", "horizontalpodautoscalers")["currentReplicas"] == 4
    active = cluster.condition("horizontalpodautoscalers", "web", "ScalingActive")
    assert (active["status"], active["reason"]) == ("False", "FailedGetResourceMetric")


@pytest.mark.parametrize(
    ("written", "recommended", "expected"),
    [
        pytest.param(9, None, 5, id="above the maximum"),
        pytest.param(1, None, 2, id="below the minimum"),
        pytest.param(4, None, 4, id="inside, metrics broken"),
        pytest.param(2, 4, 4, id="inside, metrics ask for more"),
        pytest.param(4, 2, 4, id="inside, the way down is stabilized"),
        pytest.param(3, 9, 5, id="metrics ask for too many"),
        pytest.param(0, 4, 0, id="zero disables it"),
    ],
)
def test_autoscaler_resets_replicas_written_past_it(
    cluster: FakeCluster, written: int, recommended: int | None, expected: int
) -> None:
    """What is written into a managed workload does not stay."""
    autoscaled(cluster)
    cluster.recommend("web", recommended)

    cluster.patch("deployments", "web", {"spec": {"replicas": written}})
    cluster.settle()

    assert cluster.get("deployments", "web")["spec"]["replicas"] == expected


def test_autoscaler_does_nothing_when_the_target_is_at_zero(cluster: FakeCluster) -> None:
    """Raising its minimum does not wake it."""
    autoscaled(cluster)
    cluster.patch("deployments", "web", {"spec": {"replicas": 0}})

    cluster.patch("horizontalpodautoscalers", "web", {"spec": {"minReplicas": 4}})
    cluster.settle()

    active = cluster.condition("horizontalpodautoscalers", "web", "ScalingActive")
    assert (active["status"], active["reason"]) == ("False", "ScalingDisabled")
    assert cluster.get("deployments", "web")["spec"]["replicas"] == 0


def test_autoscalers_stop_when_two_share_a_target(cluster: FakeCluster) -> None:
    """Neither scales."""
    autoscaled(cluster)
    cluster.hpa("rival", low=4, high=6, target="web")
    cluster.settle()

    reasons = {
        cluster.condition("horizontalpodautoscalers", name, "ScalingActive")["reason"] for name in ("web", "rival")
    }
    assert reasons == {"AmbiguousSelector"}
    assert cluster.get("deployments", "web")["spec"]["replicas"] == 3


def test_keda_puts_back_the_autoscaler_and_follows_the_scaledobject(cluster: FakeCluster) -> None:
    """Only the ScaledObject's own bounds last."""
    web(cluster, 2)
    cluster.scaledobject("web", low=2, high=6)
    cluster.settle()
    cluster.patch("horizontalpodautoscalers", "keda-hpa-web", {"spec": {"minReplicas": 5}})
    cluster.settle()
    reverted = cluster.get("horizontalpodautoscalers", "keda-hpa-web")["spec"]["minReplicas"]

    cluster.patch("scaledobjects", "web", {"spec": {"minReplicaCount": 4}})
    cluster.settle()

    owner = cluster.get("horizontalpodautoscalers", "keda-hpa-web")["metadata"]["ownerReferences"][0]
    assert (reverted, owner["kind"]) == (2, "ScaledObject")
    assert cluster.get("deployments", "web")["spec"]["replicas"] == 4


def test_cordoned_node_is_tainted_and_takes_only_pods_that_tolerate_it(cluster: FakeCluster) -> None:
    """A pod that tolerates everything is scheduled straight back."""
    for node in ("node-a", "node-b"):
        cluster.patch("nodes", node, {"spec": {"unschedulable": True}})
    cluster.pod("plain")
    cluster.pod("stubborn", tolerations=[{"operator": "Exists"}])
    cluster.settle()

    refused = cluster.condition("pods", "plain", "PodScheduled")
    assert cluster.get("nodes", "node-a")["spec"]["taints"][0]["key"] == "node.kubernetes.io/unschedulable"
    assert (refused["status"], refused["reason"]) == ("False", "Unschedulable")
    assert cluster.get("pods", "stubborn")["spec"]["nodeName"]


def test_uncordon_takes_the_taint_away(cluster: FakeCluster) -> None:
    """The controller does it, not the caller."""
    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": True}})
    cluster.step()

    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": None}})
    cluster.step()

    assert "taints" not in cluster.get("nodes", "node-a")["spec"]


def test_pressure_taints_the_node_for_as_long_as_it_lasts(cluster: FakeCluster) -> None:
    """A kubelet's condition becomes a taint of the controller."""
    cluster.node_condition("node-a", "DiskPressure")
    cluster.step()
    tainted = cluster.get("nodes", "node-a")["spec"]["taints"]

    cluster.node_condition("node-a", "DiskPressure", "False")
    cluster.step()

    assert [(each["key"], each["effect"]) for each in tainted] == [("node.kubernetes.io/disk-pressure", "NoSchedule")]
    assert "taints" not in cluster.get("nodes", "node-a")["spec"]


def test_pods_of_a_deleted_node_are_collected_and_replaced(cluster: FakeCluster) -> None:
    """No kubelet is left to confirm anything."""
    web(cluster, 4)
    cluster.delete("nodes", "node-a")
    cluster.step()
    cluster.clock.advance(60)
    cluster.step()

    cluster.wait_rollout("web")

    assert {pod["spec"]["nodeName"] for pod in cluster.pods("app=web", live=False)} == {"node-b"}


def test_namespace_goes_when_it_is_empty(cluster: FakeCluster) -> None:
    """With all that was in it."""
    cluster.namespace("shop")
    cluster.deployment("web", replicas=2, namespace="shop")
    cluster.settle()

    cluster.delete("namespaces", "shop")
    cluster.settle()

    assert not cluster.exists("namespaces", "shop")
    assert cluster.list("pods", "shop") == []
