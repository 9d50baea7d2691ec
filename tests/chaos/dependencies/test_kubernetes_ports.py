"""Kubernetes at the port: every request of every call goes wrong in every way, counted at the cluster itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.jobs import KubernetesJobReader, KubernetesJobWriter
from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
from runbook_adapters.kubernetes.pods import NOWHERE
from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.setting_ports import KubernetesSettingReader, KubernetesSettingWriter
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Times, Wire
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.target import Target
from tests.chaos.dependencies.judging import Judge, Look, Write
from tests.chaos.dependencies.proxy import Pace, Proxy, proxy
from tests.chaos.tally import LONG
from tests.contract.kubernetes.conftest import Nobody, SystemClock
from tests.emulators.kubernetes import FakeCluster

pytestmark = pytest.mark.timeout(3600 if LONG else 120)
PLACE, SHOP = "test", "shop"
PATIENT = Times(connect=1.0, read=0.5, write=0.5)
PACE = Pace(slow=0.02, late=0.9, drip=0.05)
JOB = JobTemplate(
    name="dump",
    namespace=SHOP,
    spec='{"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "dump", "image": "dump"}]}}}',
    says="dumps",
)
Fresh = tuple[Callable[[], Any], Callable[[], int]]


def transport_to(url: str, **more: Any) -> Transport:
    """Return a transport without much patience."""
    wire = Wire(url, times=PATIENT, most_bytes=1024 * 1024)
    return Transport(
        wire, Nobody(), SystemClock(), patience=timedelta(seconds=0.5), jitter=lambda low, high: 0.01, **more
    )


@dataclass
class Site:
    """A cluster, the proxy before it, and the ports behind that."""

    cluster: FakeCluster
    before: Proxy
    names: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        transport = transport_to(self.before.url)
        clock = SystemClock()
        self.reader, self.writer = KubernetesReader(transport, clock), KubernetesWriter(transport, clock)
        self.settings = KubernetesSettingReader(transport)
        self.setting_writer = KubernetesSettingWriter(transport)
        self.nodes = KubernetesNodeReader(transport, PLACE, ourselves=NOWHERE)
        self.node_writer = KubernetesNodeWriter(transport, PLACE, clock, ourselves=NOWHERE)
        self.jobs, self.job_writer = KubernetesJobReader(transport, [JOB]), KubernetesJobWriter(transport, [JOB])

    def deployment(self, *, with_pods: bool = False) -> Target:
        """Return another deployment."""
        for item in self.cluster.list("deployments", SHOP):  # of the call before: the cluster has room for so many
            self.cluster.delete("deployments", item["metadata"]["name"], SHOP)
        name = f"web-{next(self.names)}"
        self.cluster.deployment(name, namespace=SHOP, replicas=1)
        if with_pods:
            self.cluster.settle()
        return Target("deployment", PLACE, SHOP, name)

    def writes(self, name: str) -> int:
        """Return how many changes of an object the cluster has accepted."""
        path = rf"/{name}(/scale|/eviction)?(\?|$)"
        return sum(200 <= entry.status < 300 for entry in self.cluster.log.writes() if _is_of(entry, path))

    def on_deployment(self, change: Callable[[Target], Any]) -> Callable[[], Fresh]:
        """Return what arranges a change of a deployment of its own."""

        def fresh() -> Fresh:
            target = self.deployment()
            return lambda: change(target), lambda: self.writes(target.name)

        return fresh

    def cordoned(self) -> Fresh:
        """Arrange the cordon of a node of its own."""
        name = f"node-{next(self.names)}"
        self.cluster.node(name, labels={"own": "true"})
        target = Target("node", PLACE, "", name)
        return lambda: self.node_writer.cordon(target), lambda: self.writes(name)

    def evicted(self) -> Fresh:
        """Arrange the eviction of a pod of its own."""
        target = self.deployment(with_pods=True)
        (pod,) = self.cluster.pods(f"app={target.name}", SHOP)
        name = pod["metadata"]["name"]
        gone = Target("pod", PLACE, SHOP, name, uid=pod["metadata"]["uid"])
        return lambda: self.node_writer.remove(gone, evict=True), lambda: self.writes(name)

    def deleted(self) -> Fresh:
        """Arrange the deletion of a pod of its own."""
        target = self.deployment(with_pods=True)
        (pod,) = self.cluster.pods(f"app={target.name}", SHOP)
        name = pod["metadata"]["name"]
        gone = Target("pod", PLACE, SHOP, name, uid=pod["metadata"]["uid"])
        return lambda: self.node_writer.remove(gone, evict=False), lambda: self.writes(name)

    def started(self) -> Fresh:
        """Arrange the start of a job of its own."""
        name = f"job-{next(self.names)}"
        target = Target("job", PLACE, SHOP, name)
        return (
            lambda: self.job_writer.start(target, "dump", {}, digest=JOB.digest),
            lambda: sum(item["metadata"]["name"] == name for item in self.cluster.list("jobs", SHOP)),
        )


def _is_of(entry: Any, path: str) -> bool:
    return re.search(path, f"{entry.path}?{entry.query}".rstrip("?")) is not None


@pytest.fixture
def site() -> Iterator[Site]:
    """A cluster with three nodes, stepped by the test alone, so that nothing of it moves while a call is made."""
    with FakeCluster(background=False) as cluster:
        for name in ("node-a", "node-b", "node-c"):
            cluster.node(name)
        cluster.namespace(SHOP)
        with proxy(cluster.url, pace=PACE) as before:
            yield Site(cluster, before)


def test_every_look_at_a_cluster_is_right_or_unreadable(site: Site) -> None:
    """What a proxy says instead of the API server is never taken for a workload, a node, or none."""
    target = site.deployment(with_pods=True)
    node = Target("node", PLACE, "", "node-a")
    judge = Judge("kubernetes, looks", site.before, limit=8.0)

    for look in (
        Look("workload", lambda: site.reader.workload(target)),
        Look("glance", lambda: site.reader.glance(target)),
        Look("node", lambda: site.nodes.node(node)),
        Look("nodes", lambda: site.nodes.nodes(PLACE)),
        Look("pods", lambda: site.nodes.pods(target)),
        Look("headroom", lambda: site.nodes.headroom(node)),
        Look("setting", lambda: site.settings.setting(target, "env:/MODE")),
        Look("no job", lambda: site.jobs.job(Target("job", PLACE, SHOP, "none"))),
    ):
        judge.look(look)

    judge.settle()


def test_every_change_of_a_cluster_is_done_or_not_done_or_in_doubt(site: Site) -> None:
    """What is said to be done is there, what is said not to be done is not, and the rest is in doubt."""
    judge = Judge("kubernetes", site.before, limit=8.0)
    writer = site.writer

    for write in (
        Write("scale", site.on_deployment(lambda target: writer.scale(target, 3, expected=1))),
        Write("restart", site.on_deployment(lambda target: writer.restart(target, "mark"))),
        Write(
            "setting",
            site.on_deployment(lambda target: site.setting_writer.write(target, "env:/MODE", "lite", expected=None)),
        ),
        Write("cordon", site.cordoned),
        Write("evict", site.evicted),
        Write("delete", site.deleted),
        Write("job", site.started),
    ):
        judge.write(write)

    judge.settle()
