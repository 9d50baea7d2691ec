"""Rollouts: what a workload's own status means, as a table, and on a cluster that moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_adapters.kubernetes.rollout import failure_mark, has_downtime, standing_of
from tests.contract.kubernetes.bed import BROKEN, NEW, OLD, Bed
from tests.contract.kubernetes.rig import WorkloadRig, two_releases

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
EARLIER = "2026-03-01T02:00:00Z"
JUST_NOW = "2026-03-01T03:06:59Z"
DONE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": EARLIER}
MOVING = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "lastUpdateTime": JUST_NOW}
LATE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "lastUpdateTime": EARLIER,
    "message": "ReplicaSet has timed out progressing.",
}
REFUSED = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "lastTransitionTime": EARLIER,
    "message": "exceeded quota: pods",
}
REFUSED_JUST_NOW = REFUSED | {"lastTransitionTime": JUST_NOW}


def deployment(wanted: int = 3, *, observed: int = 2, conditions: tuple = (DONE,), spec: dict | None = None, **counts):
    """Return a deployment at generation 2; counts are updated, replicas and available."""
    status = {f"{name}Replicas" if name != "replicas" else name: count for name, count in counts.items()}
    status |= {"observedGeneration": observed, "conditions": list(conditions)}
    return {"metadata": {"generation": 2}, "spec": {"replicas": wanted, **(spec or {})}, "status": status}


def whole(count: int) -> dict[str, int]:
    """Return the counts of a workload of which everything is there."""
    return {"updated": count, "replicas": count, "available": count}


@pytest.mark.parametrize(
    ("found", "rollout", "reason"),
    [
        (deployment(**whole(3)), "complete", ""),
        (
            deployment(observed=1, **whole(3)),
            "progressing",
            "its controller has not looked at the newest change yet",
        ),
        (deployment(2, **whole(5)), "progressing", "5 updated and 5 available of 2"),
        (
            deployment(conditions=(MOVING,), updated=1, replicas=4, available=3),
            "progressing",
            "1 updated and 3 available of 3",
        ),
        (
            deployment(conditions=(MOVING,), updated=3, replicas=4, available=3),
            "progressing",
            "3 updated and 3 available of 3",
        ),
        (deployment(updated=3, replicas=3, available=1), "complete", "1 of 3 replicas are available"),
        (deployment(conditions=(), updated=3, replicas=3), "complete", "0 of 3 replicas are available"),
        (deployment(0, **whole(0)), "complete", ""),
        (
            deployment(conditions=(LATE,), updated=1, replicas=4, available=3),
            "failed",
            "ReplicaSet has timed out progressing.",
        ),
        (deployment(conditions=(LATE,), **whole(3)), "complete", ""),
        (
            deployment(conditions=(DONE, REFUSED), updated=2, replicas=2, available=2),
            "failed",
            "pods cannot be created: exceeded quota: pods",
        ),
        (
            deployment(
                conditions=(DONE, REFUSED | {"lastTransitionTime": JUST_NOW}), updated=2, replicas=2, available=2
            ),
            "progressing",
            "2 updated and 2 available of 3",
        ),
        (deployment(spec={"paused": True}, **whole(3)), "complete", ""),
        (
            deployment(spec={"paused": True}, updated=0, replicas=3, available=3),
            "progressing",
            "its rollouts are paused",
        ),
    ],
    ids=[
        "everything is there",
        "the status is from before the write",
        "five pods of two on the way down",
        "old pods still serve",
        "an old pod is left over",
        "pods fell ill after the rollout",
        "no deadline, and pods fell ill",
        "nothing is wanted",
        "the deadline passed",
        "the deadline passed long ago and all is well",
        "pods cannot be created",
        "pods cannot be created for a second now",
        "paused and whole",
        "paused halfway",
    ],
)
def test_deployment_stands_when_its_status_says(found: dict, rollout: str, reason: str) -> None:
    """Every row of the reading of a deployment's status."""
    standing = standing_of("deployment", found, NOW)

    assert (rollout, reason) == (standing.rollout, standing.reason)


