"""The actions cordon, drain, uncordon and deletePod on the adapter as it is served: planned, done and observed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_adapters.kubernetes.cluster import serve
from runbook_adapters.kubernetes.settings import KubernetesSettings
from runbook_engine.actions import cordon, delete_pod, drain, uncordon
from runbook_engine.errors import Permanent
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.model.plan import Change, Outcome
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, Effects, World
from runbook_engine.ports.absent import absent
from tests.contract.kubernetes.node_rig import NODE_A, PLACE, SystemClock, fill, names_on, rest, until
from tests.emulators.kubernetes import FakeCluster

MOST_BATCHES = 50


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """An emulated cluster without nodes."""
    with FakeCluster() as cluster:
        yield cluster


class Engine:
    """What an action sees of one cluster, and what it may touch."""

    def __init__(self, cluster: FakeCluster, folder: Path) -> None:
        token = cluster.token("engine", groups=["system:masters"])
        settings = KubernetesSettings(auth="token", server=cluster.url, token=SecretReference(env="TOKEN"))
        context = AdapterContext(
            clock=SystemClock(),
            configuration=Configuration(),
            base=folder,
            state=folder,
            secret=lambda reference: token,
            place=PLACE,
        )
        workloads, nodes = serve("cluster", settings, context), serve("nodes", settings, context)
        nothing = absent("nothing that a drain needs")
        self.cluster = cluster
        self.world = World(
            clock=context.clock,
            cluster=workloads.reader,
            nodes=nodes.reader,
            flags=nothing,
            metrics=nothing,
            changes=nothing,
            logs=nothing,
            pauses=nothing,
        )
        self.effects = Effects(cluster=workloads.writer, nodes=nodes.writer, flags=nothing, notifier=nothing)

    def planned(self, action: Any, target: Target, **params: Any) -> Change:
        """Return the change that an action prepares, which is there."""
        change = action.prepare(action.ACTION.params(**params), target, self.world)
        assert isinstance(change, Change)
        return change

    def cordoned(self) -> Change:
        """Cordon the node, and return the change."""
        change = self.planned(cordon, NODE_A)
        assert cordon.ACTION.apply(change, "key", self.effects).status == "done"
        return change

    def drained(self, change: Change) -> list[Outcome]:
        """Apply a drain until it is done."""
        outcomes: list[Outcome] = []
        while not outcomes or outcomes[-1].status == "partial":
            assert len(outcomes) < MOST_BATCHES, outcomes[-3:]
            outcomes.append(drain.apply(change, "key", self.effects))
            rest(self.cluster)
        return outcomes


def test_a_drain_is_planned_done_and_seen(cluster: FakeCluster, tmp_path: Path) -> None:
    """Cordoned, emptied batch by batch, whole again elsewhere; a second run has nothing to do."""
    fill(cluster, lambda: cluster.deployment("web", replicas=3), lambda: cluster.daemonset("agent"))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)
    engine = Engine(cluster, tmp_path)
    engine.cordoned()
    change = engine.planned(drain, NODE_A, gracePeriod="1s")

    outcomes = engine.drained(change)

    assert (change.before, change.after, change.target.uid) == (3, 0, engine.world.nodes.node(NODE_A).target.uid)
    assert [outcome.status for outcome in outcomes][-1] in ("done", "noop")
    assert drain.observe(change, outcomes[-1].receipt, engine.world).status == "done"
    assert {name.split("/")[1].split("-")[0] for name in names_on(cluster)} == {"agent"}
    assert drain.ACTION.prepare(drain.ACTION.params(), NODE_A, engine.world) is None


def test_a_drain_is_refused_with_everything_that_forbids_it(cluster: FakeCluster, tmp_path: Path) -> None:
    """All sentences at once, before anything is touched."""
    fill(cluster, lambda: cluster.statefulset("cache", volumes=[{"name": "data", "emptyDir": {}}]))
    cluster.pod("debug", node="node-a")
    cluster.wait(lambda: cluster.get("pods", "debug").get("status", {}).get("phase") == "Running")

    with pytest.raises(Permanent) as error:
        Engine(cluster, tmp_path).planned(drain, NODE_A)

    assert str(error.value) == (
        "cannot drain node/node-a: pod default/cache-0 keeps data in an emptyDir (data; set emptyDir: delete to lose "
        "it); pod default/debug has no controller: nothing brings it back (set unmanagedPods: evict to lose it)"
    )
    assert cluster.log.writes() == []


def test_a_drain_is_refused_when_there_is_no_room(cluster: FakeCluster, tmp_path: Path) -> None:
    """The numbers are told."""
    fill(cluster, lambda: cluster.statefulset("web", requests={"cpu": "3"}))
    for name in ("node-b", "node-c"):
        cluster.patch("nodes", name, {"status": {"allocatable": {"cpu": "1"}}})

    with pytest.raises(Permanent) as error:
        Engine(cluster, tmp_path).planned(drain, NODE_A)

    assert str(error.value) == (
        "cannot drain node/node-a: what it runs does not fit elsewhere: 3.00 CPU, 0 MiB and 1 pod would have to fit "
        "into 2.00 CPU, 65,536 MiB and 500 pods free on 2 other nodes: not enough cpu"
    )


def test_a_drain_is_refused_when_the_engine_runs_there(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever empties a node must not run on it."""
    fill(cluster, lambda: cluster.statefulset("web"))

    monkeypatch.setenv("RUNBOOK_NODE", "node-a")

    with pytest.raises(Permanent) as error:
        Engine(cluster, tmp_path).planned(drain, NODE_A)

    assert str(error.value) == (
        "cannot drain node/node-a: this engine runs on it (let it run elsewhere, or drain it by hand)"
    )


