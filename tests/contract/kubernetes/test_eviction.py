"""Evictions: every edge case of a drain, with the sentences that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from runbook_adapters.kubernetes.pods import Ourselves
from runbook_engine.errors import Conflict, Permanent, Retryable
from runbook_engine.model.eviction import EvictionBatch, EvictionRules
from runbook_engine.model.target import Target
from tests.contract.kubernetes.node_rig import (
    NODE_A,
    PLACE,
    RULES,
    Client,
    client,
    drain,
    evictions,
    fill,
    names_on,
    rest,
    sentences,
    until,
)
from tests.emulators.kubernetes import FakeCluster

WEB = {"matchLabels": {"app": "web"}}
DRAINER: dict[str, Any] = {
    "kind": "ClusterRole",
    "metadata": {"name": "drainer"},
    "rules": [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get"]},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]},
    ],
}


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """An emulated cluster without nodes."""
    with FakeCluster() as cluster:
        yield cluster


def pod_on_node_a(cluster: FakeCluster, name: str, **more: Any) -> None:
    """Put a pod that nothing controls onto the node, and wait until it runs."""
    cluster.pod(name, node="node-a", **more)
    cluster.wait(lambda: cluster.get("pods", name).get("status", {}).get("phase") == "Running")


def pod_of_web(cluster: FakeCluster) -> Target:
    """Return one pod of deployment web."""
    pod = cluster.pods("app=web")[0]["metadata"]
    return Target("pod", PLACE, "default", pod["name"], pod["uid"])


def counted(cluster: FakeCluster, name: str, **status: int) -> None:
    """Write a budget's counts as a controller would, and keep its controller from correcting them."""
    cluster.pause_controller("disruption")
    cluster.patch("poddisruptionbudgets", name, {"status": status})


def evicted_once(cluster: FakeCluster, rules: EvictionRules = RULES, limit: int = 5) -> EvictionBatch:
    """Cordon the node and evict one batch."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    return one.writer.evict(NODE_A, rules, limit=limit)


def empty_dirs(cluster: FakeCluster) -> None:
    """A pod that keeps data where it dies with it."""
    volumes = [
        {"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    fill(cluster, lambda: cluster.statefulset("web", replicas=1, volumes=volumes))


def unmanaged(cluster: FakeCluster) -> None:
    """A pod that nothing controls."""
    fill(cluster)
    pod_on_node_a(cluster, "web-0")


def orphan(cluster: FakeCluster) -> None:
    """A pod of a DaemonSet that is gone."""
    fill(cluster)
    cluster.pause_controller("garbage")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "no-more", "controller": True}
    spec = {"nodeName": "node-a", "containers": [{"name": "app", "image": "registry.example/app:v1"}]}
    metadata = {"name": "web-0", "ownerReferences": [owner]}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    cluster.wait(lambda: cluster.ready_pods())


def marked(annotation: str, value: str) -> Callable[[FakeCluster], None]:
    """A pod that people have marked."""

    def arrange(cluster: FakeCluster) -> None:
        fill(cluster)
        pod_on_node_a(cluster, "web-0", annotations={annotation: value})

    return arrange


def two_budgets(cluster: FakeCluster) -> None:
    """A pod under two budgets, of which one takes every pod."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pdb("web", max_unavailable=1)
    cluster.pdb("all", max_unavailable=1, selector={})
    rest(cluster)


def impossible_budget(cluster: FakeCluster) -> None:
    """A budget that wants every pod."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pdb("web", min_available=1)
    rest(cluster)


def no_disruption_budget(cluster: FakeCluster) -> None:
    """A budget that allows no disruption."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pdb("web", max_unavailable=0)
    rest(cluster)


def failed_budget(cluster: FakeCluster) -> None:
    """A budget whose pods have no controller to count by."""
    fill(cluster)
    pod_on_node_a(cluster, "web-0", labels={"app": "web"})
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)


