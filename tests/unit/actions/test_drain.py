"""Drain: all that forbids it at once, a bounded batch a call, and no end before the workloads are whole again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from runbook_engine.actions.drain import ACTION, DrainParams
from runbook_engine.errors import Permanent, Unreadable
from runbook_engine.model.plan import Change, Outcome, Progress, hash_change
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

SECOND = timedelta(seconds=1)


class Cluster:
    """Three nodes; on the first, pods of a deployment and of a DaemonSet."""

    def __init__(self, pods: int = 3, replicas: int = 4) -> None:
        self.simulated = SimulatedWorld()
        self.node = self.simulated.add_node("worker-1")
        self.others = [self.simulated.add_node(f"worker-{number}") for number in (2, 3)]
        self.web = self.simulated.deploy("apps", "web", replicas=replicas)
        for number in range(pods):
            self.simulated.add_pod("apps", f"web-{number}", self.node, self.web)
        self.simulated.add_pod("kube-system", "agent", self.node, Target("daemonset", "local", "kube-system", "agent"))

    def prepare(self, **params: object) -> Change | None:
        """Prepare a drain."""
        return ACTION.prepare(DrainParams.model_validate(params), self.node, self.simulated.world)

    def change(self, **params: object) -> Change:
        """Return the change of a drain of the cordoned node."""
        self.simulated.nodes.cordon(self.node)
        change = self.prepare(**params)
        assert change is not None
        return change

    def apply(self, change: Change) -> Outcome:
        """Ask the next pods."""
        return ACTION.apply(change, "key", self.simulated.effects)

    def drained(self, change: Change) -> Outcome:
        """Ask until no pod is left."""
        for _ in range(200):
            outcome = self.apply(change)
            if outcome.after is None:
                return outcome
            self.simulated.push(outcome.after)
        raise AssertionError("the drain never ends")

    def refusal(self, **params: object) -> str:
        """Return why a drain is refused."""
        with pytest.raises(Permanent) as caught:
            self.prepare(**params)
        return str(caught.value)


def test_prepare_counts_the_pods_when_the_node_still_takes_pods() -> None:
    """A plan prepares the drain before the cordon has run; the DaemonSet's pod is no victim."""
    change = Cluster().prepare(gracePeriod="60s", skipTerminatingAfter="2m")

    assert change is not None
    assert (change.field, change.before, change.after, change.target.uid) == (
        "evictablePods",
        3,
        0,
        "uid-local-node-worker-1",
    )
    assert change.arguments == {
        "emptyDir": "block",
        "unmanagedPods": "block",
        "parallel": 5,
        "gracePeriod": "1m",
        "skipTerminatingAfter": "2m",
    }
    assert change.guard == {"nodeReady": True, "ready:deployment/apps/web": 4}


def test_prepare_binds_the_same_change_when_the_node_was_cordoned_meanwhile() -> None:
    """A yes that was given to the plan holds after the step before: only its guard knows when the cordon came."""
    cluster = Cluster()

    planned = cluster.prepare()
    begun = cluster.change()

    assert planned is not None
    assert hash_change("digest", "drain", planned) == hash_change("digest", "drain", begun)
    assert begun.guard["cordonedAt"] == "2026-01-05T09:00:00+00:00"


def test_prepare_returns_none_when_nothing_has_to_go() -> None:
    """A node with pods of DaemonSets alone is drained."""
    assert Cluster(pods=0).prepare() is None


def test_prepare_names_every_objection_when_several_pods_forbid_it() -> None:
    """One refusal tells all there is to repair."""
    cluster = Cluster()
    cluster.simulated.add_pod("apps", "cache", cluster.node, cluster.web, empty_dirs=("data",))
    cluster.simulated.add_pod("apps", "stray", cluster.node)
    cluster.simulated.add_pod("apps", "vault", cluster.node, cluster.web).ignored = "is marked runbook-engine/ignore"

    assert cluster.refusal() == (
        "cannot drain node/worker-1: pod apps/cache keeps data in an emptyDir "
        "(data; set emptyDir: delete to lose it); "
        "pod apps/stray has no controller: nothing brings it back (set unmanagedPods: evict to lose it); "
        "pod apps/vault is marked runbook-engine/ignore"
    )


