"""Rollbacks on a cluster: the very template comes back, and the release that was bad is not taken for a good one."""

from __future__ import annotations

import subprocess

import pytest

from runbook_adapters.kubernetes.revisions import History, Kept
from runbook_adapters.kubernetes.templates import is_same_release, is_same_template, raw_template
from runbook_adapters.kubernetes.writes import pointer
from runbook_engine.errors import Conflict, Permanent
from tests.contract.kubernetes.bed import BROKEN, NEW, OLD, Bed
from tests.contract.kubernetes.rig import WorkloadRig, two_releases
from tests.tools import find_tool


def template(bed: Bed, kind: str = "deployment") -> dict:
    """Return the template that is wanted now."""
    return bed.client.get(kind, "web")["spec"]["template"]


def sets(bed: Bed) -> list[str]:
    """Return the names of the ReplicaSets."""
    return sorted(item["metadata"]["name"] for item in bed.client.list("replicaset", "app=web"))


def images(bed: Bed) -> set[str]:
    """Return the images that pods run."""
    return {pod["spec"]["containers"][0]["image"] for pod in bed.live_pods("web")}


def test_template_is_restored_to_the_byte_when_rolled_back(cluster: Bed) -> None:
    """What ran before is wanted again, whole, and the old ReplicaSet is used again."""
    rig = WorkloadRig(cluster, "deployment")
    cluster.deployment("web", image=OLD, env=[{"name": "A", "value": "1"}], volumes=[{"name": "tmp", "emptyDir": {}}])
    rig.settle()
    before = template(cluster)
    rig.release(NEW)
    known = sets(cluster)

    rig.writer.rollback(rig.target, 1, expected=2)
    rig.settle()

    assert before == template(cluster)
    assert known == sets(cluster)
    assert {OLD} == images(cluster)


def test_revision_is_the_restored_one_when_nobody_has_numbered_it_yet(cluster: Bed, fake) -> None:
    """Right after the write the controller still shows the old number; the template does not."""
    rig = two_releases(cluster, "deployment")
    fake.pause_controller("deployment")

    receipt = rig.writer.rollback(rig.target, 1, expected=2)

    assert 1 == rig.look().revision
    assert 3 == receipt["revision"]
    fake.resume_controller("deployment")
    rig.settle()
    look = rig.look()
    assert (3, (1,)) == (look.revision, look.revisions[0].formerly)


def test_revision_is_the_next_one_when_nobody_has_numbered_a_release_yet(cluster: Bed, fake) -> None:
    """A release that its controller has not seen is not the one before it, so nothing is rolled back over it."""
    rig = two_releases(cluster, "deployment")
    fake.pause_controller("deployment")
    cluster.release("deployment", "web", BROKEN)

    with pytest.raises(Conflict) as conflict:
        rig.writer.rollback(rig.target, 1, expected=2)

    assert f"{rig.target} is at revision 3, not 2 any more; nothing was changed" == str(conflict.value)


def test_restarted_release_is_no_older_release_when_it_runs_the_same(cluster: Bed) -> None:
    """After a restart the revision before is the same bad image, so it is no way back."""
    rig = WorkloadRig(cluster, "deployment")
    cluster.deployment("web", image=OLD)
    rig.settle()
    rig.release(NEW)
    rig.writer.restart(rig.target, "restart-1")
    rig.settle()

    look = rig.look()

    assert 3 == look.revision
    assert [3, 1] == [revision.number for revision in look.revisions]


def test_release_is_healthy_when_its_pods_are_there_or_somebody_said_so(cluster: Bed) -> None:
    """What runs well now, and what was noted as well before; of the rest nobody knows."""
    rig = WorkloadRig(cluster, "deployment")
    cluster.deployment("web", image=OLD)
    rig.settle()
    first = sets(cluster)[0]
    rig.release(NEW)
    note = {"metadata": {"annotations": {"runbook-engine/healthy-revisions": f'["{first}"]'}}}

    assert {2: True, 1: None} == {revision.number: revision.healthy for revision in rig.look().revisions}
    cluster.client.patch("deployment", "web", note)
    assert {2: True, 1: True} == {revision.number: revision.healthy for revision in rig.look().revisions}


def test_release_is_healthy_when_a_stuck_rollout_has_left_it_alone(cluster: Bed) -> None:
    """While the newest release cannot start, the one before it still serves: that is the way back."""
    rig = two_releases(cluster, "deployment")
    cluster.release("deployment", "web", BROKEN)
    cluster.wait(lambda: len(sets(cluster)) == 3)

    assert {3: None, 2: True, 1: None} == {found.number: found.healthy for found in rig.look().revisions}