def marked_namespace(cluster: FakeCluster) -> None:
    """A pod in a namespace that people have marked."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.patch("namespaces", "default", {"metadata": {"annotations": {"runbook-engine/ignore": "hands off"}}})


LOSE = msgspec.structs.replace(RULES, unmanaged_pods="evict", empty_dir="delete")


@pytest.mark.parametrize(
    ("arrange", "rules", "says"),
    [
        pytest.param(
            empty_dirs,
            RULES,
            "pod default/web-0 keeps data in an emptyDir (cache of at most 1Gi, shm in memory of at most 64Mi; "
            "set emptyDir: delete to lose it)",
            id="case 3, emptyDir",
        ),
        pytest.param(
            unmanaged,
            RULES,
            "pod default/web-0 has no controller: nothing brings it back (set unmanagedPods: evict to lose it)",
            id="case 4, nothing brings it back",
        ),
        pytest.param(
            orphan,
            RULES,
            "pod default/web-0 is left over from DaemonSet agent, which is gone: nothing brings it back "
            "(set unmanagedPods: evict to lose it)",
            id="case 4, left over from a DaemonSet",
        ),
        pytest.param(
            impossible_budget,
            RULES,
            "pod default/web-0 can never leave: disruption budget web wants 1 healthy pods "
            "and there are meant to be 1 (lower it, or add replicas)",
            id="case 6, minAvailable is all of them",
        ),
        pytest.param(
            no_disruption_budget,
            RULES,
            "pod default/web-0 can never leave: disruption budget web wants 1 healthy pods "
            "and there are meant to be 1 (lower it, or add replicas)",
            id="case 6, maxUnavailable is 0",
        ),
        pytest.param(
            failed_budget,
            LOSE,
            "pod default/web-0 cannot leave: disruption budget web does not work "
            '(found no controller ref for pod "web-0")',
            id="case 6, the budget cannot be counted",
        ),
        pytest.param(
            two_budgets,
            RULES,
            "pod default/web-0 is covered by 2 disruption budgets (all, web), and no eviction can obey more than one",
            id="case 7, two budgets",
        ),
        pytest.param(
            empty_dirs,
            msgspec.structs.replace(LOSE, grace=timedelta(0)),
            "pod default/web-0 is of StatefulSet web: without a grace period it could run twice at once "
            "(set gracePeriod to 1s or more)",
            id="case 14, no grace for a StatefulSet",
        ),
        pytest.param(
            marked("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
            LOSE,
            'pod default/web-0 is marked cluster-autoscaler.kubernetes.io/safe-to-evict: "false" '
            "(remove the mark to let it go)",
            id="case 21, not safe to evict",
        ),
        pytest.param(
            marked("karpenter.sh/do-not-disrupt", "true"),
            LOSE,
            'pod default/web-0 is marked karpenter.sh/do-not-disrupt: "true" (remove the mark to let it go)',
            id="case 21, not to be disrupted",
        ),
        pytest.param(
            marked("runbook-engine/ignore", "migration"),
            LOSE,
            "pod default/web-0 is marked runbook-engine/ignore: migration",
            id="our own mark",
        ),
        pytest.param(
            marked_namespace,
            LOSE,
            "pod default/web-0 is in namespace default, which is marked runbook-engine/ignore: hands off",
            id="our own mark, on its namespace",
        ),
    ],
)
def test_a_drain_is_blocked_when_one_pod_forbids_it(
    cluster: FakeCluster, arrange: Callable[[FakeCluster], None], rules: EvictionRules, says: str
) -> None:
    """The plan and the batch say the same sentence, nothing is asked, and nobody falls back to deleting."""
    arrange(cluster)

    batch = evicted_once(cluster, rules)

    assert batch.blocked == (says,)
    assert (batch.evicted, batch.left) == ((), 1)
    assert evictions(cluster) == []
    assert cluster.log.count("DELETE") == 0


def test_a_static_pod_stays_when_its_node_is_drained(cluster: FakeCluster) -> None:
    """Case 1: its kubelet would bring it back whatever the API says."""
    fill(cluster, lambda: cluster.mirror_pod("proxy", "node-a"))

    batch = evicted_once(cluster)

    assert batch == EvictionBatch(after=batch.after)
    assert names_on(cluster) == {"kube-system/proxy-node-a"}


def test_a_daemon_sets_pod_stays_when_its_node_is_drained(cluster: FakeCluster) -> None:
    """Case 2: it would be put straight back; the DaemonSet is asked for once."""
    fill(cluster, lambda: cluster.daemonset("agent"))

    batch = evicted_once(cluster)

    assert batch == EvictionBatch(after=batch.after)
    assert cluster.log.count("GET", "/daemonsets/agent") == 1


def test_a_pod_waits_when_its_budget_is_used_up(cluster: FakeCluster) -> None:
    """Case 5: the name and the numbers are told, nothing is asked, and others are not kept from leaving."""
    fill(cluster, lambda: cluster.deployment("web", replicas=2), lambda: cluster.deployment("api"))
    cluster.pdb("web", max_unavailable=1)
    broken = pod_of_web(cluster)
    cluster.pod_unready(broken.name)
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web").get("status", {}).get("disruptionsAllowed") == 0)
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web")["status"].get("currentHealthy") == 1)
    ready = next(pod["metadata"]["name"] for pod in cluster.ready_pods("app=web"))

    batch = evicted_once(cluster)

    assert batch.waiting == (f"pod default/{ready} waits for disruption budget web: it needs 1 healthy pods and has 1",)
    assert ready not in evictions(cluster)
    assert any(name.startswith("default/api-") for name in batch.evicted)


def test_a_pod_waits_when_the_server_finds_its_budget_used_up(cluster: FakeCluster) -> None:
    """Case 5: somebody else was faster, and the server's own numbers are told."""
    fill(cluster, lambda: cluster.deployment("web", replicas=2))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)
    one = interfering(cluster, "create", lambda path: counted(cluster, "web", disruptionsAllowed=0, currentHealthy=1))
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    asked = evictions(cluster)[0]
    assert batch.waiting == (
        f"pod default/{asked} waits: The disruption budget web needs 1 healthy pods and has 1 currently",
    )
    assert (batch.evicted, batch.left, batch.blocked) == ((), 2, ())
    assert batch.after == timedelta(seconds=5)
    assert cluster.log.count("DELETE") == 0