def test_prepare_allows_losses_when_the_author_does() -> None:
    """Each kind of loss is allowed by its own word."""
    cluster = Cluster(pods=0)
    cluster.simulated.add_pod("apps", "cache", cluster.node, cluster.web, empty_dirs=("data",))
    cluster.simulated.add_pod("apps", "stray", cluster.node)

    change = cluster.prepare(emptyDir="delete", unmanagedPods="evict")

    assert change is not None
    assert change.before == 2


def test_prepare_names_ten_objections_when_there_are_more() -> None:
    """The rest is a number."""
    cluster = Cluster(pods=0)
    for number in range(13):
        cluster.simulated.add_pod("apps", f"stray-{number:02}", cluster.node)

    said = cluster.refusal()

    assert said.count("has no controller") == 10
    assert said.endswith("; and 3 more")


def test_prepare_is_refused_when_a_budget_can_never_allow_it() -> None:
    """With the budget's name and its numbers."""
    cluster = Cluster(pods=1, replicas=1)
    cluster.simulated.protect("keep-web", cluster.web, 1)

    assert cluster.refusal() == (
        "cannot drain node/worker-1: pod apps/web-0 can never leave: disruption budget keep-web wants 1 healthy pods "
        "and there are meant to be 1 (lower it, or add replicas)"
    )


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param(
            {"holds_us": True},
            "cannot drain node/worker-1: this engine runs on it (let it run elsewhere, or drain it by hand)",
            id="our own node",
        ),
        pytest.param(
            {"ignored": "is marked runbook-engine/ignore"},
            "cannot drain node/worker-1: it is marked runbook-engine/ignore",
            id="out of bounds",
        ),
        pytest.param(
            {"deleting": True},
            "cannot drain node/worker-1: it is being deleted (whatever deletes it has the rest to do)",
            id="being deleted",
        ),
    ],
)
def test_prepare_is_refused_when_the_node_is_not_ours_to_empty(state: dict[str, object], says: str) -> None:
    """The sentence says why."""
    cluster = Cluster()
    cluster.simulated.nodes.edit(cluster.node, **state)

    assert cluster.refusal() == says


def test_prepare_is_refused_when_what_runs_does_not_fit_elsewhere() -> None:
    """A drain that would leave pods without a node is no remedy."""
    cluster = Cluster()
    for other in cluster.others:
        cluster.simulated.nodes.fleet.nodes[other.key].capacity = 1

    assert cluster.refusal() == (
        "cannot drain node/worker-1: what it runs does not fit elsewhere: "
        "pods to move: 3, and room for 2 on other nodes (2)"
    )


def test_prepare_is_put_off_when_the_room_cannot_be_read() -> None:
    """Not knowing is no yes."""
    cluster = Cluster()
    cluster.simulated.fail_next("nodes.headroom", Unreadable("the API is away"))

    with pytest.raises(Unreadable):
        cluster.prepare()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        pytest.param("gracePeriod", "0s", "0s is not a time in whole seconds, 1s or more", id="no time to stop"),
        pytest.param(
            "gracePeriod", "1500ms", "1s500ms is not a time in whole seconds, 1s or more", id="a broken second"
        ),
        pytest.param("gracePeriod", 60, "a duration is written like 15s, 2m or 1h30m, not 60", id="no unit"),
        pytest.param("parallel", 0, "greater than or equal to 1", id="nobody leaves"),
        pytest.param("parallel", 51, "less than or equal to 50", id="too many at once"),
        pytest.param("emptyDir", "force", "Input should be 'block' or 'delete'", id="a word that does not exist"),
        pytest.param("force", True, "Extra inputs are not permitted", id="there is no force"),
    ],
)
def test_params_are_refused_when_they_would_do_harm(field: str, value: object, says: str) -> None:
    """Before anything runs, with the remedy."""
    with pytest.raises(ValidationError, match=says):
        DrainParams.model_validate({field: value})


