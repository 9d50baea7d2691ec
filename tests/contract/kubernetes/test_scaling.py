"""Scaling: counts through /scale, minima of autoscalers, and what is refused because somebody else sets the count."""

from __future__ import annotations

import msgspec
import pytest

from runbook_engine.errors import Conflict, Permanent, Unreadable
from runbook_engine.model.observation import Autoscaler
from tests.contract.kubernetes.bed import Bed
from tests.contract.kubernetes.client import Refusal
from tests.contract.kubernetes.rig import WorkloadRig


@pytest.fixture
def rig(cluster: Bed) -> WorkloadRig:
    """A deployment of two replicas at rest."""
    cluster.deployment("web", replicas=2)
    rig = WorkloadRig(cluster, "deployment")
    rig.settle()
    return rig


def hpa(bed: Bed, name: str = "web", minimum: int | None = 2, maximum: int = 6, **metadata) -> None:
    """Autoscale the deployment; its metrics cannot be read, as on a cluster without a metrics server."""
    use = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "maxReplicas": maximum,
        "metrics": [{"type": "Resource", "resource": use}],
        **({"minReplicas": minimum} if minimum is not None else {}),
    }
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    bed.client.create("autoscaler", {**head, "metadata": {"name": name, **metadata}, "spec": spec})


def scaled_object(bed: Bed, minimum: int | None = 1, **annotations: str) -> None:
    """Autoscale the deployment with KEDA; a cluster without it skips the test."""
    spec = {
        "scaleTargetRef": {"name": "web"},
        "maxReplicaCount": 8,
        "triggers": [{"type": "cron", "metadata": {"timezone": "UTC", "start": "0 0 * * *", "end": "1 0 * * *"}}],
        **({"minReplicaCount": minimum} if minimum is not None else {}),
    }
    head = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
    try:
        bed.client.create(
            "scaledobject", {**head, "metadata": {"name": "web", "annotations": annotations}, "spec": spec}
        )
    except Refusal as refusal:
        if refusal.status == 404:
            pytest.skip("this cluster has no KEDA")
        raise


def count(bed: Bed) -> int:
    """Return how many replicas are wanted."""
    return int(bed.client.get("deployment", "web")["spec"].get("replicas", 0))


def minimum_of(bed: Bed) -> int | None:
    """Return the minimum as the autoscaler has it."""
    found = bed.client.get("autoscaler", "web")["spec"].get("minReplicas")
    return int(found) if found is not None else None


def test_template_stays_when_the_count_changes(rig: WorkloadRig) -> None:
    """Scaling touches the count and nothing else."""
    before = rig.bed.client.get("deployment", "web")["spec"]

    rig.writer.scale(rig.target, 4, expected=2)

    assert before | {"replicas": 4} == rig.bed.client.get("deployment", "web")["spec"]


def test_scale_conflicts_when_the_workload_is_another_one(rig: WorkloadRig) -> None:
    """One that was deleted and created again is not the one that was planned for."""
    planned = rig.look().target
    rig.bed.client.delete("deployment", "web")
    rig.bed.wait(lambda: rig.bed.client.find("deployment", "web") is None)
    rig.bed.deployment("web", replicas=2)

    with pytest.raises(Conflict) as conflict:
        rig.writer.scale(planned, 4, expected=2)

    assert 2 == count(rig.bed)
    assert str(conflict.value) == (
        f"{rig.target} was deleted and created again since it was looked at; nothing was changed"
    )


@pytest.mark.parametrize(("live", "wanted"), [(0, 2), (2, 0)], ids=["from nothing", "to nothing"])
def test_scale_is_refused_when_zero_is_crossed(rig: WorkloadRig, live: int, wanted: int) -> None:
    """Starting what somebody stopped, and stopping, are for a person."""
    rig.bed.client.patch("deployment", "web", {"spec": {"replicas": live}})

    with pytest.raises(Permanent) as refused:
        rig.writer.scale(rig.target, wanted, expected=live)

    assert live == count(rig.bed)
    assert str(refused.value) == (
        f"cannot scale {rig.target} from {live} to {wanted}: starting or stopping it is for a person"
    )