def test_a_pod_waits_as_long_as_the_server_says_when_its_budget_is_new(cluster: FakeCluster) -> None:
    """Case 5: a budget that nobody has counted yet comes with a time to wait."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pause_controller("disruption")
    cluster.pdb("web", max_unavailable=1)

    batch = evicted_once(cluster)

    assert batch.waiting == (
        "pod default/web-0 waits: The disruption budget web is still being processed by the server.",
    )
    assert batch.after == timedelta(seconds=10)


def test_a_replacement_that_is_not_there_yet_makes_no_budget_impossible(cluster: FakeCluster) -> None:
    """Case 6: a StatefulSet's next pod exists only after the one before has gone; until then fewer are counted."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=3))
    cluster.pdb("web", min_available=2)
    rest(cluster)
    cluster.pause_controller("statefulset")
    cluster.delete("pods", "web-1", gracePeriodSeconds=0)
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web")["status"].get("expectedPods") == 2)

    batch = evicted_once(cluster)

    assert batch.blocked == ()
    assert batch.waiting == (
        "pod default/web-0 waits for disruption budget web: it needs 2 healthy pods and has 2",
        "pod default/web-2 waits for disruption budget web: it needs 2 healthy pods and has 2",
    )


def test_the_server_finds_two_budgets_when_one_is_new(cluster: FakeCluster) -> None:
    """Case 7: the server's 500 is no server error."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)
    one = interfering(cluster, "create", lambda path: cluster.pdb("all", max_unavailable=1, selector={}))
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert batch.blocked == (
        "pod default/web-0 is covered by more than one disruption budget, and no eviction can obey both",
    )
    assert len(evictions(cluster)) == 1


def test_a_pod_waits_when_its_budget_has_impossible_numbers(cluster: FakeCluster) -> None:
    """Case 8: the 403 is of the budget and not of RBAC; its controller puts it right within half a minute."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)
    one = interfering(cluster, "create", lambda path: counted(cluster, "web", disruptionsAllowed=-1))
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert batch.waiting == (
        'pod default/web-0 waits: poddisruptionbudgets.policy "web" is forbidden: pdb disruptions allowed is negative',
    )
    assert batch.after == timedelta(seconds=30)


