"""From a pod to its workload, and from a pod or an address to its node; what is in doubt is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.target import Target
from tests.contract.kubernetes.node_rig import PLACE, client, fill, rest
from tests.emulators.kubernetes import FakeCluster


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """An emulated cluster without nodes."""
    with FakeCluster() as cluster:
        yield cluster


def pod(name: str, uid: str = "") -> Target:
    """Return a pod as a target."""
    return Target("pod", PLACE, "default", name, uid)


def address_of(cluster: FakeCluster, name: str, **addresses: str) -> None:
    """Give a node addresses, such as InternalIP."""
    listed = [{"type": kind, "address": address} for kind, address in addresses.items()]
    cluster.patch("nodes", name, {"status": {"addresses": listed}})


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        pytest.param("deployment", lambda cluster: cluster.deployment("web"), id="through its ReplicaSet"),
        pytest.param("statefulset", lambda cluster: cluster.statefulset("web"), id="a StatefulSet"),
        pytest.param("daemonset", lambda cluster: cluster.daemonset("web"), id="a DaemonSet"),
    ],
)
def test_a_pod_leads_to_its_workload(
    cluster: FakeCluster, kind: str, make: Callable[[FakeCluster], dict[str, Any]]
) -> None:
    """Owner by owner, each by its uid."""
    made: list[dict[str, Any]] = []
    fill(cluster, lambda: made.append(make(cluster)))
    first = next(found for found in cluster.pods() if found["spec"]["nodeName"] == "node-a")

    workload = client(cluster).reader.workload_of(pod(first["metadata"]["name"], first["metadata"]["uid"]))

    assert workload == Target(kind, PLACE, "default", "web", made[0]["metadata"]["uid"])


def standalone(cluster: FakeCluster) -> None:
    """A pod that nothing controls."""
    cluster.pod("web-0", node="node-a")


def of_a_job(cluster: FakeCluster) -> None:
    """A pod that runs to its end."""
    owned_by(cluster, "batch/v1", "Job", "import", cluster.job("import", nodeName="node-z")["metadata"]["uid"])


def of_a_bare_replica_set(cluster: FakeCluster) -> None:
    """A pod whose ReplicaSet belongs to nobody."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "i:v1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    made = cluster.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}, "spec": spec})
    owned_by(cluster, "apps/v1", "ReplicaSet", "web", made["metadata"]["uid"])


def of_a_rollout(cluster: FakeCluster) -> None:
    """A pod of a controller that we do not know."""
    owned_by(cluster, "argoproj.io/v1alpha1", "Rollout", "web", "rollout-uid")


def of_a_statefulset_that_was_replaced(cluster: FakeCluster) -> None:
    """A pod whose owner is another by now."""
    cluster.statefulset("web", replicas=0)
    owned_by(cluster, "apps/v1", "StatefulSet", "web", "former-uid")


def of_a_statefulset_that_is_gone(cluster: FakeCluster) -> None:
    """A pod whose owner was deleted."""
    owned_by(cluster, "apps/v1", "StatefulSet", "web", "former-uid")


def owned_by(cluster: FakeCluster, version: str, kind: str, name: str, uid: str) -> None:
    """Create pod web-0 with this controller, and keep others from tidying it away."""
    for controller in ("garbage", "job", "replicaset", "statefulset"):
        cluster.pause_controller(controller)
    owner = {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}
    metadata = {"name": "web-0", "ownerReferences": [owner]}
    spec = {"nodeName": "node-a", "containers": [{"name": "app", "image": "registry.example/app:v1"}]}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("arrange", "says"),
    [
        pytest.param(
            standalone,
            "default/pod/web-0 has no controller: it belongs to no workload (name the workload itself)",
            id="nothing controls it",
        ),
        pytest.param(
            of_a_job,
            "default/pod/web-0 belongs to Job import, which runs to its end and is no workload to change",
            id="of a Job",
        ),
        pytest.param(
            of_a_bare_replica_set,
            "default/pod/web-0 has no controller: it belongs to no workload (name the workload itself)",
            id="of a ReplicaSet of nobody",
        ),
        pytest.param(
            of_a_rollout,
            "default/pod/web-0 belongs to Rollout web, which is not supported "
            "(known: Deployment, StatefulSet, DaemonSet)",
            id="of something unknown",
        ),
        pytest.param(
            of_a_statefulset_that_was_replaced,
            "default/pod/web-0 belonged to default/statefulset/web, "
            "which has been replaced by another of the same name",
            id="its owner was replaced",
        ),
        pytest.param(
            of_a_statefulset_that_is_gone,
            "default/statefulset/web does not exist in cluster test",
            id="its owner is gone",
        ),
        pytest.param(
            lambda cluster: None, "default/pod/web-0 does not exist in cluster test", id="there is no such pod"
        ),
    ],
)
def test_a_pod_leads_nowhere_when(cluster: FakeCluster, arrange: Callable[[FakeCluster], None], says: str) -> None:
    """Whoever does not know what to restart restarts nothing."""
    cluster.node("node-a")
    arrange(cluster)

    with pytest.raises(InvalidTarget) as error:
        client(cluster).reader.workload_of(pod("web-0"))

    assert str(error.value) == says


