"""The test bed: one cluster, emulated or real, with a namespace of this test's own and a client to arrange it with.

Only nodes labelled `runbook-engine-test=true` are used. A real cluster pulls the tags 3.9 and 3.10 of an image that
does nothing, RUNBOOK_TEST_REPOSITORY or the pause image; the tag `bad-pull` must not exist.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_adapters.kubernetes.transport import Transport
from runbook_engine.model.target import Target
from tests.contract.kubernetes.client import Client, Json
from tests.emulators.kubernetes import FakeCluster

PLACE = "test"
OURS = {"runbook-engine-test": "true"}
REPOSITORY = os.environ.get("RUNBOOK_TEST_REPOSITORY", "registry.k8s.io/pause")
OLD, NEW, BROKEN = f"{REPOSITORY}:3.9", f"{REPOSITORY}:3.10", f"{REPOSITORY}:bad-pull"


class AheadClock:
    """The real time, plus how far a test has gone ahead: waiting a minute is not worth a minute."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Bed:
    """One cluster for one test. `patience` is how long anything may take to come about."""

    transport: Transport
    client: Client
    namespace: str
    patience: float
    fake: FakeCluster | None = None
    clock: AheadClock = field(default_factory=AheadClock)

    def target(self, kind: str, name: str) -> Target:
        return Target(kind, PLACE, self.namespace, name)

    def wait(self, condition: Callable[[], object], what: str = "it") -> None:
        deadline = time.monotonic() + self.patience
        while not condition():
            assert time.monotonic() < deadline, f"{what} has not come about in {self.patience:g}s"
            time.sleep(0.01 if self.fake else 0.5)

    def deployment(self, name: str, *, replicas: int = 2, spec: Json | None = None, **pod: Any) -> Json:
        return self.client.create("deployment", self.workload("Deployment", name, replicas, spec, **pod))

    def statefulset(self, name: str, *, replicas: int = 2, spec: Json | None = None, **pod: Any) -> Json:
        body = {"serviceName": name, **(spec or {})}
        return self.client.create("statefulset", self.workload("StatefulSet", name, replicas, body, **pod))

    def daemonset(self, name: str, *, spec: Json | None = None, **pod: Any) -> Json:
        return self.client.create("daemonset", self.workload("DaemonSet", name, None, spec, **pod))

    def workload(self, kind: str, name: str, replicas: int | None, spec: Json | None, **pod: Any) -> Json:
        labels = {"app": name}
        metadata = {"name": name, "labels": {**labels, "app.kubernetes.io/name": f"{name}-service"}}
        metadata |= pod.pop("metadata", {})
        count = {"replicas": replicas} if replicas is not None else {}
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": metadata,
            "spec": {**count, "selector": {"matchLabels": labels}, "template": template(labels, **pod), **(spec or {})},
        }

    def release(self, kind: str, name: str, image: str) -> Json:
        """Somebody releases another image."""
        path = "/spec/template/spec/containers/0/image"
        return self.client.patch(kind, name, [{"op": "replace", "path": path, "value": image}], how="json")

    def settle(self, kind: str, name: str) -> None:
        """Wait until every replica is there, new and available, and nothing else is."""
        self.wait(lambda: self.is_whole(kind, name), f"the rollout of {kind} {name}")

    def is_whole(self, kind: str, name: str) -> bool:
        found = self.client.get(kind, name)
        status = found.get("status") or {}
        if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
            return False
        if kind == "daemonset":
            wanted = status.get("desiredNumberScheduled", 0)
            counts = ("updatedNumberScheduled", "numberAvailable")
            return wanted > 0 and all(status.get(count, 0) == wanted for count in counts)
        wanted = found["spec"]["replicas"]
        whole = all(status.get(count, 0) == wanted for count in ("replicas", "updatedReplicas", "availableReplicas"))
        settled = status.get("currentRevision") == status.get("updateRevision")
        return whole and settled and len(self.live_pods(name)) == wanted

    def live_pods(self, name: str) -> list[Json]:
        found = self.client.list("pod", f"app={name}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def template(labels: Json, *, image: str = OLD, env: list[Json] | None = None, **spec: Any) -> Json:
    """Return a pod template that starts fast, stops fast and stays on the nodes of the tests."""
    container: Json = {"name": "app", "image": image} | ({"env": env} if env is not None else {})
    container |= spec.pop("container", {})
    containers = [container, *spec.pop("sidecars", [])]
    return {
        "metadata": {"labels": labels},
        "spec": {"nodeSelector": OURS, "terminationGracePeriodSeconds": 0, "containers": containers} | spec,
    }