def crashing(cluster: FakeCluster, unhealthy: str | None) -> str:
    """Two replicas of which both must be healthy enough, one of them not ready; return the unready one."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=3))
    cluster.pdb("web", min_available=2, unhealthy=unhealthy)
    rest(cluster)
    for name in ("web-0", "web-1"):
        cluster.pod_unready(name)
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web")["status"].get("currentHealthy") == 1)
    return "web-0"


def test_an_unready_pod_waits_when_its_budget_protects_it(cluster: FakeCluster) -> None:
    """Case 9: that a crash-looping service with a budget blocks a drain is by design, and is told."""
    crashing(cluster, None)

    batch = evicted_once(cluster)

    assert batch.waiting[0] == (
        "pod default/web-0 waits for disruption budget web: it needs 2 healthy pods and has 1; "
        "the pod is not ready itself, which the budget protects by design "
        "(repair it, or set unhealthyPodEvictionPolicy: AlwaysAllow)"
    )
    assert evictions(cluster) == []


def test_an_unready_pod_leaves_when_its_budget_lets_it(cluster: FakeCluster) -> None:
    """Case 9: AlwaysAllow."""
    crashing(cluster, "AlwaysAllow")

    assert evicted_once(cluster).evicted == ("default/web-0",)


def test_a_pending_pod_leaves_whatever_its_budget(cluster: FakeCluster) -> None:
    """Case 10: what does not serve yet takes from no budget."""
    cluster.node("node-a")
    cluster.statefulset("web", replicas=1, image="registry.example/app:bad-pull")
    cluster.pdb("web", max_unavailable=0)
    cluster.wait(lambda: cluster.pods() and cluster.pods()[0]["spec"].get("nodeName"))
    cluster.wait(lambda: cluster.get("poddisruptionbudgets", "web").get("status", {}).get("expectedPods") == 1)

    assert evicted_once(cluster).evicted == ("default/web-0",)


def test_a_pod_on_its_way_is_waited_for_and_not_asked_again(cluster: FakeCluster) -> None:
    """Case 11: a second eviction could shorten its grace; what holds it is told."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.patch("pods", "web-0", {"metadata": {"finalizers": ["example.org/drain"]}})
    cluster.delete("pods", "web-0")

    batch = evicted_once(cluster)

    assert batch.waiting == ("pod default/web-0 is terminating, held by example.org/drain",)
    assert (batch.evicted, batch.left) == ((), 1)
    assert evictions(cluster) == []


def test_a_pod_that_somebody_else_asked_is_not_asked_again(cluster: FakeCluster) -> None:
    """Case 11: between the list and the look."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1, grace=30))
    cluster.patch("pods", "web-0", {"metadata": {"finalizers": ["example.org/drain"]}})
    one = interfering(cluster, "get", lambda path: cluster.delete("pods", "web-0") if "pods/web-0" in path else None)
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert batch.waiting == ("pod default/web-0 is terminating: somebody else asked it",)
    assert evictions(cluster) == []


@pytest.mark.parametrize("moment", ["get", "create"])
def test_a_pod_that_is_gone_is_a_success(cluster: FakeCluster, moment: str) -> None:
    """Case 12: between the list and the look, and between the look and the eviction."""
    fill(cluster)
    pod_on_node_a(cluster, "web-0")

    def delete(path: str) -> None:
        if "pods/web-0" in path and cluster.exists("pods", "web-0"):
            cluster.delete("pods", "web-0", gracePeriodSeconds=0)

    one = interfering(cluster, moment, delete)
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, LOSE, limit=5)

    assert (batch.evicted, batch.left, batch.waiting, batch.blocked) == ((), 0, (), ())


@pytest.mark.parametrize(("moment", "asked"), [("get", 0), ("create", 1)])
def test_a_namesake_is_never_hit(cluster: FakeCluster, moment: str, asked: int) -> None:
    """Case 13: a StatefulSet's pod reborn elsewhere; after the look the uid goes along, before it nothing is asked."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    first = cluster.get("pods", "web-0")["metadata"]["uid"]

    def reborn(path: str) -> None:
        if "pods/web-0" in path and cluster.get("pods", "web-0")["metadata"]["uid"] == first:
            cluster.delete("pods", "web-0", gracePeriodSeconds=0)
            cluster.wait(lambda: cluster.exists("pods", "web-0") and cluster.ready("statefulsets", "web"))

    one = interfering(cluster, moment, reborn)
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert (batch.evicted, batch.left) == ((), 0)
    assert len(evictions(cluster)) == asked
    assert "deletionTimestamp" not in cluster.get("pods", "web-0")["metadata"]


