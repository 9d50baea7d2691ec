"""Evidence on a cluster: who changed what, what the pods wrote, and what the cluster says happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_adapters.kubernetes.changes import KubernetesChangeReader
from runbook_adapters.kubernetes.events import KubernetesEventReader
from runbook_adapters.kubernetes.logs import KubernetesLogReader
from runbook_engine.errors import Unreadable
from runbook_engine.model.target import NO_TARGET, Target
from tests.contract.kubernetes.bed import BROKEN, NEW, OLD, PLACE, Bed
from tests.contract.kubernetes.client import TESTER
from tests.contract.kubernetes.rig import two_releases

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def changes(bed: Bed, target: Target, since: datetime = LONG_AGO) -> list[tuple[str, str, bool, int]]:
    """Return who did what, newest first."""
    found = KubernetesChangeReader(bed.transport).changes(target, since)
    assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
    return [(event.who, event.what, event.ours, event.revision) for event in found]


def test_release_is_told_when_somebody_released(cluster: Bed) -> None:
    """What was released, by whom, and what is different in it."""
    rig = two_releases(cluster, "deployment")

    told = changes(cluster, rig.target)

    assert (TESTER, f"image {OLD} -> {NEW}", False, 2) in told
    assert (TESTER, OLD, False, 1) in told


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
def test_change_is_ours_when_we_made_it(cluster: Bed, kind: str) -> None:
    """What this engine did is told apart, so that it is not blamed for the incident that it mends."""
    rig = two_releases(cluster, kind)
    rig.writer.restart(rig.target, "restart-1")
    rig.settle()
    rig.writer.scale(rig.target, 3, expected=2)
    rig.settle()

    told = changes(cluster, rig.target)

    assert ("runbook-engine", "restarted", True, 3) in told
    assert ("runbook-engine", "wrote spec.replicas", True, 0) in told


def test_change_is_left_out_when_it_is_older(cluster: Bed) -> None:
    """Only what happened since then."""
    rig = two_releases(cluster, "deployment")

    assert [] == changes(cluster, rig.target, datetime.now(UTC) + timedelta(minutes=1))


def test_change_of_a_configmap_is_told_when_somebody_wrote_it(cluster: Bed) -> None:
    """Things that have no releases have writers."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"degraded": "off"}}
    cluster.client.create("configmap", body)

    assert [(TESTER, "wrote data.degraded", False, 0)] == changes(cluster, cluster.target("configmap", "web"))


@pytest.mark.parametrize(
    "target",
    [Target("parameter", PLACE, "", "/a/b"), NO_TARGET, Target("deployment", PLACE, "apps", "no-such-workload")],
    ids=["a parameter", "nothing", "what does not exist"],
)
def test_evidence_is_unreadable_when_the_cluster_has_none(cluster: Bed, target: Target) -> None:
    """What cannot be asked is never an empty answer."""
    with pytest.raises(Unreadable):
        KubernetesChangeReader(cluster.transport).changes(target, LONG_AGO)
    with pytest.raises(Unreadable):
        KubernetesLogReader(cluster.transport).logs(target, 10)
    with pytest.raises(Unreadable):
        KubernetesEventReader(cluster.transport).events(target, LONG_AGO)


def test_logs_are_those_of_every_pod_when_a_workload_is_asked(cluster: Bed) -> None:
    """Each container of each pod has a log of its own, bounded by the lines that were asked for."""
    rig = two_releases(cluster, "deployment")

    found = KubernetesLogReader(cluster.transport).logs(rig.target, 3)

    assert {f"{pod['metadata']['name']}/app" for pod in cluster.live_pods("web")} == {log.name for log in found}
    assert all(len(log.lines) <= 3 and not log.previous for log in found)


def test_logs_of_ailing_pods_come_first_when_others_are_well(cluster: Bed) -> None:
    """The pod that does not start is what an on-call wants to see; a statefulset breaks its last one first."""
    rig = two_releases(cluster, "statefulset")
    cluster.release("statefulset", "web", BROKEN)

    def is_broken() -> bool:
        found = cluster.client.find("pod", "web-1")
        return found is not None and found["spec"]["containers"][0]["image"] == BROKEN

    cluster.wait(is_broken, "a pod of the broken release")

    found = KubernetesLogReader(cluster.transport).logs(rig.target, 3)

    assert ["web-1/app", "web-0/app"] == [log.name for log in found]


def test_log_says_why_when_there_is_none(cluster: Bed, fake) -> None:
    """A container that never started has no log, and that is evidence too."""
    two_releases(cluster, "deployment")
    name = cluster.live_pods("web")[0]["metadata"]["name"]
    fake.faults.denied("GET", "/log", f'container "app" in pod "{name}" is waiting to start', code=400)

    (log,) = KubernetesLogReader(cluster.transport).logs(cluster.target("pod", name), 3)

    assert (f'[no log: container "app" in pod "{name}" is waiting to start]',) == log.lines


def test_logs_of_other_nodes_are_told_when_one_kubelet_is_silent(cluster: Bed, fake) -> None:
    """Of a node that is lost one log is waited for, and those of the others are the evidence."""
    rig = two_releases(cluster, "daemonset")
    pods = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in cluster.live_pods("web")}
    silent = min(pods)
    fake.faults.html("GET", f"/pods/{silent}/log", times=99)

    found = KubernetesLogReader(cluster.transport).logs(rig.target, 3)

    assert set(pods) == {log.name.partition("/")[0] for log in found}
    (lost,) = [log for log in found if log.name == f"{silent}/app"]
    assert ("[no log: <html><body>Bad Gateway</body></html>]",) == lost.lines


