"""DeletePod: that very pod, never its successor, and only where something brings it back."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from pydantic import ValidationError

from runbook_engine.actions.delete_pod import ACTION, DeletePodParams, needs
from runbook_engine.errors import InvalidTarget, Permanent, Retryable
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.simulated_fleet import SimulatedPod

SECOND = timedelta(seconds=1)


class Cluster:
    """Two nodes and a deployment of four pods, so many of them ready; the others crash."""

    def __init__(self, ready: int = 4) -> None:
        self.simulated = SimulatedWorld()
        nodes = [self.simulated.add_node(f"worker-{number}") for number in (1, 2)]
        self.web = self.simulated.deploy("apps", "web", replicas=4, broken=4 - ready)
        self.pods = [self._pod(number, nodes[number % 2], ready=number < ready) for number in range(4)]

    def _pod(self, number: int, node: Target, *, ready: bool) -> SimulatedPod:
        waiting = "" if ready else "CrashLoopBackOff"
        pod = self.simulated.add_pod("apps", f"web-{number}", node, self.web, ready=ready, waiting=waiting)
        pod.restarts = 0 if ready else number
        return pod

    def prepare(self, target: Target, **params: object) -> Change | None:
        """Prepare a deletion."""
        return ACTION.prepare(DeletePodParams.model_validate(params), target, self.simulated.world)

    def change(self, target: Target, **params: object) -> Change:
        """Return the change of a deletion that has something to delete."""
        change = self.prepare(target, **params)
        assert change is not None
        return change

    def refusal(self, target: Target, **params: object) -> str:
        """Return why a deletion is refused."""
        with pytest.raises(Permanent) as caught:
            self.prepare(target, **params)
        return str(caught.value)


def test_prepare_binds_the_uid_when_the_pod_is_named() -> None:
    """A yes is for that very pod: its uid is among what is bound."""
    cluster = Cluster()

    change = cluster.change(cluster.pods[0].target, gracePeriod="30s")

    assert (change.field, change.before, change.after) == ("pod", "uid-local-apps-pod-web-0", None)
    assert change.arguments == {"uid": "uid-local-apps-pod-web-0", "mode": "evict", "gracePeriod": "30s"}
    assert change.guard == {"ready:deployment/apps/web": 4}


def test_prepare_takes_the_pod_that_restarted_most_when_a_workload_is_named() -> None:
    """One pod a run, the worst, and a healthy one is never meant."""
    cluster = Cluster(ready=1)

    change = cluster.change(cluster.web, waiting="CrashLoopBackOff")

    assert change.target.name == "web-3"


@pytest.mark.parametrize(
    ("target", "waiting"),
    [
        pytest.param("workload", "ImagePullBackOff", id="no pod of the workload waits for that reason"),
        pytest.param("pod", "CrashLoopBackOff", id="the named pod does not wait"),
    ],
)
def test_prepare_returns_none_when_no_pod_is_meant(target: str, waiting: str) -> None:
    """Nothing to do."""
    cluster = Cluster()

    assert cluster.prepare(cluster.web if target == "workload" else cluster.pods[0].target, waiting=waiting) is None


def test_prepare_returns_none_when_the_pod_is_on_its_way_out() -> None:
    """What is terminating needs nobody to ask again."""
    cluster = Cluster()
    cluster.simulated.nodes.remove(cluster.pods[0].target, evict=True)

    assert cluster.prepare(cluster.pods[0].target) is None


def test_prepare_is_refused_when_there_is_no_such_pod() -> None:
    """A pod that does not exist is an error, never a success."""
    cluster = Cluster()

    with pytest.raises(InvalidTarget):
        cluster.prepare(Target("pod", "local", "apps", "web-9"))


def test_prepare_is_refused_when_a_workload_is_named_without_a_reason() -> None:
    """Which pod is for the author to say."""
    cluster = Cluster()

    assert cluster.refusal(cluster.web) == (
        "cannot delete a pod of apps/deployment/web: it does not say which "
        "(say waiting: CrashLoopBackOff, or name the pod)"
    )


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param(
            {"owner": None, "workload": None},
            "it has no controller, so nothing would bring it back (delete it by hand)",
            id="no controller",
        ),
        pytest.param(
            {"owner_exists": False},
            "it has no controller, so nothing would bring it back (delete it by hand)",
            id="its controller is gone",
        ),
        pytest.param(
            {"mirror": True},
            "it is static, and its kubelet brings it back whatever the API says (change its manifest on the node)",
            id="a static pod",
        ),
        pytest.param(
            {"ignored": "is marked runbook-engine/ignore"}, "it is marked runbook-engine/ignore", id="ignored"
        ),
    ],
)
def test_prepare_is_refused_when_the_pod_is_not_ours_to_delete(state: dict[str, object], says: str) -> None:
    """The sentence says why."""
    cluster = Cluster()
    for name, value in state.items():
        setattr(cluster.pods[0], name, value)

    assert cluster.refusal(cluster.pods[0].target) == f"cannot delete pod apps/web-0: {says}"


def test_prepare_is_refused_when_the_pod_serves_and_too_few_do() -> None:
    """Two of four are ready: the third that serves is not taken away."""
    cluster = Cluster(ready=2)

    assert cluster.refusal(cluster.pods[0].target) == (
        "cannot delete pod apps/web-0: it is ready, and apps/deployment/web has only 2 of 4 replicas ready "
        "(at least 70%)"
    )


def test_prepare_allows_a_pod_that_does_not_serve_however_few_do() -> None:
    """Taking away what is broken makes nothing worse."""
    cluster = Cluster(ready=1)

    assert cluster.prepare(cluster.pods[2].target) is not None


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("delete", id="the server asks no budget before a deletion"),
        pytest.param("evict", id="the server would refuse, and three tries are over in seconds"),
    ],
)
def test_prepare_is_put_off_when_a_budget_has_nothing_left(mode: str) -> None:
    """It is waited for while there is time."""
    cluster = Cluster()
    cluster.simulated.protect("keep-web", cluster.web, 4)

    with pytest.raises(Retryable) as caught:
        cluster.prepare(cluster.pods[0].target, mode=mode)

    assert str(caught.value) == (
        "cannot delete pod apps/web-0: disruption budget keep-web allows none: 4 healthy, needs 4"
    )


def test_prepare_evicts_what_is_not_ready_when_its_budget_does_not_need_it() -> None:
    """Three of four are healthy, and three are wanted: the fourth, which crashes, takes from nobody."""
    cluster = Cluster(ready=3)
    cluster.simulated.protect("keep-web", cluster.web, 3)

    assert cluster.prepare(cluster.web, waiting="CrashLoopBackOff") is not None


def test_eviction_is_put_off_when_the_budget_says_no() -> None:
    """Surely not done, and worth another try."""
    cluster = Cluster()
    change = cluster.change(cluster.pods[0].target)
    cluster.simulated.protect("keep-web", cluster.web, 4)

    with pytest.raises(Retryable):
        ACTION.apply(change, "key", cluster.simulated.effects)

    assert cluster.simulated.effects_made == ()


@pytest.mark.parametrize("mode", ["evict", "delete"])
def test_pod_goes_once_when_applied_twice(mode: str) -> None:
    """The second call finds it gone, and the pod that took its place is left alone."""
    cluster = Cluster()
    change = cluster.change(cluster.pods[0].target, mode=mode)

    first = ACTION.apply(change, "key", cluster.simulated.effects)
    on_its_way = ACTION.apply(change, "key", cluster.simulated.effects)
    cluster.simulated.settle()
    after = ACTION.apply(change, "key", cluster.simulated.effects)

    assert (first.status, on_its_way.status) == ("done", "noop")
    assert after == Outcome.noop("apps/pod/web-0 is gone already")
    assert len(cluster.simulated.effects_made) == 1
    assert len(cluster.simulated.nodes.pods(cluster.web)) == 4


def test_successor_of_the_same_name_is_left_alone() -> None:
    """A StatefulSet gives the name again within a second; the uid tells them apart."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.add_node("worker-2")
    store = simulated.deploy("apps", "store", replicas=1, kind="statefulset")
    pod = simulated.add_pod("apps", "store-0", node, store).target
    change = ACTION.prepare(DeletePodParams(), pod, simulated.world)
    assert change is not None
    ACTION.apply(change, "key", simulated.effects)
    simulated.settle()

    again = ACTION.apply(change, "key", simulated.effects)

    assert again == Outcome.noop("apps/pod/store-0 is gone already")
    assert simulated.nodes.pod(pod).deleted_at is None
    assert ACTION.observe(change, {"asked": True}, simulated.world).status == "done"


