"""The StatefulSet controller: ordinals in order, updates from the top, and stuck behind a pod that never gets ready."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers import revisions
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.pods import (
    REVISION_HASH,
    from_template,
    is_available,
    is_ready,
    is_terminal,
    is_terminating,
)
from tests.emulators.kubernetes.resources import PODS, STATEFULSETS
from tests.emulators.kubernetes.trees import Tree, clone, dig, labels


def sync(context: Context) -> None:
    """Look at every StatefulSet once."""
    owned = context.pods_by_owner()
    for statefulset in context.items(STATEFULSETS):
        if "deletionTimestamp" not in statefulset["metadata"]:
            with context.requeue():
                Ordinals(context, statefulset, owned.get(statefulset["metadata"]["uid"], [])).advance()


class Ordinals:
    """One look at one StatefulSet."""

    def __init__(self, context: Context, statefulset: Tree, pods: list[Tree]) -> None:
        self.context = context
        self.owner = statefulset
        self.spec = statefulset["spec"]
        self.pods = pods
        self.update = revisions.current(context, statefulset)
        self.update_name = self.update["metadata"]["name"]
        known = {each["metadata"]["name"]: each for each in revisions.history(context, statefulset)}
        recorded = dig(statefulset, "status", "currentRevision", default=self.update_name)
        self.current = known.get(recorded, self.update)
        self.current_name = self.current["metadata"]["name"]
        self.ordered = self.spec["podManagementPolicy"] == "OrderedReady"
        self.partition = dig(self.spec, "updateStrategy", "rollingUpdate", "partition", default=0)

    def advance(self) -> None:
        """Do what the order of pods permits now, then write the status."""
        wanted = self.spec["replicas"]
        by_ordinal = {_ordinal(pod): pod for pod in self.pods}
        kept: list[Tree | None] = [by_ordinal.get(index) for index in range(wanted)]
        condemned = [by_ordinal[index] for index in sorted(by_ordinal, reverse=True) if index >= wanted]
        if self._fill(kept) and self._shrink(condemned, [pod for pod in kept if pod]):
            self._roll([pod for pod in kept if pod])
        self._write_status()
        used = {self.update_name, self.current_name} | {labels(pod).get(REVISION_HASH, "") for pod in self.pods}
        revisions.trim(self.context, self.owner, used)

    def _fill(self, kept: list[Tree | None]) -> bool:
        """Create missing pods; False when an order must wait for one of them."""
        for ordinal, pod in enumerate(kept):
            if pod is not None and is_terminal(pod):
                if not is_terminating(pod):
                    delete(self.context.registry, PODS, pod)
                if self.ordered:
                    return False
                continue
            if pod is None:
                self._create(ordinal)
                if self.ordered:
                    return False
            elif self.ordered and (is_terminating(pod) or not self._available(pod)):
                return False
        return all(kept)

    def _create(self, ordinal: int) -> None:
        source = self.current if self._stays_old(ordinal) else self.update
        template = clone(source["data"]["spec"]["template"])
        template.pop("$patch", None)
        name = f"{self.owner['metadata']['name']}-{ordinal}"
        marks = {
            REVISION_HASH: source["metadata"]["name"],
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        pod = from_template(self.owner, template, name, marks)
        pod["spec"] |= {"hostname": name, "subdomain": self.spec.get("serviceName") or None}
        self.context.try_create(PODS, self.owner["metadata"]["namespace"], pod)

    def _stays_old(self, ordinal: int) -> bool:
        if self.spec["updateStrategy"]["type"] == "OnDelete":
            return False
        if self.partition:
            return bool(ordinal < self.partition)
        return bool(ordinal < dig(self.owner, "status", "currentReplicas", default=0))

    def _shrink(self, condemned: list[Tree], kept: list[Tree]) -> bool:
        """Delete surplus pods from the top; False when an order must wait for one of them."""
        unhealthy = [pod for pod in [*kept, *sorted(condemned, key=_ordinal)] if not self._healthy(pod)]
        for pod in condemned:
            if is_terminating(pod):
                if self.ordered:
                    return False
                continue
            if self.ordered and not is_ready(pod) and pod is not unhealthy[0]:
                return False
            delete(self.context.registry, PODS, pod)
            if self.ordered:
                return False
        return True

    def _roll(self, kept: list[Tree]) -> None:
        """Replace the highest pod of another revision, after those above it are healthy."""
        if self.spec["updateStrategy"]["type"] == "OnDelete":
            return
        for pod in reversed(kept):
            if _ordinal(pod) < self.partition:
                return
            if labels(pod).get(REVISION_HASH) != self.update_name and not is_terminating(pod):
                delete(self.context.registry, PODS, pod)
                return
            if not self._healthy(pod):
                return

    def _healthy(self, pod: Tree) -> bool:
        return is_ready(pod) and not is_terminating(pod)

    def _available(self, pod: Tree) -> bool:
        return is_available(pod, self.spec.get("minReadySeconds", 0), self.context.now())

    def _write_status(self) -> None:
        live = self.context.live(STATEFULSETS, self.owner)
        if live is None:
            return
        uid = live["metadata"]["uid"]
        pods = self.context.pods_by_owner().get(uid, [])
        staying = [pod for pod in pods if not is_terminating(pod)]
        count = {
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "currentReplicas": sum(labels(pod).get(REVISION_HASH) == self.current_name for pod in staying),
            "updatedReplicas": sum(labels(pod).get(REVISION_HASH) == self.update_name for pod in staying),
        }
        status: Tree = {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": len(pods),
            "availableReplicas": sum(self._available(pod) for pod in pods),
            "currentRevision": self.current_name,
            "updateRevision": self.update_name,
            "collisionCount": 0,
        }
        wanted = self.spec["replicas"]
        rolled = self.spec["updateStrategy"]["type"] == "RollingUpdate"
        complete = [count["updatedReplicas"], count["readyReplicas"], len(pods)] == [wanted] * 3
        if rolled and complete:
            status["currentRevision"] = self.update_name
            count["currentReplicas"] = count["updatedReplicas"]
        status |= {name: number for name, number in count.items() if number}
        self.context.registry.write_status(STATEFULSETS, live, status)


def _ordinal(pod: Tree) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])