def test_logs_of_one_node_are_asked_once_when_its_kubelet_is_silent(cluster: Bed, fake) -> None:
    """Each further wait would take time from the others."""
    cluster.deployment("web", replicas=1, sidecars=[{"name": "beside", "image": OLD}])
    cluster.settle("deployment", "web")
    (pod,) = cluster.live_pods("web")
    fault = fake.faults.timeout("GET", "/log", times=99)

    found = KubernetesLogReader(cluster.transport).logs(cluster.target("deployment", "web"), 3)

    assert fault.seen <= 5
    assert [f"[no log: node {pod['spec']['nodeName']} does not answer]"] == list(found[1].lines)


def test_log_of_what_prepares_a_pod_is_told_when_that_fails(cluster: Bed, fake) -> None:
    """A pod that never gets to its containers says why in the log of what comes before; a sidecar stays."""
    before = [{"name": "migrate", "image": OLD}, {"name": "proxy", "image": OLD, "restartPolicy": "Always"}]
    cluster.deployment("web", replicas=1, initContainers=before)
    cluster.settle("deployment", "web")

    found = KubernetesLogReader(cluster.transport).logs(cluster.target("deployment", "web"), 3)

    assert {"app", "proxy"} == {log.name.partition("/")[2] for log in found}


def test_logs_before_a_restart_are_empty_when_nothing_restarted(cluster: Bed) -> None:
    """Only containers that were restarted have a log from before."""
    rig = two_releases(cluster, "deployment")

    assert () == KubernetesLogReader(cluster.transport).logs(rig.target, 3, previous=True)


def test_logs_before_a_restart_are_there_when_a_container_crashed(cluster: Bed, fake) -> None:
    """The log of the container that died is the one that tells why."""
    cluster.deployment("web", replicas=1, image="registry.example/app:crash")
    reader, target = KubernetesLogReader(cluster.transport), cluster.target("deployment", "web")

    cluster.wait(lambda: reader.logs(target, 5, previous=True), "a crash")

    (log,) = reader.logs(target, 5, previous=True)
    assert log.previous


def test_log_of_a_pod_is_one_when_a_pod_is_asked(cluster: Bed) -> None:
    """A pod can be asked by its own name."""
    two_releases(cluster, "deployment")
    name = cluster.live_pods("web")[0]["metadata"]["name"]

    found = KubernetesLogReader(cluster.transport).logs(cluster.target("pod", name), 3)

    assert [f"{name}/app"] == [log.name for log in found]


def test_log_is_cut_at_its_start_when_it_is_long(cluster: Bed, fake) -> None:
    """The newest lines are what is kept."""
    two_releases(cluster, "deployment")
    name = cluster.live_pods("web")[0]["metadata"]["name"]
    long = "\n".join(f"line {number} {'x' * 1000}" for number in range(1000)) + "\n"
    fault = fake.faults.garbage("GET", "/log")
    fault.body, fault.media = long, "text/plain"

    (log,) = KubernetesLogReader(cluster.transport).logs(cluster.target("pod", name), 1000)

    assert log.lines[-1].startswith("line 999 ")
    assert 200 < len(log.lines) < 300
    assert all(line.startswith("line ") for line in log.lines)


def event(bed: Bed, kind: str, name: str, reason: str, *, uid: str = "", minutes_ago: int = 0) -> None:
    """Write an event, as a controller would."""
    at = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    bed.client.create(
        "event",
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "test-"},
            "involvedObject": {"kind": kind, "name": name, "namespace": bed.namespace} | ({"uid": uid} if uid else {}),
            "reason": reason,
            "message": f"{reason} happened",
            "type": "Warning",
            "count": 2,
            "firstTimestamp": at,
            "lastTimestamp": at,
        },
    )


def test_events_are_of_the_workload_and_its_pods_when_asked(cluster: Bed) -> None:
    """Pods that are gone count, since they are why somebody looks; pods of others do not."""
    rig = two_releases(cluster, "deployment")
    newest = next(
        item["metadata"]["name"]
        for item in cluster.client.list("replicaset", "app=web")
        if item["spec"]["replicas"] == 2
    )
    event(cluster, "Deployment", "web", "OfTheWorkload", uid=rig.look().target.uid, minutes_ago=1)
    event(cluster, "Pod", f"{newest}-x7x7x", "OfAPodThatIsGone", minutes_ago=2)
    event(cluster, "Pod", "web-api-5d5d5d5d5d-x7x7x", "OfAnother")
    event(cluster, "Deployment", "web", "OfOneBefore", uid="another", minutes_ago=1)
    event(cluster, "Pod", f"{newest}-x7x7x", "LongAgo", minutes_ago=90)

    found = KubernetesEventReader(cluster.transport).events(rig.target, datetime.now(UTC) - timedelta(hours=1))

    ours = [seen for seen in found if seen.message.endswith(" happened")]
    assert ["OfTheWorkload", "OfAPodThatIsGone"] == [seen.reason for seen in ours]
    assert ("deployment/web", 2, True) == (ours[0].about, ours[0].count, ours[0].warning)
    assert [seen.at for seen in found] == sorted((seen.at for seen in found), reverse=True)


def test_events_of_a_pod_are_its_own_when_a_pod_is_asked(cluster: Bed) -> None:
    """A pod has events of its own name only."""
    event(cluster, "Pod", "web-1", "Ours")
    event(cluster, "Pod", "web-10", "NotOurs")

    found = KubernetesEventReader(cluster.transport).events(cluster.target("pod", "web-1"), LONG_AGO)

    assert ["Ours"] == [seen.reason for seen in found]