def test_observe_does_not_believe_a_statefulset_that_has_not_looked_again() -> None:
    """Its status counts the pod that has gone as ready until its controller makes another one and counts anew."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    store = simulated.deploy("apps", "store", replicas=2, kind="statefulset")
    pods = [simulated.add_pod("apps", f"store-{number}", node, store) for number in range(2)]
    change = ACTION.prepare(DeletePodParams(), pods[1].target, simulated.world)
    assert change is not None
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    stale = simulated.cluster.state(store)
    stale.away = lambda now: 0

    simulated.nodes.fleet.pods.pop(pods[1].target.key)  # gone, and nobody has looked since
    vanished = ACTION.observe(change, receipt, simulated.world)
    successor = simulated.add_pod("apps", "store-1", node, store, ready=False)
    successor.target = msgspec.structs.replace(successor.target, uid="another")
    stale.away = lambda now: 0
    made = ACTION.observe(change, receipt, simulated.world)
    successor.ready = True
    ready = ACTION.observe(change, receipt, simulated.world)

    assert [vanished, made, ready] == [
        Progress.progressing("apps/pod/store-1 is gone; apps/statefulset/store has not made it anew yet", 2 * SECOND),
        Progress.progressing(
            "apps/pod/store-1 is gone; the pod that apps/statefulset/store has made anew is not ready yet", 2 * SECOND
        ),
        Progress.done("apps/pod/store-1 is gone, and its workload has no fewer replicas ready than before"),
    ]


def test_observe_waits_for_no_pod_that_is_not_wanted_any_more() -> None:
    """Somebody has scaled the StatefulSet down meanwhile: its highest pod does not come back."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    store = simulated.deploy("apps", "store", replicas=2, kind="statefulset")
    pod = simulated.add_pod("apps", "store-1", node, store)
    change = ACTION.prepare(DeletePodParams(), pod.target, simulated.world)
    assert change is not None
    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    simulated.nodes.fleet.pods.pop(pod.target.key)
    simulated.cluster.state(store).replicas = 1

    assert ACTION.observe(change, receipt, simulated.world).status == "done"