def test_apply_asks_one_bounded_batch_and_says_how_far_it_is() -> None:
    """One pod of each owner at a time, and the reason names what is waited for."""
    cluster = Cluster()
    change = cluster.change()

    outcome = cluster.apply(change)

    assert outcome == Outcome.partial(
        timedelta(seconds=2), "0 of 3 pods have left; pod apps/web-0 is terminating", left=3
    )
    assert [touch.target for touch in cluster.simulated.effects_made] == ["node/worker-1", "apps/pod/web-0"]


def test_apply_waits_when_a_budget_has_nothing_left() -> None:
    """The budget's name and numbers are in the sentence, and nobody is forced."""
    cluster = Cluster(pods=3, replicas=3)
    cluster.simulated.protect("keep-web", cluster.web, 2)
    change = cluster.change()
    cluster.simulated.cluster.state(cluster.web).broken = 1

    outcome = cluster.apply(change)

    assert outcome.status == "partial"
    assert outcome.reason.startswith(
        "0 of 3 pods have left; pod apps/web-0 waits for disruption budget keep-web: it needs 2 healthy pods and has 2"
    )
    assert len(cluster.simulated.effects_made) == 1  # the cordon


def test_drain_ends_when_every_pod_has_left_and_keeps_every_budget_on_the_way() -> None:
    """The count falls batch by batch; never are fewer than two of three ready."""
    cluster = Cluster(pods=3, replicas=3)
    cluster.simulated.protect("keep-web", cluster.web, 2)
    change = cluster.change()

    ready = []
    outcome = cluster.apply(change)
    while outcome.after is not None:
        ready.append(cluster.simulated.seen(cluster.web).ready)
        cluster.simulated.push(outcome.after)
        outcome = cluster.apply(change)

    assert outcome == Outcome.noop("no pod is left to go")
    assert min(ready) == 2
    assert [pod.target.name for pod in cluster.simulated.nodes.seen_on(cluster.node)] == ["agent"]


def test_apply_fails_when_a_pod_that_forbids_it_has_come_meanwhile() -> None:
    """Nothing more is asked, and the sentence names the pod."""
    cluster = Cluster()
    change = cluster.change()
    cluster.simulated.add_pod("apps", "stray", cluster.node)

    outcome = cluster.apply(change)

    assert outcome == Outcome.failed(
        "pod apps/stray has no controller: nothing brings it back (set unmanagedPods: evict to lose it)", "blocked"
    )
    assert len(cluster.simulated.effects_made) == 1  # the cordon


def test_apply_is_refused_when_somebody_has_uncordoned_the_node() -> None:
    """What leaves would come straight back."""
    cluster = Cluster()
    change = cluster.change()
    cluster.simulated.nodes.edit(cluster.node, cordoned=False)

    with pytest.raises(Permanent, match="it is not cordoned"):
        cluster.apply(change)


def test_apply_conflicts_when_another_machine_bears_the_name() -> None:
    """The node that was judged is not this one."""
    cluster = Cluster()
    change = cluster.change()
    cluster.simulated.nodes.edit(cluster.node, target=Target("node", "local", "", "worker-1", "another"))

    assert cluster.apply(change).status == "conflict"


def test_pods_that_tolerate_the_cordon_leave_once_and_are_told_of() -> None:
    """They are put straight back, so asking them for ever would end in nothing."""
    cluster = Cluster(pods=0)
    cluster.simulated.add_pod("apps", "web-0", cluster.node, cluster.web).tolerates_cordon = True
    cluster.simulated.push(SECOND)
    change = cluster.change()

    cluster.drained(change)
    cluster.simulated.settle()
    seen = ACTION.observe(change, {"left": 0}, cluster.simulated.world)

    evicted = [touch for touch in cluster.simulated.effects_made if touch.method == "nodes.evict"]
    assert len(evicted) == 1
    assert seen == Progress.done(
        "no evictable pod is left on node/worker-1; "
        "pod apps/web-rs-new1 tolerates the cordon and was put straight back: it stays; "
        "what ran there is ready elsewhere"
    )