@pytest.mark.parametrize(
    ("grace", "options"),
    [
        pytest.param(None, {}, id="its own"),
        pytest.param(timedelta(seconds=90), {"gracePeriodSeconds": 90}, id="the author's"),
        pytest.param(timedelta(milliseconds=200), {"gracePeriodSeconds": 1}, id="never rounded to none"),
    ],
)
def test_an_eviction_says_which_pod_and_how_long(
    cluster: FakeCluster, grace: timedelta | None, options: dict[str, int]
) -> None:
    """Case 14: the uid, and a grace only where one is given."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    uid = cluster.get("pods", "web-0")["metadata"]["uid"]

    evicted_once(cluster, msgspec.structs.replace(RULES, grace=grace))

    sent = msgspec.json.decode(cluster.log.entries("POST", "/eviction")[0].body)
    assert sent == {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "web-0", "namespace": "default"},
        "deleteOptions": {"preconditions": {"uid": uid}, **options},
    }


def test_pods_of_a_silent_node_are_no_longer_waited_for_when_told(cluster: FakeCluster) -> None:
    """Case 15: no kubelet confirms their end; they are never deleted by force, and are told of."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.node_down("node-a")
    one = client(cluster)
    one.writer.cordon(NODE_A)
    rules = msgspec.structs.replace(RULES, skip_terminating_after=timedelta(milliseconds=50))
    assert one.writer.evict(NODE_A, rules, limit=5).left == 1

    until(lambda: one.writer.evict(NODE_A, rules, limit=5).left == 0)
    batch = one.writer.evict(NODE_A, rules, limit=5)

    deleted = cluster.get("pods", "web-0")["metadata"]["deletionTimestamp"]
    assert batch.warnings == (
        f"pod default/web-0 is terminating since {deleted[11:19]} and is no longer waited for: it stays",
    )
    assert cluster.log.count("DELETE") == 0
    assert len(evictions(cluster)) == 1


def test_a_drain_ends_when_its_node_is_deleted(cluster: FakeCluster) -> None:
    """Case 16: its pods vanish after a while, and nobody is asked."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1), lambda: cluster.daemonset("agent"))
    cluster.pause_controller("daemonset")
    one = client(cluster)
    known = one.reader.node(NODE_A).target
    one.writer.cordon(known)
    cluster.delete("nodes", "node-a")

    batch = one.writer.evict(known, RULES, limit=5)

    assert batch.waiting == ("node/node-a is gone, and 2 pods that were on it have not vanished yet",)
    assert batch.left == 2
    until(lambda: one.writer.evict(known, RULES, limit=5).left == 0)
    assert evictions(cluster) == []


def test_a_pod_waits_when_its_namespace_is_being_deleted(cluster: FakeCluster) -> None:
    """Case 17: an eviction is a create, which the namespace refuses; that is not RBAC."""
    cluster.namespace("old")
    fill(cluster, lambda: cluster.statefulset("web", replicas=1, namespace="old"))
    cluster.pause_controller("garbage")
    cluster.delete("namespaces", "old")

    batch = evicted_once(cluster)

    assert batch.waiting == ("pod old/web-0 waits: namespace old is being terminated",)
    assert (batch.evicted, batch.left) == ((), 1)


def test_a_drain_goes_on_when_an_owner_has_a_name_that_nothing_can_have(cluster: FakeCluster) -> None:
    """Whoever may create a pod may write any owner into it; none of that name exists, and no path is made of it."""
    fill(cluster)
    cluster.pause_controller("garbage")
    cluster.pod("web-0", node="node-a")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "../../x", "uid": "u", "controller": True}
    cluster.patch("pods", "web-0", {"metadata": {"ownerReferences": [owner]}})

    batch = evicted_once(cluster)

    assert batch.blocked == (
        "pod default/web-0 is left over from DaemonSet ../../x, which is gone: nothing brings it back "
        "(set unmanagedPods: evict to lose it)",
    )


def test_a_cordon_of_others_is_left_to_them(cluster: FakeCluster) -> None:
    """Case 18: the drain goes on, and our undo does not lift it."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.patch("nodes", "node-a", {"spec": {"unschedulable": True}}, manager="kubectl-cordon")
    one = client(cluster)

    assert one.writer.cordon(NODE_A)["unchanged"] is True
    assert one.writer.evict(NODE_A, RULES, limit=5).evicted == ("default/web-0",)
    node = one.reader.node(NODE_A)
    with pytest.raises(Conflict) as error:
        one.writer.uncordon(NODE_A)

    assert node.cordoned_by == "kubectl-cordon"
    assert str(error.value) == (
        f"node/node-a was cordoned by kubectl-cordon at {node.cordoned_at:%H:%M:%S}, not by this engine; "
        "it stays cordoned"
    )
    assert one.reader.node(NODE_A).cordoned


