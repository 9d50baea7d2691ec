"""Pods: what the API says of one, as the facts that decide whether it may leave its node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runbook_adapters.kubernetes.objects import (
    annotations_of,
    condition_of,
    controller_of,
    ignored_because,
    metadata_of,
    name_of,
    parse_time,
    uid_of,
)
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.wording import SHORT, one_line
from runbook_engine.model.node import Phase, Pod
from runbook_engine.model.target import Target

MIRROR = "kubernetes.io/config.mirror"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
# How people keep autoscalers off a pod; what they say to those they say to us.
OPT_OUTS: Mapping[str, str] = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
PHASES: Mapping[str, Phase] = {
    "Pending": "Pending",
    "Running": "Running",
    "Succeeded": "Succeeded",
    "Failed": "Failed",
}
STARTING = ("ContainerCreating", "PodInitializing")


class Ourselves(msgspec.Struct, frozen=True):
    """Where the engine itself runs; empty when that is not in this cluster."""

    pod: str = ""
    namespace: str = ""
    node: str = ""

    @classmethod
    def told_by(cls, environment: Mapping[str, str]) -> Ourselves:
        """Return what the downward API has put into the environment of our pod."""
        pod, namespace, node = (environment.get(f"RUNBOOK_{name}", "") for name in ("POD", "NAMESPACE", "NODE"))
        return cls(pod, namespace, node)

    def are(self, namespace: str, pod: str) -> bool:
        """Whether this pod is the engine's own."""
        return bool(self.pod) and (self.namespace, self.pod) == (namespace, pod)


NOWHERE = Ourselves()
OURS = "is the engine's own, and whoever empties a node must not run on it (run the engine elsewhere)"


def pod_of(obj: Json, place: str, ourselves: Ourselves = NOWHERE) -> Pod:
    """Return the facts of a pod that it tells itself; its budgets and its owner's are not among them."""
    metadata, spec, status = metadata_of(obj), obj.get("spec") or {}, obj.get("status") or {}
    target = target_of(obj, place)
    return Pod(
        target=target,
        node=spec.get("nodeName") or "",
        phase=PHASES.get(status.get("phase", ""), "Unknown"),
        ready=condition_of(obj, "Ready").get("status") == "True",
        owner=controller_of(obj),
        mirror=MIRROR in annotations_of(obj),
        empty_dirs=tuple(_empty_dir(volume) for volume in spec.get("volumes") or [] if "emptyDir" in volume),
        created_at=parse_time(metadata.get("creationTimestamp")),
        deleted_at=parse_time(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        tolerates_cordon=any(_tolerates_cordon(each) for each in spec.get("tolerations") or []),
        ignored=OURS if ourselves.are(target.namespace, target.name) else _ignored(obj),
        waiting=_waiting(obj),
        restarts=max((int(each.get("restartCount") or 0) for each in _containers(status)), default=0),
    )


def needs_its_daemon_set(pod: Pod) -> bool:
    """Whether it decides something that the DaemonSet of a pod is still there."""
    settled = pod.mirror or pod.terminal or pod.deleted_at is not None
    return pod.owner is not None and pod.owner.kind == "DaemonSet" and not settled


def target_of(obj: Json, place: str) -> Target:
    """Return a pod as a target, with its uid."""
    return Target("pod", place, str(metadata_of(obj).get("namespace") or ""), name_of(obj), uid_of(obj))


def _empty_dir(volume: Json) -> str:
    settings = volume.get("emptyDir") or {}
    memory = " in memory" if settings.get("medium") == "Memory" else ""
    size = f" of at most {settings['sizeLimit']}" if settings.get("sizeLimit") else ""
    return f"{volume.get('name', '')}{memory}{size}"


def _tolerates_cordon(toleration: Json) -> bool:
    if toleration.get("effect") not in (None, "", "NoSchedule"):
        return False
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if not key:
        return bool(operator == "Exists")
    return bool(key == UNSCHEDULABLE and (operator == "Exists" or not toleration.get("value")))


def _ignored(obj: Json) -> str:
    annotations = annotations_of(obj)
    for name, no in OPT_OUTS.items():
        if str(annotations.get(name, "")).lower() == no:
            return f'is marked {name}: "{no}" (remove the mark to let it go)'
    return ignored_because(obj)


def _waiting(obj: Json) -> str:
    """Return the first reason that is more than starting up."""
    status = obj.get("status") or {}
    reasons = [((each.get("state") or {}).get("waiting") or {}).get("reason") or "" for each in _containers(status)]
    placed = condition_of(obj, "PodScheduled")
    if placed.get("status") == "False":
        reasons.append(placed.get("reason") or "")
    serious = [reason for reason in reasons if reason and reason not in STARTING]
    return one_line(next(iter(serious + [reason for reason in reasons if reason]), ""), SHORT)


def _containers(status: Mapping[str, Any]) -> list[Json]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
