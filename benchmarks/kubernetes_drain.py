"""A drain of one full node, ours beside kubectl's, on the same emulated API server: calls, and wall time.

Five replicas of each workload run on the node, and stop within a tenth of a second when asked. Ours asks one replica
of each workload at a time and so many workloads at once, and waits between batches as the engine does; kubectl asks
for all at once. Times of one machine in one run: only the ratios mean something, and the calls are exact.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import table
from runbook_adapters.kubernetes.credentials import GivenToken
from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Wire
from runbook_engine.model.eviction import EvictionRules
from runbook_engine.model.target import Target
from tests.emulators.kubernetes import FakeCluster, Settings

PODS, QUICK_PODS = 200, 20
REPLICAS = 5
NAMESPACES = ("shop", "pay")
NODE = Target("node", "bench", "", "node-a")
LIMITS = (5, 50)
FETCHED = Path(__file__).parents[1] / ".tools"

Drain = Callable[[FakeCluster], None]


class Cost(NamedTuple):
    """What one drain took."""

    calls: int
    writes: int
    seconds: float


class Now:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)


def run(*, quick: bool = False) -> str:
    """Return calls and wall time, as ratios to kubectl's where it is there."""
    pods = QUICK_PODS if quick else PODS
    costs = {f"ours, {limit} at once": _cost(pods, _ours(limit)) for limit in LIMITS}
    kubectl = shutil.which("kubectl", path=str(FETCHED)) or shutil.which("kubectl")
    theirs = _cost(pods, _kubectl(kubectl)) if kubectl else None
    rows = [
        (name, cost.calls, cost.writes, cost.calls / pods, cost.seconds, *_ratios(cost, theirs))
        for name, cost in {**({"kubectl drain": theirs} if theirs else {}), **costs}.items()
    ]
    head = (f"drain of {pods} pods", "calls", "writes", "calls a pod", "seconds", "x its calls", "x its time")
    return table(head, rows)


def _ratios(cost: Cost, theirs: Cost | None) -> tuple[object, object]:
    if theirs is None:
        return "-", "-"
    return cost.calls / theirs.calls, cost.seconds / theirs.seconds


def _cost(pods: int, drain: Drain) -> Cost:
    """Fill a node, drain it, and count what the server was asked."""
    with FakeCluster(Settings(pod_stop=100)) as cluster:
        _fill(cluster, pods)
        cluster.log.clear()
        started = time.perf_counter()
        drain(cluster)
        seconds = time.perf_counter() - started
        left = [pod for pod in cluster.list("pods") if pod["spec"].get("nodeName") == NODE.name]
        if left:
            raise RuntimeError(f"{len(left)} pods are still on the node: nothing was measured")
        return Cost(cluster.log.count(), len(cluster.log.writes()), seconds)


def _fill(cluster: FakeCluster, pods: int) -> None:
    for namespace in NAMESPACES:
        cluster.namespace(namespace)
    cluster.node("node-a")
    homes = [(f"web-{number}", NAMESPACES[number % len(NAMESPACES)]) for number in range(pods // REPLICAS)]
    for name, namespace in homes:
        cluster.deployment(name, replicas=REPLICAS, namespace=namespace)
        cluster.pdb(name, max_unavailable="60%", namespace=namespace)
    for name, namespace in homes:
        cluster.wait_rollout(name, namespace, timeout=120)
    for name in ("node-b", "node-c"):
        cluster.node(name)
    cluster.wait(lambda: all(_counted(budget) for budget in cluster.list("poddisruptionbudgets")), timeout=120)


def _counted(budget: dict[str, dict[str, object]]) -> bool:
    return (budget.get("status") or {}).get("currentHealthy") == REPLICAS


def _ours(limit: int) -> Drain:
    def drain(cluster: FakeCluster) -> None:
        token = cluster.token("engine", groups=["system:masters"])
        writer = KubernetesNodeWriter(Transport(Wire(cluster.url), GivenToken(lambda: token), Now()), "bench", Now())
        writer.cordon(NODE)
        while True:
            batch = writer.evict(NODE, EvictionRules(), limit=limit)
            if not batch.left:
                return
            time.sleep(batch.after.total_seconds())

    return drain


def _kubectl(program: str) -> Drain:
    def drain(cluster: FakeCluster) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = cluster.kubeconfig(Path(folder) / "kubeconfig")
            command = [program, "--kubeconfig", str(config), "--cache-dir", folder, "drain", NODE.name]
            subprocess.run([*command, "--ignore-daemonsets"], check=True, capture_output=True, timeout=300)

    return drain