def test_a_cordon_that_others_renewed_is_left_to_them(cluster: FakeCluster) -> None:
    """Somebody has lifted ours and set their own."""
    fill(cluster)
    one = client(cluster)
    one.writer.cordon(NODE_A)
    for wanted in (None, True):
        cluster.patch("nodes", "node-a", {"spec": {"unschedulable": wanted}}, manager="kubectl-cordon")

    with pytest.raises(Conflict):
        one.writer.uncordon(NODE_A)

    assert one.reader.node(NODE_A).cordoned


@pytest.mark.parametrize("verb", ["cordon", "uncordon"])
def test_a_cordon_is_tried_again_when_the_node_is_busy(cluster: FakeCluster, verb: str) -> None:
    """A kubelet writes the status of its node all the time, and a server that loses that race says 409."""
    fill(cluster)
    one = client(cluster)
    if verb == "uncordon":
        one.writer.cordon(NODE_A)
    says = 'Operation cannot be fulfilled on nodes "node-a": the object has been modified'
    cluster.faults.denied("PATCH", "/nodes/node-a", says, code=409, times=3)

    receipt = getattr(one.writer, verb)(NODE_A)

    assert "unchanged" not in receipt
    assert one.reader.node(NODE_A).cordoned is (verb == "cordon")


@pytest.mark.parametrize("lost", [False, True], ids=["told", "its answer lost"])
def test_a_cordon_is_not_ours_when_somebody_was_faster(cluster: FakeCluster, lost: bool) -> None:
    """Setting what is set already changes nothing, and the receipt does not claim it."""
    fill(cluster)
    theirs = {"spec": {"unschedulable": True}}
    one = interfering(cluster, "patch", lambda path: cluster.patch("nodes", "node-a", theirs, manager="kubectl-cordon"))
    if lost:
        cluster.faults.lost_after("PATCH", "/nodes/node-a")

    receipt = one.writer.cordon(NODE_A)

    assert receipt["unchanged"] is True
    assert one.reader.node(NODE_A).cordoned_by == "kubectl-cordon"


def test_an_uncordon_is_done_when_somebody_was_faster(cluster: FakeCluster) -> None:
    """The test of the patch fails, a second look finds the node as wanted."""
    fill(cluster)

    def lift(path: str) -> None:
        cluster.patch("nodes", "node-a", {"spec": {"unschedulable": None}})

    one = interfering(cluster, "patch", lift, skip=1)
    one.writer.cordon(NODE_A)

    assert one.writer.uncordon(NODE_A)["unchanged"] is True
    assert not one.reader.node(NODE_A).cordoned


def test_the_engine_does_not_evict_itself(cluster: FakeCluster) -> None:
    """Case 19: whoever empties a node must not run on it."""
    fill(cluster, lambda: cluster.statefulset("runner", replicas=1))
    ourselves = Ourselves.told_by({"RUNBOOK_POD": "runner-0", "RUNBOOK_NAMESPACE": "default", "RUNBOOK_NODE": "node-a"})
    one = client(cluster, ourselves=ourselves)
    one.writer.cordon(NODE_A)
    says = "is the engine's own, and whoever empties a node must not run on it (run the engine elsewhere)"

    batch = one.writer.evict(NODE_A, LOSE, limit=5)
    with pytest.raises(Permanent) as error:
        one.writer.remove(Target("pod", PLACE, "default", "runner-0"), evict=True)

    assert one.reader.node(NODE_A).holds_us
    assert batch.blocked == (f"pod default/runner-0 {says}",)
    assert str(error.value) == f"default/pod/runner-0 {says}"
    assert evictions(cluster) == []


def test_a_pod_waits_when_a_webhook_says_not_now(cluster: FakeCluster) -> None:
    """Case 22: a 429 in Kubernetes' own form, without the cause of a budget, is quoted."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.faults.throttle_json("POST", "/eviction", times=20, retry_after=7)

    batch = evicted_once(cluster)

    assert batch.waiting == ("pod default/web-0 waits: please try again later",)
    assert batch.after == timedelta(seconds=7)


def test_a_pod_waits_when_a_webhook_is_down(cluster: FakeCluster) -> None:
    """Nothing was done; the webhook is named."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.faults.webhook_down("POST", "/eviction", times=20)

    batch = evicted_once(cluster)

    assert batch.waiting == (
        'pod default/web-0 waits: failed calling webhook "guard.example.com": failed to call webhook: '
        'Post "https://guard.example.com/": connection refused',
    )
    assert batch.left == 1