def statefulset(wanted: int = 3, *, update: str = "b", current: str = "b", strategy: dict | None = None, **counts):
    """Return a statefulset at generation 2; counts are updated, replicas, ready and available."""
    status = {f"{name}Replicas" if name != "replicas" else name: count for name, count in counts.items()}
    status |= {"observedGeneration": 2, "currentRevision": current, "updateRevision": update}
    spec = {
        "replicas": wanted,
        "updateStrategy": strategy or {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    }
    return {"metadata": {"generation": 2}, "spec": spec, "status": status}


PARTED = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
THERE = {"replicas": 3, "ready": 3, "available": 3}


@pytest.mark.parametrize(
    ("found", "rollout", "reason"),
    [
        (statefulset(updated=3, **THERE), "complete", ""),
        (statefulset(current="a", updated=3, **THERE), "progressing", "3 updated and 3 available of 3"),
        (
            statefulset(updated=2, replicas=3, ready=2, available=2),
            "progressing",
            "2 updated and 2 available of 3",
        ),
        (statefulset(1, updated=3, **THERE), "progressing", "3 pods are still there, 1 are wanted"),
        (
            statefulset(current="a", strategy=PARTED, updated=1, **THERE),
            "complete",
            "partial: 2 of 3 replicas keep the older revision (partition 2)",
        ),
        (
            statefulset(current="a", strategy=PARTED, updated=0, **THERE),
            "progressing",
            "0 updated and 3 available of 3",
        ),
        (statefulset(strategy=PARTED, updated=3, **THERE), "complete", ""),
        (statefulset(current="a", strategy={"type": "OnDelete"}, updated=0, **THERE), "complete", ""),
        (statefulset(updated=3, replicas=3, ready=3, available=2), "complete", "2 of 3 replicas are available"),
    ],
    ids=[
        "everything is there",
        "the revision is not the current one yet",
        "a broken pod of an undone revision is left",
        "pods are on their way out",
        "a partition holds two back",
        "a partition, and the last has not moved yet",
        "a partition, and nothing to update",
        "updates are manual",
        "a pod has just become ready",
    ],
)
def test_statefulset_stands_when_its_status_says(found: dict, rollout: str, reason: str) -> None:
    """Every row of the reading of a statefulset's status."""
    standing = standing_of("statefulset", found, NOW)

    assert (rollout, reason) == (standing.rollout, standing.reason)


@pytest.mark.parametrize(
    ("kind", "replicas", "spec", "down"),
    [
        ("deployment", 3, {"strategy": {"type": "Recreate"}}, True),
        ("deployment", 1, {"strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}, False),
        ("deployment", 1, {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}}}, True),
        ("deployment", 1, {"strategy": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 1}}}, True),
        ("deployment", 4, {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "100%"}}}, True),
        ("deployment", 4, {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, False),
        ("statefulset", 1, {}, True),
        ("statefulset", 2, {}, False),
        ("daemonset", 3, {"updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, False),
        ("daemonset", 3, {"updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}}}, True),
    ],
    ids=[
        "recreate",
        "one replica with a surge",
        "one replica without a surge",
        "one replica without a surge in percent",
        "all may be gone at once",
        "one of four at a time",
        "a statefulset of one",
        "a statefulset of two",
        "a daemonset node by node",
        "a daemonset all at once",
    ],
)
def test_downtime_is_seen_when_every_replica_goes_first(kind: str, replicas: int, spec: dict, down: bool) -> None:
    """Whether a rollout may leave nothing that serves."""
    assert has_downtime(kind, {"spec": spec}, replicas) is down


def test_mark_differs_when_the_failure_is_another_one() -> None:
    """The same words at another time are another failure."""
    again = LATE | {"lastUpdateTime": JUST_NOW}

    marks = [failure_mark(deployment(conditions=(condition,))) for condition in (LATE, again, REFUSED, DONE)]

    assert marks == [
        "ProgressDeadlineExceeded 2026-03-01T02:00:00Z",
        "ProgressDeadlineExceeded 2026-03-01T03:06:59Z",
        "FailedCreate 2026-03-01T02:00:00Z",
        "",
    ]


def stuck(bed: Bed, deadline: int = 1) -> WorkloadRig:
    """Return a deployment whose newest release cannot be pulled."""
    rig = WorkloadRig(bed, "deployment")
    bed.deployment("web", image=OLD, spec={"progressDeadlineSeconds": deadline})
    rig.settle()
    bed.release("deployment", "web", BROKEN)
    return rig


def test_scale_down_is_not_complete_when_pods_are_left(cluster: Bed) -> None:
    """Right after 5 -> 2 there are at least two of everything, and still it is not done."""
    rig = WorkloadRig(cluster, "deployment")
    cluster.deployment("web", replicas=5)
    rig.settle()

    rig.writer.scale(rig.target, 2, expected=5)

    cluster.wait(lambda: rig.reader.glance(rig.target).rollout == "complete")
    found = rig.reader.glance(rig.target)
    status = cluster.client.get("deployment", "web")["status"]
    assert (2, 2, 2) == (found.replicas, found.ready, found.updated)
    assert (2, 2) == (status["replicas"], status["updatedReplicas"])


def test_failure_is_told_when_the_deadline_passes(cluster: Bed) -> None:
    """What the controller gives up is failed, in the controller's words."""
    rig = stuck(cluster)

    cluster.wait(lambda: rig.reader.glance(rig.target).rollout == "failed")

    found = rig.reader.glance(rig.target)
    assert "has timed out progressing" in found.rollout_reason
    assert found.failure_mark.startswith("ProgressDeadlineExceeded ")


def test_stale_deadline_bears_the_same_mark_when_we_write(cluster: Bed) -> None:
    """What had failed before our write is told apart from what fails after it, as long as the cluster repeats it."""
    rig = stuck(cluster)
    cluster.wait(lambda: rig.reader.glance(rig.target).rollout == "failed")
    before = rig.look()

    receipt = rig.writer.rollback(rig.target, 1, expected=before.revision)

    assert before.failure_mark == receipt["failureMark"]
    seen = []
    cluster.wait(lambda: (seen.append(rig.reader.glance(rig.target)), seen[-1].rollout == "complete")[1])
    assert {look.failure_mark for look in seen} <= {"", receipt["failureMark"]}


def test_stale_deadline_stays_when_nothing_moves(cluster: Bed) -> None:
    """A quota keeps every pod where it is, so the old failure stays for good; its mark says that it is old."""
    rig = stuck(cluster)
    cluster.wait(lambda: rig.reader.glance(rig.target).rollout == "failed")
    used = len(cluster.live_pods("web"))
    quota(cluster, used)

    receipt = rig.writer.scale(rig.target, 4, expected=2)

    cluster.wait(lambda: (look := rig.reader.glance(rig.target)).observed_generation >= look.generation)
    later = rig.reader.glance(rig.target)
    assert "failed" == later.rollout
    assert later.failure_mark == receipt["failureMark"]


def test_failure_is_early_when_the_newest_pods_cannot_start(cluster: Bed) -> None:
    """An image that cannot be pulled for a minute is not waited for until the deadline."""
    rig = stuck(cluster, deadline=600)
    cluster.wait(lambda: any(waiting(pod) for pod in cluster.live_pods("web")), "a pod that waits")
    cluster.clock.ahead = timedelta(seconds=20)
    assert "progressing" == rig.reader.glance(rig.target).rollout

    cluster.clock.ahead = timedelta(minutes=2)

    found = rig.reader.glance(rig.target)
    assert "failed" == found.rollout
    assert "container app of pod web-" in found.rollout_reason
    assert found.failure_mark.startswith("pods of web-")


def test_failure_of_old_pods_is_no_failure_when_they_are_replaced(cluster: Bed) -> None:
    """Pods that a rollback is about to replace do not fail it."""
    rig = stuck(cluster, deadline=600)
    cluster.wait(lambda: any(waiting(pod) for pod in cluster.live_pods("web")), "a pod that waits")
    cluster.clock.ahead = timedelta(minutes=2)

    rig.writer.rollback(rig.target, 1, expected=2)

    seen = []
    cluster.wait(lambda: (seen.append(rig.reader.glance(rig.target)), seen[-1].rollout == "complete")[1])
    assert "failed" not in {look.rollout for look in seen}


def test_failure_of_a_stuck_pod_is_no_failure_when_its_revision_is_undone(cluster: Bed) -> None:
    """A pod that an ordered statefulset waits for is of the revision that was undone, so it fails nothing any more."""
    rig = two_releases(cluster, "statefulset")
    cluster.release("statefulset", "web", BROKEN)
    cluster.wait(lambda: any(waiting(pod) for pod in cluster.live_pods("web")), "a pod that waits")
    cluster.clock.ahead = timedelta(minutes=2)
    assert "failed" == rig.reader.glance(rig.target).rollout

    rig.writer.rollback(rig.target, 2, expected=3)

    look = rig.reader.glance
    cluster.wait(lambda: look(rig.target).observed_generation >= look(rig.target).generation)
    assert "progressing" == look(rig.target).rollout


def test_progress_tells_of_no_room_when_no_node_takes_the_pods(cluster: Bed) -> None:
    """Pods that nobody can place are waited for, and the reason is said."""
    rig = two_releases(cluster, "deployment")
    nowhere = {"spec": {"template": {"spec": {"nodeSelector": {"runbook-engine-test": "nowhere"}}}}}
    cluster.client.patch("deployment", "web", nowhere)
    cluster.wait(lambda: any(unplaced(pod) for pod in cluster.live_pods("web")), "a pod that no node takes")
    cluster.clock.ahead = timedelta(minutes=2)

    found = rig.reader.glance(rig.target)

    assert "progressing" == found.rollout
    assert "of 2: no room for 1 of its pods: " in found.rollout_reason


def test_illness_is_told_when_pods_fall_ill_after_the_rollout(cluster: Bed, fake) -> None:
    """What has rolled out is no failed rollout when its pods crash, and the reason is there to read."""
    rig = two_releases(cluster, "deployment")
    name = cluster.live_pods("web")[0]["metadata"]["name"]
    crashed = {"name": "app", "ready": False, "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    unready = {"type": "Ready", "status": "False"}
    fake.pause_controller("kubelet")
    fake.patch("pods", name, {"status": {"containerStatuses": [crashed], "conditions": [unready]}}, cluster.namespace)

    cluster.wait(lambda: rig.reader.glance(rig.target).ready == 1)

    found = rig.reader.glance(rig.target)
    says = f"1 of 2 replicas are available: container app of pod {name} has been restarted 5 times"
    assert ("complete", says, "") == (found.rollout, found.rollout_reason, found.failure_mark)


def test_failure_is_told_when_a_quota_refuses_pods(cluster: Bed) -> None:
    """Pods that cannot be created fail after a while, in the words of whoever refused them."""
    rig = two_releases(cluster, "deployment")
    quota(cluster, 2)

    rig.writer.scale(rig.target, 3, expected=2)

    cluster.wait(lambda: failure_mark(cluster.client.get("deployment", "web")))
    assert "progressing" == rig.reader.glance(rig.target).rollout
    cluster.clock.ahead = timedelta(minutes=1)
    found = rig.reader.glance(rig.target)
    assert "failed" == found.rollout
    assert found.rollout_reason.startswith("pods cannot be created: ")
    assert "exceeded quota" in found.rollout_reason


def test_quota_tells_how_many_pods_are_left_when_there_is_one(cluster: Bed) -> None:
    """The room that the namespace still has, as guards ask for it."""
    rig = two_releases(cluster, "deployment")
    assert rig.look().quota_left is None

    quota(cluster, 6)

    cluster.wait(lambda: rig.look().quota_left == 4)


def test_workload_is_paused_when_somebody_paused_it(cluster: Bed) -> None:
    """A paused deployment says so, and a release of it is not waited for."""
    rig = two_releases(cluster, "deployment")
    cluster.client.patch("deployment", "web", {"spec": {"paused": True}})
    cluster.release("deployment", "web", OLD)
    cluster.wait(lambda: (look := rig.reader.glance(rig.target)).observed_generation >= look.generation)

    found = rig.reader.glance(rig.target)

    assert (True, "progressing", "its rollouts are paused") == (found.paused, found.rollout, found.rollout_reason)


def test_statefulset_is_partial_when_a_partition_holds_back(cluster: Bed) -> None:
    """With a partition the last replica is new and the first is not, and that is complete."""
    rig = WorkloadRig(cluster, "statefulset")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster.statefulset("web", image=OLD, spec={"updateStrategy": strategy})
    rig.settle()

    cluster.release("statefulset", "web", NEW)

    cluster.wait(lambda: rig.reader.glance(rig.target).rollout_reason.startswith("partial: 1 of 2 replicas"))
    found = rig.reader.glance(rig.target)
    assert ("complete", 1, 1) == (found.rollout, found.partition, found.updated)


def test_updates_are_manual_when_the_strategy_is_ondelete(cluster: Bed) -> None:
    """With OnDelete a new template does nothing until pods are deleted, and a reader says so."""
    cluster.daemonset("web", image=OLD, spec={"updateStrategy": {"type": "OnDelete"}})
    rig = WorkloadRig(cluster, "daemonset")

    assert rig.reader.glance(rig.target).manual_updates


def test_glance_is_one_call_when_nothing_is_wrong(cluster: Bed, fake) -> None:
    """Who asks again and again asks one question."""
    rig = two_releases(cluster, "deployment")
    fake.log.clear()

    rig.reader.glance(rig.target)

    assert 1 == fake.log.count()


def test_daemonset_names_the_node_when_it_is_not_ready(cluster: Bed, fake) -> None:
    """A node that does not answer holds a daemonset up, so it is named."""
    rig = two_releases(cluster, "daemonset")
    fake.pause_controller("nodes")  # which would take the node out of the daemonset's count in a while
    unready = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    fake.patch("nodes", "node-b", {"status": {"conditions": [unready]}})
    fake.node_down("node-b")
    cluster.release("daemonset", "web", OLD)

    cluster.wait(lambda: rig.reader.glance(rig.target).rollout_reason.endswith("not ready: node node-b"))


def quota(bed: Bed, pods: int) -> None:
    """Give the namespace a quota, and wait until it has counted."""
    body = {"metadata": {"name": "room"}, "spec": {"hard": {"pods": str(pods)}}}
    bed.client.create("resourcequota", {"apiVersion": "v1", "kind": "ResourceQuota", **body})
    bed.wait(lambda: (bed.client.get("resourcequota", "room").get("status") or {}).get("used"), "the quota's count")


def waiting(pod: dict) -> bool:
    """Whether a container of a pod cannot be pulled."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return any("ImagePull" in status.get("state", {}).get("waiting", {}).get("reason", "") for status in statuses)


def unplaced(pod: dict) -> bool:
    """Whether no node takes a pod."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(found["type"] == "PodScheduled" and found["status"] == "False" for found in conditions)