def test_bad_release_is_not_the_way_back_when_it_was_rolled_away_from(cluster: Bed) -> None:
    """After a rollback the bad release is the one before; asked again, the writer leaves all as it is."""
    rig = two_releases(cluster, "deployment")
    cluster.release("deployment", "web", BROKEN)
    cluster.wait(lambda: len(sets(cluster)) == 3)
    rig.writer.rollback(rig.target, 2, expected=3)
    rig.settle()

    again = rig.writer.rollback(rig.target, 2, expected=3)

    assert again["unchanged"] is True
    assert {NEW} == images(cluster)
    assert {4: True, 3: None, 1: None} == {found.number: found.healthy for found in rig.look().revisions}


def test_change_cause_follows_the_template_when_rolled_back(cluster: Bed) -> None:
    """History tells of the release that runs; what others have noted stays."""
    rig = WorkloadRig(cluster, "deployment")
    cause, note = "kubernetes.io/change-cause", "example.com/owner"
    cluster.deployment("web", image=OLD, metadata={"annotations": {cause: "release one"}})
    rig.settle()
    released = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": NEW},
        {"op": "replace", "path": pointer("metadata", "annotations", cause), "value": "release two"},
        {"op": "add", "path": pointer("metadata", "annotations", note), "value": "shop"},
    ]
    cluster.client.patch("deployment", "web", released, how="json")
    rig.settle()

    rig.writer.rollback(rig.target, 1, expected=2)
    rig.settle()

    annotations = cluster.client.get("deployment", "web")["metadata"]["annotations"]
    assert ("release one", "shop") == (annotations[cause], annotations[note])
    assert "release one" == rig.look().revisions[0].summary


def test_rollback_is_refused_when_rollouts_are_paused(cluster: Bed) -> None:
    """A paused deployment would keep the template for later."""
    rig = two_releases(cluster, "deployment")
    cluster.client.patch("deployment", "web", {"spec": {"paused": True}})

    with pytest.raises(Permanent) as refused:
        rig.writer.rollback(rig.target, 1, expected=2)

    assert str(refused.value) == (
        f"cannot roll back {rig.target} to revision 1: its rollouts are paused (resume them first)"
    )


def test_rollback_is_refused_when_no_history_is_kept(cluster: Bed) -> None:
    """With revisionHistoryLimit 0 there is nothing to return to."""
    rig = WorkloadRig(cluster, "deployment")
    cluster.deployment("web", image=OLD, spec={"revisionHistoryLimit": 0})
    rig.settle()
    rig.release(NEW)
    cluster.wait(lambda: len(sets(cluster)) == 1)

    with pytest.raises(Permanent) as refused:
        rig.writer.rollback(rig.target, 1, expected=2)

    assert f"cannot roll back {rig.target} to revision 1: it is not kept (kept: 2)" == str(refused.value)


def test_rollback_conflicts_when_the_workload_is_another_one(cluster: Bed) -> None:
    """A deployment that was created again has other revisions under the same numbers."""
    rig = two_releases(cluster, "deployment")
    planned = rig.look().target
    cluster.client.delete("deployment", "web")
    cluster.wait(lambda: not cluster.client.find("deployment", "web") and not cluster.client.list("pod", "app=web"))
    again = two_releases(cluster, "deployment")

    with pytest.raises(Conflict):
        again.writer.rollback(planned, 1, expected=2)

    assert {NEW} == images(cluster)


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_rollback_ends_well_when_the_newest_release_cannot_start(cluster: Bed, kind: str) -> None:
    """Asked again and again as the receipt says, the broken pods are gone and the good release runs."""
    rig = two_releases(cluster, kind)
    cluster.release(kind, "web", BROKEN)
    cluster.wait(lambda: BROKEN in images(cluster), "a broken pod")
    before = rig.look().revision

    receipts = [rig.writer.rollback(rig.target, 2, expected=before)]
    cluster.wait(lambda: not _again(rig, receipts, before).get("stuck"), "a way free of stuck pods")

    rig.settle()
    assert {NEW} == images(cluster)
    assert rig.look().revision == receipts[0]["revision"]


def test_one_pod_is_taken_away_when_the_older_revision_is_stuck(cluster: Bed) -> None:
    """An ordered statefulset waits for a broken pod for ever, so that pod is taken away, and no other."""
    rig = two_releases(cluster, "statefulset")
    cluster.release("statefulset", "web", BROKEN)
    cluster.wait(lambda: BROKEN in images(cluster), "a broken pod")
    good = next(pod["metadata"]["uid"] for pod in cluster.live_pods("web") if pod["metadata"]["name"] == "web-0")

    first = rig.writer.rollback(rig.target, 2, expected=3)
    receipts = [first]
    cluster.wait(lambda: _again(rig, receipts, 3).get("unchanged"), "the last of the stuck pods")

    rig.settle()
    assert 1 == first["stuck"]
    assert ["web-1"] == [receipt["removed"] for receipt in receipts if "removed" in receipt]
    assert good == cluster.client.get("pod", "web-0")["metadata"]["uid"]