def test_a_pod_of_a_job_is_told_of(cluster: FakeCluster) -> None:
    """Case 23: leaving counts against the job's backoffLimit."""
    fill(cluster)
    cluster.job("import", image="registry.example/app:v1", spec={"backoffLimit": 1}, nodeName="node-a")
    cluster.wait(lambda: cluster.pods() and cluster.pods()[0].get("status", {}).get("phase") == "Running")
    name = cluster.pods()[0]["metadata"]["name"]

    batch = evicted_once(cluster)

    assert batch.warnings == (
        f"pod default/{name} counts as a failure of Job import, unless its podFailurePolicy ignores DisruptionTarget",
    )
    assert batch.evicted == (f"default/{name}",)


def test_a_drain_needs_no_more_than_its_role(cluster: FakeCluster) -> None:
    """Case 25: evictions need no permission to delete pods."""
    fill(cluster, lambda: cluster.deployment("web", replicas=2), lambda: cluster.daemonset("agent"))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)

    batches = drain(cluster, cordoned(bound(cluster, DRAINER)))

    assert batches[-1].left == 0
    assert not [entry for entry in cluster.log.entries() if entry.status == 403]


def test_a_drain_is_refused_when_it_may_not_evict(cluster: FakeCluster) -> None:
    """RBAC is no budget: it is told with who may not do what, and nothing is waited for."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    rules = [rule for rule in DRAINER["rules"] if rule["resources"] != ["pods/eviction"]]
    one = cordoned(bound(cluster, {**DRAINER, "rules": rules}))

    with pytest.raises(Permanent) as error:
        one.writer.evict(NODE_A, RULES, limit=5)

    assert str(error.value) == (
        'cannot create pods/eviction web-0 in namespace default: HTTP 403 Forbidden: pods "web-0" is forbidden: '
        'User "drainer" cannot create resource "pods/eviction" in API group "" in the namespace "default" '
        "(grant create on pods/eviction to drainer; runbook permissions lists what is needed)"
    )


def test_a_drain_is_refused_when_it_may_not_look(cluster: FakeCluster) -> None:
    """A missing permission to read a guard is a no."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    rules = [rule for rule in DRAINER["rules"] if rule["resources"] != ["poddisruptionbudgets"]]
    one = cordoned(bound(cluster, {**DRAINER, "rules": rules}))

    with pytest.raises(Permanent):
        one.writer.evict(NODE_A, RULES, limit=5)

    assert evictions(cluster) == []


def test_a_budget_is_judged_by_its_counts_when_owners_may_not_be_read(cluster: FakeCluster) -> None:
    """How many there are meant to be is looked up where that is allowed, and counted otherwise."""
    impossible_budget(cluster)

    batch = cordoned(bound(cluster, DRAINER)).writer.evict(NODE_A, RULES, limit=5)

    assert len(batch.blocked) == 1
    assert cluster.log.count("GET", "/statefulsets/web") == 1


def test_a_policy_that_keeps_a_pod_blocks_the_drain(cluster: FakeCluster) -> None:
    """A rule of the cluster says no to this pod; it is quoted."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    text = "ValidatingAdmissionPolicy 'evictions' with binding 'runbook-engine' denied request: not this one"
    cluster.faults.denied("POST", "/eviction", text)

    batch = evicted_once(cluster)

    assert batch.blocked == (
        "pod default/web-0 is not let go: cannot create pods/eviction web-0 in namespace default: "
        f"HTTP 422 Invalid: {text} (a rule of the cluster forbids it; change the runbook or the rule)",
    )


def test_a_pod_that_tolerates_the_cordon_stays_when_it_came_back(cluster: FakeCluster) -> None:
    """Evicted once, put straight back, told of, and no longer counted: no endless loop."""
    here, anything = {"kubernetes.io/hostname": "node-a"}, [{"operator": "Exists"}]
    fill(cluster, lambda: cluster.deployment("web", replicas=1, nodeSelector=here, tolerations=anything))
    one = client(cluster)
    one.writer.cordon(NODE_A)
    until(lambda: _later_than(one))  # the API tells times in whole seconds

    batches = drain(cluster, one)

    back = cluster.pods("app=web")[0]["metadata"]["name"]
    assert batches[-1].warnings == (f"pod default/{back} tolerates the cordon and was put straight back: it stays",)
    assert len(evictions(cluster)) == 1


def test_a_drain_conflicts_when_its_node_has_been_replaced(cluster: FakeCluster) -> None:
    """A node of the same name is not the one that was judged."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    one = client(cluster)
    known = one.reader.node(NODE_A).target
    cluster.delete("nodes", "node-a")
    cluster.node("node-a")

    with pytest.raises(Conflict) as error:
        one.writer.evict(known, RULES, limit=5)

    assert str(error.value) == "node/node-a has been replaced by another of the same name; it was not touched"


