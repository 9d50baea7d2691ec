"""Watching one rollout to its end, ours beside `kubectl rollout status`, on the same emulated API server.

Each starts when the change is written and stops when it says that the rollout is done. Counted is what the server was
asked in between, and what was true at that moment: how many pods there were that nobody wants. kubectl holds a watch
open and hears at once; ours looks again as the engine does, soon at first and then every two seconds, so that it can be
asked by a host that sleeps in between.
Times of one machine in one run: only the ratios mean something, and the calls are exact.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import table
from runbook_adapters.kubernetes.credentials import GivenToken
from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Wire
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.actions.rollout import observe_count, observe_rollout
from runbook_engine.machine.effects import SOON
from runbook_engine.model.plan import Progress
from runbook_engine.model.target import Target
from tests.emulators.kubernetes import FakeCluster, Settings

REPLICAS, QUICK_REPLICAS = 20, 4
FEWER = 0.4  # of the replicas, in the scale-down
WEB = Target("deployment", "bench", "default", "web")
SLOW_PODS = Settings(pod_start=500, pod_ready=1500, pod_stop=500)
FETCHED = Path(__file__).parents[1] / ".tools"

Watcher = Callable[[FakeCluster, "Change"], None]


class Change(NamedTuple):
    """What is written, and how many replicas are wanted then."""

    name: str
    replicas: int
    wanted: int

    @property
    def is_scale(self) -> bool:
        """Whether the count changes."""
        return self.replicas != self.wanted


class Cost(NamedTuple):
    """What watching came to."""

    calls: int
    seconds: float
    unwanted: int  # pods too many, at the moment when it said done


class Now:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)


def run(*, quick: bool = False) -> str:
    """Return calls, wall time and what was true at the end, as ratios to kubectl's where it is there."""
    replicas = QUICK_REPLICAS if quick else REPLICAS
    changes = (
        Change("restart", replicas, replicas),
        Change("scale up", replicas // 2, replicas),
        Change("scale down", replicas, round(replicas * FEWER)),
    )
    kubectl = shutil.which("kubectl", path=str(FETCHED)) or shutil.which("kubectl")
    rows: list[tuple[object, ...]] = []
    for change in changes:
        theirs = _cost(change, _kubectl(kubectl)) if kubectl else None
        if theirs is not None:
            rows.append((f"{change.name}, kubectl", *theirs, "-", "-"))
        ours = _cost(change, _ours)
        ratios = (ours.calls / theirs.calls, ours.seconds / theirs.seconds) if theirs else ("-", "-")
        rows.append((f"{change.name}, ours", *ours, *ratios))
    head = (f"rollout of {replicas} pods", "calls", "seconds", "pods too many", "x its calls", "x its time")
    return table(head, rows)


def _cost(change: Change, watcher: Watcher) -> Cost:
    """Bring a deployment up, change it, and count until the watcher says that it is done."""
    with FakeCluster(SLOW_PODS) as cluster:
        cluster.node("node-a")
        cluster.deployment(WEB.name, replicas=change.replicas)
        cluster.wait_rollout(WEB.name, timeout=120)
        started = time.perf_counter()
        watcher(cluster, change)
        seconds = time.perf_counter() - started
        status = cluster.get("deployments", WEB.name)["status"]
        return Cost(cluster.log.count(), seconds, int(status.get("replicas", 0)) - change.wanted)


def _ours(cluster: FakeCluster, change: Change) -> None:
    token = cluster.token("engine", groups=["system:masters"])
    transport = Transport(Wire(cluster.url), GivenToken(lambda: token), Now())
    reader, writer = KubernetesReader(transport, Now()), KubernetesWriter(transport, Now())
    if change.is_scale:
        receipt = writer.scale(WEB, change.wanted, expected=change.replicas)
    else:
        receipt = writer.restart(WEB, "restart-1")
    cluster.log.clear()
    begun = time.monotonic()

    def look() -> Progress:
        seen = reader.glance(WEB)
        if change.is_scale:
            return observe_count(seen, receipt, grown=change.wanted > change.replicas)
        return observe_rollout(seen, receipt)

    while (progress := look()).status == "progressing":
        wait = min(progress.wait, max(SOON, timedelta(seconds=time.monotonic() - begun)))
        time.sleep(wait.total_seconds())
    if progress.status != "done":
        raise RuntimeError(f"{progress.reason}: nothing was measured")


def _kubectl(program: str) -> Watcher:
    def watch(cluster: FakeCluster, change: Change) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = cluster.kubeconfig(Path(folder) / "kubeconfig")
            command = [program, "--kubeconfig", str(config), "--cache-dir", folder]
            verb = ["scale", f"--replicas={change.wanted}"] if change.is_scale else ["rollout", "restart"]
            subprocess.run([*command, *verb, "deployment/web"], check=True, capture_output=True, timeout=60)
            cluster.log.clear()
            watching = [*command, "rollout", "status", "deployment/web"]
            subprocess.run(watching, check=True, capture_output=True, timeout=300)

    return watch
