"""What the tests of nodes and drains share: a client of an emulated cluster, and ways to arrange and watch one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_adapters.kubernetes.credentials import Credentials, GivenToken
from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
from runbook_adapters.kubernetes.pods import NOWHERE, Ourselves
from runbook_adapters.kubernetes.transport import Json, PatchKind, Query, Transport
from runbook_adapters.kubernetes.wire import Times, Wire
from runbook_engine.errors import Retryable
from runbook_engine.model.eviction import EvictionBatch, EvictionRules
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from tests.emulators.kubernetes import FakeCluster

PLACE = "test"
RULES = EvictionRules(grace=timedelta(seconds=1))
NODE_A = Target("node", PLACE, "", "node-a")
MOST_BATCHES = 100


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class Client:
    """One engine's view of a cluster."""

    reader: KubernetesNodeReader
    writer: KubernetesNodeWriter


def client(
    cluster: FakeCluster,
    *,
    token: str = "",
    credentials: Credentials | None = None,
    ourselves: Ourselves = NOWHERE,
    before: Callable[[str, str], None] | None = None,
    sleep: Callable[[float], None] = lambda seconds: None,
    times: Times | None = None,
    clock: Clock | None = None,
) -> Client:
    """Return a client; it does not wait between its own tries unless told how to sleep. `before` sees every call."""
    known = token or cluster.token("engine", groups=["system:masters"])
    wire = Wire(cluster.url, times=times)
    transport = Watched(before, wire, credentials or GivenToken(lambda: known), SystemClock(), sleep=sleep)
    return Client(
        KubernetesNodeReader(transport, PLACE, ourselves=ourselves),
        KubernetesNodeWriter(transport, PLACE, clock or SystemClock(), ourselves=ourselves),
    )


class Watched(Transport):
    """A transport that lets somebody act just before each call of a verb on a path."""

    def __init__(self, before: Callable[[str, str], None] | None, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._before = before or (lambda verb, path: None)

    def get(self, path: str, query: Query | None = None) -> Json:
        """Return one object."""
        self._before("get", path)
        return super().get(path, query)

    def patch(self, path: str, body: Json | Sequence[Json], *, kind: PatchKind, dry_run: bool = False) -> Json:
        """Change one object."""
        self._before("patch", path)
        return super().patch(path, body, kind=kind, dry_run=dry_run)

    def post(self, path: str, body: Json, *, dry_run: bool = False) -> Json:
        """Create an object."""
        self._before("create", path)
        return super().post(path, body, dry_run=dry_run)

    def delete(self, path: str, body: Json | None = None, *, dry_run: bool = False) -> Json:
        """Delete an object."""
        self._before("delete", path)
        return super().delete(path, body, dry_run=dry_run)


def fill(cluster: FakeCluster, *workloads: Callable[[], Any]) -> None:
    """Give a cluster of its own one node with these workloads, and then two more with room."""
    cluster.node("node-a")
    for workload in workloads:
        workload()
    rest(cluster)
    for name in ("node-b", "node-c"):
        cluster.node(name)
    rest(cluster)


def rest(cluster: FakeCluster) -> None:
    """Wait until nothing moves: no pod leaves, every workload is whole, every budget has counted."""
    cluster.wait(lambda: _at_rest(cluster), what="a cluster at rest")


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something that is asked of the server, which must not be held up meanwhile."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"it did not come true within {seconds}s"
        time.sleep(0.01)


def names_on(cluster: FakeCluster, node: str = "node-a") -> set[str]:
    """Return the pods that are on a node, as the server has them."""
    return {
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in cluster.list("pods")
        if pod["spec"].get("nodeName") == node
    }


def drain(
    cluster: FakeCluster,
    client: Client,
    rules: EvictionRules = RULES,
    *,
    limit: int = 5,
    between: Callable[[], None] | None = None,
) -> list[EvictionBatch]:
    """Evict batch after batch, as the engine does, until the node is empty or something forbids it."""
    batches: list[EvictionBatch] = []
    for _ in range(MOST_BATCHES):
        try:
            batches.append(client.writer.evict(NODE_A, rules, limit=limit))
        except Retryable:
            rest(cluster)
            continue
        if batches[-1].left == 0 or batches[-1].blocked:
            return batches
        (between or (lambda: rest(cluster)))()
    raise AssertionError(f"the drain did not end within {MOST_BATCHES} batches: {batches[-3:]}")


def evictions(cluster: FakeCluster) -> list[str]:
    """Return which pods were asked to leave, in order, whatever came of it."""
    return [entry.path.split("/")[-2] for entry in cluster.log.entries("POST", "/eviction")]


def sentences(batches: Iterable[EvictionBatch]) -> list[str]:
    """Return every sentence of waiting once, in the order in which they came."""
    return list(dict.fromkeys(says for batch in batches for says in batch.waiting))


def _at_rest(cluster: FakeCluster) -> bool:
    if any(
        "deletionTimestamp" in pod["metadata"] and not pod["metadata"].get("finalizers") for pod in cluster.list("pods")
    ):
        return False
    for plural in ("deployments", "statefulsets", "daemonsets"):
        if not all(_whole(cluster, plural, item) for item in cluster.list(plural)):
            return False
    return all(_counted(cluster, budget) for budget in cluster.list("poddisruptionbudgets"))


def _whole(cluster: FakeCluster, plural: str, item: Any) -> bool:
    """Whether a workload is ready, by its status and by its pods: the status may be a moment late."""
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    wanted = item["spec"].get("replicas")
    serving = len(cluster.ready_pods(f"app={name}", namespace))
    return cluster.ready(plural, name, namespace) is not None and wanted in (None, serving)


def _counted(cluster: FakeCluster, budget: Any) -> bool:
    status, meta = budget.get("status") or {}, budget["metadata"]
    if any(each["reason"] == "SyncFailed" for each in status.get("conditions", [])):
        return True
    selector = budget["spec"].get("selector", {}).get("matchLabels") or {}
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    ready = len(cluster.ready_pods(labels, meta["namespace"]))
    return bool(status.get("observedGeneration") == meta["generation"] and status.get("currentHealthy", 0) == ready)