def test_observe_says_each_stage_when_time_passes() -> None:
    """Absent, terminating, gone but not replaced, whole again."""
    cluster = Cluster()
    change = cluster.change(cluster.pods[0].target)
    world = cluster.simulated.world

    absent = ACTION.observe(change, {}, world)
    receipt = ACTION.apply(change, "key", cluster.simulated.effects).receipt
    terminating = ACTION.observe(change, receipt, world)
    cluster.simulated.push(6 * SECOND)
    short = ACTION.observe(change, receipt, world)
    cluster.simulated.settle()
    whole = ACTION.observe(change, receipt, world)

    assert [absent, terminating, short, whole] == [
        Progress.absent("pod apps/web-0 has not been asked to go"),
        Progress.progressing("pod apps/web-0 is terminating", 2 * SECOND),
        Progress.progressing("apps/pod/web-0 is gone; apps/deployment/web has 3 of 4 replicas ready", 2 * SECOND),
        Progress.done("apps/pod/web-0 is gone, and its workload has no fewer replicas ready than before"),
    ]


def test_observe_names_what_holds_the_pod_when_it_does_not_go() -> None:
    """A finalizer keeps it, and no deletion of ours forces it."""
    cluster = Cluster()
    cluster.pods[0].finalizers = ("example.com/keep",)
    change = cluster.change(cluster.pods[0].target)
    receipt = ACTION.apply(change, "key", cluster.simulated.effects).receipt
    cluster.simulated.push(timedelta(minutes=5))

    seen = ACTION.observe(change, receipt, cluster.simulated.world)

    assert seen.reason == "pod apps/web-0 is terminating, held by example.com/keep"


def test_crash_looping_pod_is_healed_when_its_successor_starts() -> None:
    """What the action is for: one broken pod on a bad node."""
    cluster = Cluster(ready=3)

    ACTION.apply(cluster.change(cluster.web, waiting="CrashLoopBackOff"), "key", cluster.simulated.effects)
    cluster.simulated.settle()

    assert cluster.simulated.seen(cluster.web).ready == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("gracePeriod", "0s", id="no time to stop"),
        pytest.param("waiting", "Running", id="a reason that is none"),
        pytest.param("mode", "force", id="there is no force"),
    ],
)
def test_params_are_refused_when_they_would_do_harm(field: str, value: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValidationError):
        DeletePodParams.model_validate({field: value})


@pytest.mark.parametrize(
    ("mode", "removing"),
    [
        pytest.param({}, {"core/pods/eviction:create"}, id="by default"),
        pytest.param({"mode": "delete"}, {"core/pods:delete"}, id="deleting"),
        pytest.param(
            {"mode": "{{ inputs.mode }}"}, {"core/pods/eviction:create", "core/pods:delete"}, id="a template decides"
        ),
    ],
)
def test_needs_name_only_what_the_mode_takes(mode: dict[str, str], removing: set[str]) -> None:
    """Whoever evicts needs no right to delete."""
    assert {need for need in needs(mode, "pod") if need.endswith((":create", ":delete"))} == removing
