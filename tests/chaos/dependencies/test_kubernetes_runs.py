"""Whole runs on a cluster whose API lies, is slow, or restarts: counted at the cluster, none lost, none doubled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
from runbook_adapters.kubernetes.pods import NOWHERE
from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Times, Wire
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.model.check import EvictablePodsCheck, NodeReadyCheck, ReadyCheck
from runbook_engine.model.runbook import Step
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World
from tests.chaos.dependencies.proxy import BEFORE, FAULTS, Fault, Pace, Proxy, Seeded, proxy
from tests.chaos.dependencies.runs import PLACE, Case, JumpingClock, Runs
from tests.chaos.tally import LONG, SEED, tries
from tests.contract.kubernetes.conftest import Nobody
from tests.emulators.kubernetes import FakeCluster

pytestmark = pytest.mark.timeout(3600 if LONG else 120)
SHOP = "apps"
NODES = ("node-a", "node-b", "node-c")
OLD, NEW = "shop:1", "shop:2"
MINUTE = timedelta(minutes=1)
READY = (ReadyCheck(share=1.0, timeout=10 * MINUTE),)
PACE = Pace(slow=0.01, late=0.2, drip=0.02)
PATIENT = Times(connect=0.5, read=0.12, write=0.12)
SHARES = (0.05, 0.15, 0.3)
LOST: tuple[Fault, ...] = ("reset after", "cut", "garbage", "page after", "other shape", "late", "500 after")
KINDS: list[tuple[str, tuple[Fault, ...]]] = [
    ("lost responses", LOST),
    ("lost requests and refusals", BEFORE),
    ("every fault", FAULTS),
]


class Shop:
    """A cluster with three nodes, and cases that arrange a deployment of their own on it."""

    def __init__(self, cluster: FakeCluster, url: str, lot: random.Random) -> None:
        self.cluster, self.lot = cluster, lot
        self.clock = JumpingClock(cluster.clock.advance)
        self.number = 0
        transport = Transport(
            Wire(url, times=PATIENT, most_bytes=4 * 1024 * 1024),
            Nobody(),
            self.clock,
            patience=timedelta(seconds=1),
            sleep=lambda seconds: None,
        )
        self.eyes = KubernetesReader(transport, self.clock), KubernetesNodeReader(transport, PLACE, ourselves=NOWHERE)
        self.hands = (
            KubernetesWriter(transport, self.clock),
            KubernetesNodeWriter(transport, PLACE, self.clock, ourselves=NOWHERE),
        )

    def runs(self, fault: str) -> Runs:
        """Return what plays cases on this cluster."""

        def world(simulated: World) -> World:
            return replace(simulated, cluster=self.eyes[0], nodes=self.eyes[1])

        def effects(simulated: Effects) -> Effects:
            return replace(simulated, cluster=self.hands[0], nodes=self.hands[1])

        return Runs("kubernetes", fault, self.clock, world, effects)

    def case(self) -> Case:
        """Return another case, by lot."""
        kind = self.lot.choice(("scale", "scale", "restart", "rollback", "cordon", "drain"))
        self.number += 1
        return {
            "scale": self._scaled,
            "restart": self._restarted,
            "rollback": self._rolled_back,
            "cordon": self._cordoned,
            "drain": self._drained,
        }[kind]()

    def tidy(self) -> None:
        """Take away what a case has arranged, so that the cluster does not fill up."""
        for item in self.cluster.list("deployments", SHOP):
            self.cluster.delete("deployments", item["metadata"]["name"], SHOP)
        for name in NODES:
            self.cluster.patch("nodes", name, {"spec": {"unschedulable": None}})
        self.cluster.wait(lambda: not self.cluster.list("pods", SHOP), what="an empty shop")

    def _scaled(self) -> Case:
        name = self._deployed()
        return Case(self._target(name), (_step("scale", by=1, upTo=4),), READY, lambda: self._writes(name))

    def _restarted(self) -> Case:
        name = self._deployed()
        return Case(self._target(name), (_step("restart"),), READY, lambda: self._writes(name))

    def _rolled_back(self) -> Case:
        name = self._deployed()
        image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": NEW}]}}}}
        (container,) = self.cluster.get("deployments", name, SHOP)["spec"]["template"]["spec"]["containers"]
        image["spec"]["template"]["spec"]["containers"][0]["name"] = container["name"]
        self.cluster.patch("deployments", name, image, SHOP)
        self.cluster.wait_rollout(name, SHOP)
        return Case(self._target(name), (_step("rollback", to="previous"),), READY, lambda: self._writes(name))

    def _cordoned(self) -> Case:
        node = self.lot.choice(NODES)
        verify = (NodeReadyCheck(ready=True, timeout=10 * MINUTE),)
        return Case(Target("node", PLACE, "", node), (_step("cordon"),), verify, lambda: self._writes(node))

    def _drained(self) -> Case:
        name = self._deployed(replicas=4)
        node = self.lot.choice(NODES)
        leaving = [
            str(pod["metadata"]["name"])
            for pod in self.cluster.pods(f"app={name}", SHOP)
            if pod["spec"].get("nodeName") == node
        ]
        verify = (EvictablePodsCheck(at_most=0, timeout=10 * MINUTE),)
        return Case(
            Target("node", PLACE, "", node),
            (_step("cordon"), _step("drain")),
            verify,
            lambda: self._writes(node) + sum(self._writes(f"{pod}/eviction") for pod in leaving),
            wanted=1 + len(leaving),
        )

    def _deployed(self, replicas: int = 2) -> str:
        name = f"web-{self.number}"
        self.cluster.deployment(name, namespace=SHOP, replicas=replicas, image=OLD)
        self.cluster.wait_rollout(name, SHOP)
        return name

    def _target(self, name: str) -> Target:
        return Target("deployment", PLACE, SHOP, name)

    def _writes(self, name: str) -> int:
        """Return how many changes of an object the cluster has accepted."""
        found = [entry for entry in self.cluster.log.writes() if 200 <= entry.status < 300]
        return sum(entry.path.endswith((f"/{name}", f"/{name}/scale")) for entry in found)


def _step(action: str, **arguments: object) -> Step:
    return Step(name=action, action=action, arguments=arguments)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Three nodes and a namespace."""
    with FakeCluster() as running:
        for name in NODES:
            running.node(name)
        running.namespace(SHOP)
        yield running