def test_autoscaler_is_seen_when_there_is_one(rig: WorkloadRig) -> None:
    """Its bounds and its count are those that the API holds."""
    hpa(rig.bed)
    rig.bed.wait(lambda: (seen := rig.look().autoscaler) is not None and seen.current == 2)

    expected = Autoscaler(kind="HorizontalPodAutoscaler", name="web", minimum=2, maximum=6, current=2)
    assert expected == rig.look().autoscaler


@pytest.mark.parametrize("minimum", [2, None], ids=["a written minimum", "no minimum"])
def test_minimum_is_raised_when_an_autoscaler_sets_the_count(rig: WorkloadRig, minimum: int | None) -> None:
    """The autoscaler's minimum is written, and the autoscaler raises the count; undoing writes it back."""
    hpa(rig.bed, minimum=minimum)
    expected = minimum or 1

    receipt = rig.writer.scale(rig.target, 4, expected=expected, minimum=True)

    assert not receipt.get("unchanged")
    assert 4 == minimum_of(rig.bed)
    rig.bed.wait(lambda: count(rig.bed) == 4, "the autoscaler's raise")
    rig.writer.scale(rig.target, expected, expected=4, minimum=True)
    assert expected == minimum_of(rig.bed)


def test_minimum_is_left_alone_when_already_so(rig: WorkloadRig) -> None:
    """A repeat finds its own minimum, whatever was expected."""
    hpa(rig.bed, minimum=4)

    assert rig.writer.scale(rig.target, 4, expected=2, minimum=True)["unchanged"] is True


def test_minimum_conflicts_when_it_has_moved(rig: WorkloadRig) -> None:
    """Somebody else's minimum is never overwritten."""
    hpa(rig.bed, minimum=3)

    with pytest.raises(Conflict) as conflict:
        rig.writer.scale(rig.target, 5, expected=2, minimum=True)

    assert 3 == minimum_of(rig.bed)
    assert str(conflict.value) == (
        f"HorizontalPodAutoscaler web of {rig.target} has a minimum of 3, not 2 any more; nothing was changed"
    )


def test_minimum_is_refused_when_above_the_maximum(rig: WorkloadRig) -> None:
    """The maximum is a bound that somebody has set."""
    hpa(rig.bed, maximum=5)

    with pytest.raises(Permanent) as refused:
        rig.writer.scale(rig.target, 6, expected=2, minimum=True)

    assert str(refused.value) == (
        "cannot raise the minimum of HorizontalPodAutoscaler web to 6: its maximum is 5 (raise that by hand)"
    )


def test_autoscaler_is_paused_when_nothing_is_wanted(rig: WorkloadRig) -> None:
    """At 0 replicas an autoscaler does nothing, and raising its minimum would do nothing either."""
    hpa(rig.bed)
    rig.bed.client.patch("deployment", "web", {"spec": {"replicas": 0}})

    seen = rig.look().autoscaler

    says = "HorizontalPodAutoscaler web does nothing while 0 replicas are wanted"
    assert seen is not None
    assert says == seen.paused
    with pytest.raises(Permanent) as refused:
        rig.writer.scale(rig.target, 3, expected=2, minimum=True)
    assert f"cannot scale {rig.target}: {says} (start it by hand)" == str(refused.value)


def test_workload_is_unreadable_when_two_autoscalers_set_its_count(rig: WorkloadRig) -> None:
    """Two of them overrule each other, so neither bound can be believed."""
    hpa(rig.bed)
    hpa(rig.bed, "other")
    says = (
        f"{rig.target} has 2 autoscalers: HorizontalPodAutoscaler other and HorizontalPodAutoscaler web "
        "(keep one of them; they overrule each other)"
    )

    with pytest.raises(Unreadable) as unread:
        rig.look()
    with pytest.raises(Permanent) as refused:
        rig.writer.scale(rig.target, 4, expected=2, minimum=True)

    assert (says, says) == (str(unread.value), str(refused.value))


def test_autoscaler_of_another_is_not_ours_when_names_are_alike(rig: WorkloadRig) -> None:
    """An autoscaler is matched by kind, name and group."""
    hpa(rig.bed)
    other = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"}}
    rig.bed.client.patch("autoscaler", "web", {"spec": other})

    assert rig.look().autoscaler is None