def test_no_pod_is_taken_away_when_the_controller_has_not_looked_yet(cluster: Bed, fake) -> None:
    """Before the older revision is wanted by its controller too, a pod would only come back as broken as it was."""
    rig = two_releases(cluster, "statefulset")
    cluster.release("statefulset", "web", BROKEN)
    cluster.wait(lambda: BROKEN in images(cluster), "a broken pod")
    fake.pause_controller("statefulset")
    fake.log.clear()

    receipts = [rig.writer.rollback(rig.target, 2, expected=3) for _ in range(3)]

    assert [1, 1, 1] == [receipt["stuck"] for receipt in receipts]
    assert (1, 0) == (fake.log.count("PATCH"), fake.log.count("DELETE"))


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
def test_former_number_is_remembered_when_the_cluster_forgets_it(cluster: Bed, kind: str) -> None:
    """A ControllerRevision keeps only its newest number, so the former one is noted where it can be found."""
    rig = two_releases(cluster, kind)
    before = template(cluster, kind)

    rig.writer.rollback(rig.target, 1, expected=2)
    rig.settle()

    look = rig.look()
    assert (3, (1,)) == (look.revision, look.revisions[0].formerly)
    assert rig.writer.rollback(rig.target, 1, expected=2)["unchanged"] is True
    rig.writer.rollback(rig.target, 2, expected=3)
    rig.settle()
    assert before == template(cluster, kind)


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_kubectl_sees_the_older_release_when_we_rolled_back(cluster: Bed, kind: str, fake, tmp_path) -> None:
    """A second client agrees: the rollout has ended, and the newest revision runs the old image."""
    kubectl = [str(find_tool("kubectl")), "--kubeconfig", str(fake.kubeconfig(tmp_path / "kubeconfig"))]
    kubectl += ["--namespace", cluster.namespace]
    rig = two_releases(cluster, kind)

    rig.writer.rollback(rig.target, 1, expected=2)

    status = subprocess.run([*kubectl, "rollout", "status", f"{kind}/web", "--timeout=120s"], capture_output=True)
    newest = subprocess.run(
        [*kubectl, "rollout", "history", f"{kind}/web", "--revision=3"], capture_output=True, text=True
    )
    assert 0 == status.returncode, status.stderr
    assert OLD in newest.stdout, newest.stderr


@pytest.mark.parametrize(
    ("returned", "number"),
    [(None, 4), (1, 4), (2, 4), (3, 3)],
    ids=["a new one", "the oldest", "the one before", "the newest itself"],
)
def test_number_is_the_next_one_when_a_release_becomes_the_newest(returned: int | None, number: int) -> None:
    """What the controller will call it, before it has done so."""
    kept = tuple(Kept(name=f"web-{each}", number=each, template={}, hash="") for each in (3, 2, 1))
    history = History(kept=kept, current=None)

    assert number == history.next_number(next((each for each in kept if each.number == returned), None))


EMPTY_DIR = {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}


@pytest.mark.parametrize(
    ("one", "other", "template_alike", "release_alike"),
    [
        ({"metadata": {"labels": {"pod-template-hash": "x"}}}, {"metadata": {"labels": {}}}, True, True),
        ({"metadata": {"creationTimestamp": None}}, {"metadata": {}}, True, True),
        (EMPTY_DIR, {"spec": {"volumes": [{"name": "tmp"}]}}, False, False),
        (
            {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "restart-1"}}},
            {"metadata": {}},
            False,
            True,
        ),
        ({"metadata": {"annotations": {"runbook-engine/mark": "x"}}}, {"metadata": {}}, False, True),
        ({"metadata": {"annotations": {"example.com/mark": "x"}}}, {"metadata": {}}, False, False),
        ({"$patch": "replace", "spec": {}}, {"spec": {}}, True, True),
    ],
    ids=[
        "the mark of a ReplicaSet",
        "a null",
        "an empty emptyDir",
        "a restart",
        "a mark of ours",
        "a mark of another",
        "a patch's directive",
    ],
)
def test_templates_are_alike_when_they_run_alike(
    one: dict, other: dict, template_alike: bool, release_alike: bool
) -> None:
    """What counts as the same template, and what as the same release."""
    assert (template_alike, release_alike) == (is_same_template(one, other), is_same_release(one, other))


def test_template_is_kept_whole_when_its_mark_is_dropped() -> None:
    """What is written back is what was written once, empty values included."""
    kept = {"metadata": {"labels": {"app": "web"}, "creationTimestamp": None}, **EMPTY_DIR}
    marked = {"metadata": {"labels": {"app": "web", "pod-template-hash": "x"}, "creationTimestamp": None}, **EMPTY_DIR}

    assert kept == raw_template(marked)


def _again(rig: WorkloadRig, receipts: list, expected: int) -> dict:
    receipts.append(rig.writer.rollback(rig.target, 2, expected=expected))
    return receipts[-1]