def test_a_drain_ends_when_pods_come_straight_back(cluster: FakeCluster, tmp_path: Path) -> None:
    """They are told of; nothing loops."""
    here, anything = {"kubernetes.io/hostname": "node-a"}, [{"operator": "Exists"}]
    fill(cluster, lambda: cluster.deployment("web", replicas=1, nodeSelector=here, tolerations=anything))
    engine = Engine(cluster, tmp_path)
    engine.cordoned()
    until(lambda: _since(engine) > timedelta(seconds=1.1))  # the API tells times in whole seconds
    change = engine.planned(drain, NODE_A)

    outcomes = engine.drained(change)

    seen = drain.observe(change, outcomes[-1].receipt, engine.world)
    back = cluster.pods("app=web")[0]["metadata"]["name"]
    assert seen.status == "done"
    assert f"pod default/{back} tolerates the cordon and was put straight back: it stays" in seen.reason
    assert cluster.log.count("POST", "/eviction") == 1


def test_a_drain_is_done_when_its_node_is_deleted(cluster: FakeCluster, tmp_path: Path) -> None:
    """The pods go with it."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=2))
    engine = Engine(cluster, tmp_path)
    engine.cordoned()
    change = engine.planned(drain, NODE_A)
    cluster.delete("nodes", "node-a")

    until(lambda: drain.apply(change, "key", engine.effects).status in ("done", "noop"))

    assert drain.observe(change, {}, engine.world).status == "done"
    assert cluster.log.count("POST", "/eviction") == 0


def test_a_cordon_is_undone_by_its_inverse(cluster: FakeCluster, tmp_path: Path) -> None:
    """Compensation: the very change backwards, while the cordon is ours."""
    fill(cluster)
    engine = Engine(cluster, tmp_path)
    change = engine.cordoned()

    undone = cordon.ACTION.apply(change.inverse(), "key", engine.effects)

    assert undone.status == "done"
    assert not engine.world.nodes.node(NODE_A).cordoned
    assert cordon.ACTION.observe(change.inverse(), undone.receipt, engine.world).status == "done"


def test_an_uncordon_is_refused_when_somebody_else_has_cordoned(cluster: FakeCluster, tmp_path: Path) -> None:
    """What a person has cordoned, a person opens."""
    fill(cluster)
    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": True}}, manager="kubectl-cordon")

    with pytest.raises(Permanent) as error:
        Engine(cluster, tmp_path).planned(uncordon, NODE_A)

    assert str(error.value) == (
        "cannot uncordon node/node-a: kubectl-cordon has cordoned it, and only that knows why (uncordon it by hand)"
    )


@pytest.mark.parametrize("mode", ["evict", "delete"])
def test_a_pod_is_deleted_and_its_successor_left_alone(cluster: FakeCluster, tmp_path: Path, mode: str) -> None:
    """A StatefulSet's pod comes back under the same name; a repeat finds its own gone."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=2))
    engine = Engine(cluster, tmp_path)
    change = engine.planned(delete_pod, Target("pod", PLACE, "default", "web-0"), mode=mode, gracePeriod="1s")

    first = delete_pod.apply(change, "key", engine.effects)
    until(lambda: delete_pod.observe(change, first.receipt, engine.world).status == "done")
    cluster.wait(lambda: cluster.exists("pods", "web-0"))
    again = delete_pod.apply(change, "key", engine.effects)

    assert (first.status, again.status) == ("done", "noop")
    assert "deletionTimestamp" not in cluster.get("pods", "web-0")["metadata"]


def _since(engine: Engine) -> timedelta:
    cordoned_at = engine.world.nodes.node(NODE_A).cordoned_at
    assert cordoned_at is not None
    return datetime.now(UTC) - cordoned_at


POLICY = "ValidatingAdmissionPolicy 'pods' with binding 'pods' denied request: this namespace is protected"


def test_a_rehearsal_says_what_the_cluster_would_deny(cluster: FakeCluster, tmp_path: Path) -> None:
    """A rule that lets no pod go is known before the node is cordoned; nothing was evicted to find out."""
    fill(cluster, lambda: cluster.deployment("web", replicas=3))
    engine = Engine(cluster, tmp_path)
    change = engine.planned(drain, NODE_A)
    cluster.faults.denied("POST", r"/eviction", POLICY)
    before = names_on(cluster)

    denial = drain.rehearse(change, engine.effects)

    assert denial.startswith("pod default/web-")
    assert POLICY in denial
    assert before == names_on(cluster)
    asked = [entry for entry in cluster.log.entries() if entry.path.endswith("/eviction")]
    assert ["dryRun=All" in entry.query for entry in asked] == [True]


def test_a_rehearsal_denies_nothing_when_a_budget_is_used_up(cluster: FakeCluster, tmp_path: Path) -> None:
    """A budget passes by itself; that the server named it proves that the rights are there."""
    fill(cluster, lambda: cluster.deployment("web", replicas=3))
    change = Engine(cluster, tmp_path).planned(drain, NODE_A)
    cluster.pdb("web", max_unavailable=0)
    rest(cluster)

    assert drain.rehearse(change, Engine(cluster, tmp_path).effects) == ""