@pytest.fixture
def before(cluster: FakeCluster) -> Iterator[Proxy]:
    """The proxy before the API server."""
    with proxy(cluster.url, pace=PACE) as running:
        yield running


def play(shop: Shop, before: Proxy, runs: Runs, faults: tuple[Fault, ...], enough: int) -> None:
    """Play cases until so many calls were faulty."""
    while before.faulty < enough:
        case = shop.case()
        before.decide = Seeded(shop.lot.randrange(2**31), shop.lot.choice(SHARES), faults)
        runs.play(case)
        before.decide = lambda asked: None
        shop.tidy()


@pytest.mark.parametrize(("name", "faults"), KINDS if LONG else KINDS[-1:], ids=lambda given: str(given)[:12])
def test_effects_are_there_once_when_the_api_server_lies(
    cluster: FakeCluster, before: Proxy, name: str, faults: tuple[Fault, ...]
) -> None:
    """Scalings, restarts, rollbacks, cordons and drains: what is said to be done is there, and once."""
    shop = Shop(cluster, before.url, random.Random(SEED))
    runs = shop.runs(name)

    play(shop, before, runs, faults, tries(4, 1000))

    runs.settle(before.faulty)


def test_effects_are_there_once_when_the_api_server_restarts(cluster: FakeCluster) -> None:
    """It goes away in the middle of scalings, rollouts and drains, at any moment, for as long as it likes."""
    lot = random.Random(SEED)
    shop = Shop(cluster, cluster.url, lot)
    runs = shop.runs("restarts of the API server")
    restarts = []

    def perhaps() -> None:
        if lot.random() < 0.08:
            restarts.append(cluster.restart(away=lot.choice((0.0, 0.02, 0.1))))
            if lot.random() < 0.5:
                restarts[-1].join()

    while len(restarts) < tries(2, 300):
        case = shop.case()
        runs.meanwhile = perhaps
        runs.play(case)
        if restarts:
            restarts[-1].join()
        shop.tidy()

    runs.settle(len(restarts))