def test_autoscaler_tells_who_owns_it_when_git_does(rig: WorkloadRig) -> None:
    """An autoscaler that a tool keeps as it is in git would be written back."""
    hpa(rig.bed, annotations={"argocd.argoproj.io/tracking-id": "web:autoscaling/HorizontalPodAutoscaler:apps/web"})

    seen = rig.look().autoscaler

    assert seen is not None
    assert "Argo CD application web" == seen.gitops


@pytest.mark.parametrize("minimum", [1, None], ids=["a written minimum", "no minimum"])
def test_scaled_object_is_raised_when_keda_sets_the_count(rig: WorkloadRig, minimum: int | None) -> None:
    """KEDA writes the autoscaler below it, so the ScaledObject is the one to change."""
    scaled_object(rig.bed, minimum)
    rig.bed.wait(lambda: rig.bed.client.list("autoscaler"), "KEDA's autoscaler")
    seen, before = rig.look().autoscaler, minimum or 0
    assert seen is not None
    assert ("ScaledObject", "web", before, 8) == (seen.kind, seen.name, seen.minimum, seen.maximum)

    rig.writer.scale(rig.target, 4, expected=before, minimum=True)

    assert 4 == rig.bed.client.get("scaledobject", "web")["spec"]["minReplicaCount"]
    rig.bed.wait(lambda: count(rig.bed) == 4, "KEDA's raise")


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        ("autoscaling.keda.sh/paused", "true", "ScaledObject web is paused (autoscaling.keda.sh/paused)"),
        (
            "autoscaling.keda.sh/paused-replicas",
            "2",
            "ScaledObject web is paused at 2 replicas (autoscaling.keda.sh/paused-replicas)",
        ),
    ],
    ids=["paused", "paused at a count"],
)
def test_scaled_object_is_refused_when_paused(rig: WorkloadRig, annotation: str, value: str, says: str) -> None:
    """While KEDA is paused there may be no autoscaler at all, and the ScaledObject still rules."""
    scaled_object(rig.bed, **{annotation: value})

    seen = rig.look().autoscaler

    assert seen is not None
    assert says == seen.paused
    with pytest.raises(Permanent) as refused:
        rig.writer.scale(rig.target, 4, expected=1, minimum=True)
    assert f"cannot scale {rig.target}: {says} (resume it first)" == str(refused.value)


@pytest.mark.parametrize("autoscaled", [False, True], ids=["its autoscaler is gone", "an autoscaler has come"])
def test_scale_conflicts_when_another_thing_sets_the_count_than_was_planned_for(
    rig: WorkloadRig, autoscaled: bool
) -> None:
    """Undoing our minimum must not scale what somebody has pinned by hand, nor our count lower somebody's minimum."""
    if autoscaled:
        hpa(rig.bed, minimum=2)

    with pytest.raises(Conflict) as conflict:
        rig.writer.scale(rig.target, 1, expected=2, minimum=not autoscaled)

    assert 2 == count(rig.bed)
    assert not autoscaled or minimum_of(rig.bed) == 2
    assert str(conflict.value) == (
        f"HorizontalPodAutoscaler web sets the replicas of {rig.target} now; nothing was changed"
        if autoscaled
        else f"no autoscaler sets the replicas of {rig.target} any more; nothing was changed"
    )


def test_statefulset_is_scaled_when_expected(cluster: Bed) -> None:
    """A statefulset has a count of its own too."""
    cluster.statefulset("web", replicas=1)
    rig = WorkloadRig(cluster, "statefulset")
    rig.settle()

    rig.writer.scale(rig.target, 3, expected=1)

    rig.settle()
    look = rig.look()
    assert (3, 3, 3) == (look.replicas, look.ready, look.updated)


def test_unknown_uid_is_no_uid_when_it_was_never_asked(rig: WorkloadRig) -> None:
    """A target that was not resolved yet is held to its name alone."""
    rig.writer.scale(msgspec.structs.replace(rig.target, uid=""), 3, expected=2)

    assert 3 == count(rig.bed)