def test_terminating_pods_are_left_behind_only_when_the_node_is_not_ready() -> None:
    """A kubelet that does not answer can confirm nothing; one that does is waited for."""
    cluster = Cluster(pods=1)
    cluster.simulated.nodes.edit(cluster.node, ready=False)
    change = cluster.change(skipTerminatingAfter="60s")

    first = cluster.apply(change)
    cluster.simulated.push(timedelta(seconds=30 + 61))  # its grace, and then some
    last = cluster.apply(change)
    cluster.simulated.nodes.edit(cluster.node, ready=True)
    answered = ACTION.observe(change, first.receipt, cluster.simulated.world)

    assert first.status == "partial"
    assert last.status == "noop"
    assert change.guard["nodeReady"] is False
    assert answered.reason == "still on node/worker-1: apps/web-0"


def test_observe_waits_until_the_workload_is_as_ready_as_before() -> None:
    """The pods have left, but their places are not filled yet."""
    cluster = Cluster(pods=1, replicas=4)
    change = cluster.change()
    receipt = cluster.apply(change).receipt
    cluster.simulated.push(timedelta(seconds=6))

    starting = ACTION.observe(change, receipt, cluster.simulated.world)
    cluster.simulated.settle()
    whole = ACTION.observe(change, receipt, cluster.simulated.world)

    assert starting == Progress.progressing(
        "every pod has left node/worker-1; apps/deployment/web has 3 of 4 replicas ready", timedelta(seconds=5)
    )
    assert whole == Progress.done("no evictable pod is left on node/worker-1; what ran there is ready elsewhere")


def test_observe_wants_no_more_than_somebody_wants_now() -> None:
    """A workload that was scaled down or removed meanwhile is not waited for."""
    cluster = Cluster(pods=1, replicas=4)
    change = cluster.change()
    receipt = cluster.drained(change).receipt
    cluster.simulated.edit_replicas(cluster.web, 2)
    cluster.simulated.settle()
    smaller = ACTION.observe(change, receipt, cluster.simulated.world)
    cluster.simulated.cluster.remove(cluster.web)

    assert smaller.status == "done"
    assert ACTION.observe(change, receipt, cluster.simulated.world).status == "done"


def test_observe_says_each_end_when_the_node_is_not_what_it_was() -> None:
    """Absent before the first call; superseded when it takes pods again; done when it is gone or replaced."""
    cluster = Cluster(pods=2)
    change = cluster.change()
    world = cluster.simulated.world

    absent = ACTION.observe(change, {}, world)
    receipt = cluster.apply(change).receipt
    moving = ACTION.observe(change, receipt, world)
    cluster.simulated.nodes.edit(cluster.node, cordoned=False)
    opened = ACTION.observe(change, receipt, world)
    cluster.simulated.nodes.edit(cluster.node, target=Target("node", "local", "", "worker-1", "another"))
    replaced = ACTION.observe(change, receipt, world)
    cluster.simulated.nodes.remove_node(cluster.node)
    gone = ACTION.observe(change, receipt, world)

    assert [absent, moving, opened, replaced, gone] == [
        Progress.absent("nobody has been asked to leave node/worker-1: apps/web-0, apps/web-1"),
        Progress.progressing("still on node/worker-1: apps/web-0, apps/web-1", timedelta(seconds=5)),
        Progress.superseded("node/worker-1 takes new pods: somebody else has uncordoned it"),
        Progress.done("node/worker-1 is gone, and its pods with it: another machine bears its name now"),
        Progress.done("node/worker-1 is gone, and its pods with it"),
    ]