def test_a_pod_that_was_replaced_leads_nowhere(cluster: FakeCluster) -> None:
    """A namesake is not the pod of the alert."""
    fill(cluster, lambda: cluster.statefulset("web"))
    reader = client(cluster).reader

    for look in (reader.workload_of, reader.node_of, reader.pod):
        with pytest.raises(InvalidTarget) as error:
            look(pod("web-0", "former-uid"))
        assert str(error.value) == "default/pod/web-0 in cluster test has been replaced by another of the same name"


@pytest.mark.parametrize(
    "instance",
    [
        "10.0.1.7:9100",
        "10.0.1.7",
        "[fd00::7]:9100",
        "ip-10-0-1-7.internal:9100",
        "IP-10-0-1-7.internal",
        "node-a:10250",
    ],
)
def test_an_address_leads_to_its_node(cluster: FakeCluster, instance: str) -> None:
    """By any of the node's addresses, however it is written."""
    fill(cluster)
    address_of(cluster, "node-a", InternalIP="10.0.1.7", ExternalIP="fd00:0::0007", InternalDNS="ip-10-0-1-7.internal")
    address_of(cluster, "node-b", InternalIP="10.0.1.70")

    found = client(cluster).reader.node_of(Target("instance", PLACE, "", instance))

    assert found == Target("node", PLACE, "", "node-a", cluster.get("nodes", "node-a")["metadata"]["uid"])


def test_an_address_of_a_pod_leads_to_its_node(cluster: FakeCluster) -> None:
    """An exporter that is scraped at its pod's own address."""
    fill(cluster, lambda: cluster.statefulset("web"))
    cluster.patch("pods", "web-0", {"status": {"podIP": "10.9.9.9"}})

    assert client(cluster).reader.node_of(Target("instance", PLACE, "", "10.9.9.9:9100")).name == "node-a"


def test_an_address_is_refused_when_two_nodes_have_it(cluster: FakeCluster) -> None:
    """Ambiguous is not a guess."""
    fill(cluster)
    for name in ("node-a", "node-b"):
        address_of(cluster, name, InternalIP="10.0.1.7")

    with pytest.raises(InvalidTarget) as error:
        client(cluster).reader.node_of(Target("instance", PLACE, "", "10.0.1.7:9100"))

    assert str(error.value) == "'10.0.1.7:9100' is the address of several nodes in cluster test: node-a, node-b"


@pytest.mark.parametrize("instance", ["10.0.1.9:9100", "nowhere", "", ":9100", "10.0.1.7,spec.nodeName=node-a"])
def test_an_address_is_refused_when_nobody_has_it(cluster: FakeCluster, instance: str) -> None:
    """Text of an alert that is no address of anything."""
    fill(cluster)

    with pytest.raises(InvalidTarget) as error:
        client(cluster).reader.node_of(Target("instance", PLACE, "", instance))

    assert str(error.value) == f"{instance!r} is the address of no node and of no pod in cluster test"


def test_a_pod_without_a_node_leads_nowhere(cluster: FakeCluster) -> None:
    """It waits for a place."""
    cluster.pod("web-0")

    with pytest.raises(InvalidTarget) as error:
        client(cluster).reader.node_of(pod("web-0"))

    assert str(error.value) == "default/pod/web-0 runs on no node yet"


@pytest.mark.parametrize("name", ["../nodes", "node-a,spec.nodeName=node-b", "", "NODE"])
def test_a_name_that_is_none_is_refused(cluster: FakeCluster, name: str) -> None:
    """A label of an alert may have chosen it; it never becomes part of a path or a selector."""
    reader = client(cluster).reader
    target = Target("node", PLACE, "", name)

    for look in (reader.node, reader.pods):
        with pytest.raises(InvalidTarget):
            look(target)

    assert cluster.log.count() == 0


def test_a_reader_is_unreadable_when_the_server_is_away(cluster: FakeCluster) -> None:
    """Nothing that cannot be read is empty or fine."""
    fill(cluster, lambda: cluster.statefulset("web"))
    reader = client(cluster).reader
    cluster.close()

    for look in (reader.node_of, reader.workload_of, reader.pod):
        with pytest.raises(Unreadable):
            look(pod("web-0"))
    with pytest.raises(Unreadable):
        reader.nodes(PLACE)
    with pytest.raises(Unreadable):
        reader.headroom(Target("node", PLACE, "", "node-a"))


def test_headroom_is_judged_from_the_live_cluster(cluster: FakeCluster) -> None:
    """What would leave node-a asks for more than the others have free."""
    fill(cluster, lambda: cluster.statefulset("web", replicas=2, requests={"cpu": "3", "memory": "1Gi"}))
    reader = client(cluster).reader
    roomy = reader.headroom(Target("node", PLACE, "", "node-a"))
    for name in ("node-b", "node-c"):
        cluster.patch("nodes", name, {"status": {"allocatable": {"cpu": "2"}}})
    rest(cluster)

    tight = reader.headroom(Target("node", PLACE, "", "node-a"))

    assert roomy.fits
    assert not tight.fits
    assert tight.says == (
        "6.00 CPU, 2,048 MiB and 2 pods would have to fit into 4.00 CPU, 65,536 MiB and 500 pods "
        "free on 2 other nodes: not enough cpu"
    )