def test_a_drain_is_refused_when_its_node_is_not_cordoned(cluster: FakeCluster) -> None:
    """What leaves would come straight back."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))

    with pytest.raises(Permanent) as error:
        client(cluster).writer.evict(NODE_A, RULES, limit=5)

    assert str(error.value) == ("node/node-a is not cordoned: what leaves would come straight back (cordon it first)")


def test_a_removal_is_put_off_with_the_budgets_numbers(cluster: FakeCluster) -> None:
    """The server's own sentence; the pod stays."""
    fill(cluster, lambda: cluster.deployment("web", replicas=2))
    cluster.pdb("web", min_available=2)
    rest(cluster)
    pod = pod_of_web(cluster)

    with pytest.raises(Retryable) as error:
        client(cluster).writer.remove(pod, evict=True)

    assert str(error.value) == (
        f"pod default/{pod.name} waits: The disruption budget web needs 2 healthy pods and has 2 currently"
    )
    assert cluster.log.count("DELETE") == 0


def test_a_removal_without_grace_is_refused_for_a_stateful_set(cluster: FakeCluster) -> None:
    """It could run twice at once."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))

    with pytest.raises(Permanent) as error:
        client(cluster).writer.remove(Target("pod", PLACE, "default", "web-0"), evict=False, grace=timedelta(0))

    assert str(error.value) == (
        "default/pod/web-0 is of StatefulSet web: without a grace period it could run twice at once "
        "(set gracePeriod to 1s or more)"
    )


def test_a_pod_on_its_way_is_not_removed_again(cluster: FakeCluster) -> None:
    """It is left alone, and the receipt says so."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=1))
    cluster.patch("pods", "web-0", {"metadata": {"finalizers": ["example.org/drain"]}})
    cluster.delete("pods", "web-0")

    receipt = client(cluster).writer.remove(Target("pod", PLACE, "default", "web-0"), evict=True)

    assert receipt["unchanged"] is True
    assert cluster.log.writes() == []


def test_a_drain_tells_every_wait_once_and_ends(cluster: FakeCluster) -> None:
    """A budget of one, three replicas: one after the other, to the end."""
    fill(cluster, lambda: cluster.deployment("web", replicas=3))
    cluster.pdb("web", max_unavailable=1)
    rest(cluster)

    batches = drain(cluster, cordoned(client(cluster)), between=lambda: None)

    assert batches[-1].left == 0
    assert len(set(evictions(cluster))) == 3
    assert all(says.startswith("pod default/web-") for says in sentences(batches))
    assert names_on(cluster) == set()


def bound(cluster: FakeCluster, role: dict[str, Any]) -> Client:
    """Return a client that may do what the role says and nothing else."""
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "drainer"},
        "subjects": [{"kind": "User", "name": "drainer"}],
        "roleRef": {"kind": "ClusterRole", "name": "drainer"},
    }
    cluster.access.load(role, binding)
    return client(cluster, token=cluster.token("drainer"))


def cordoned(one: Client) -> Client:
    """Return the client once it has cordoned the node."""
    one.writer.cordon(NODE_A)
    return one


def interfering(cluster: FakeCluster, verb: str, interfere: Callable[[str], Any], skip: int = 0) -> Client:
    """Return a client that somebody else is faster than: once, just before its call of that verb on something."""
    return client(cluster, before=Interference(verb, interfere, skip))


class Interference:
    """Lets somebody else act just before a call: the writes, or the looks, of one pod or node."""

    def __init__(self, verb: str, interfere: Callable[[str], Any], skip: int) -> None:
        self._verb = verb
        self._interfere = interfere
        self._skip = skip
        self._done = False

    def __call__(self, verb: str, path: str) -> None:
        if verb != self._verb or (verb == "get" and "/pods/" not in path) or self._done:
            return
        if self._skip:
            self._skip -= 1
            return
        self._done = True
        self._interfere(path)


def _later_than(one: Client) -> bool:
    cordoned_at = one.reader.node(NODE_A).cordoned_at
    return cordoned_at is not None and datetime.now(UTC) - cordoned_at > timedelta(seconds=1.1)
