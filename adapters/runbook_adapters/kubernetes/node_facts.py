"""Node facts: what the API says of a node, as the facts that decide whether it may leave service."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_adapters.kubernetes.objects import (
    Manager,
    condition_of,
    ignored_because,
    is_deleting,
    labels_of,
    managers_of,
    name_of,
    uid_of,
)
from runbook_adapters.kubernetes.pods import NOWHERE, Ourselves
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.node import Node
from runbook_engine.model.target import Target

ZONE = "topology.kubernetes.io/zone"
POOLS = ("karpenter.sh/nodepool", "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool")
TAINTS = "node.kubernetes.io/"
# Taints that only repeat what is told elsewhere: the cordon, readiness, and each pressure under its condition's name.
TOLD_ELSEWHERE: Mapping[str, str] = {
    "unschedulable": "",
    "not-ready": "",
    "memory-pressure": "MemoryPressure",
    "disk-pressure": "DiskPressure",
    "pid-pressure": "PIDPressure",
    "network-unavailable": "NetworkUnavailable",
}
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def node_of(obj: Json, place: str, ourselves: Ourselves = NOWHERE) -> Node:
    """Return the facts of a node."""
    labels, name = labels_of(obj), name_of(obj)
    cordoned = is_cordoned(obj)
    manager = cordoner_of(obj) if cordoned else None
    ready = condition_of(obj, "Ready")
    return Node(
        target=node_target(obj, place),
        ready=ready.get("status") == "True",
        ready_reason="" if ready.get("status") == "True" else _why_not_ready(ready),
        cordoned=cordoned,
        cordoned_at=manager.at if manager else None,
        cordoned_by=manager.name if manager else "",
        zone=labels.get(ZONE, ""),
        pool=next((labels[label] for label in POOLS if label in labels), ""),
        labels=dict(labels),
        pressures=_pressures(obj),
        deleting=is_deleting(obj),
        ignored=ignored_because(obj),
        holds_us=bool(ourselves.node) and ourselves.node == name,
    )


def without_images(node: Json) -> Json:
    """Return a node without the list of what it has pulled, which is most of what it weighs."""
    status = node.get("status") or {}
    return {**node, "status": {key: value for key, value in status.items() if key != "images"}}


def node_target(obj: Json, place: str) -> Target:
    """Return a node as a target, with its uid."""
    return Target("node", place, "", name_of(obj), uid_of(obj))


def is_cordoned(obj: Json) -> bool:
    """Whether a node takes no new pods because somebody wants it so."""
    return (obj.get("spec") or {}).get("unschedulable") is True


def cordoner_of(obj: Json) -> Manager | None:
    """Return who cordoned a node last, None when the node does not tell."""
    return next(iter(managers_of(obj, ("spec", "unschedulable"))), None)


def _why_not_ready(ready: Json) -> str:
    if not ready:
        return "its kubelet has never said that it is ready"
    told = ": ".join(part for part in (ready.get("reason") or "", ready.get("message") or "") if part)
    return f"Ready is {ready.get('status')}" + (f": {one_line(told)}" if told else "")


def _pressures(obj: Json) -> tuple[str, ...]:
    conditions = [kind for kind in PRESSURES if condition_of(obj, kind).get("status") == "True"]
    keys = [str(taint.get("key", "")) for taint in (obj.get("spec") or {}).get("taints") or []]
    short = [key.removeprefix(TAINTS) for key in keys if key.startswith(TAINTS)]
    told = (TOLD_ELSEWHERE.get(key, key) for key in short)
    return tuple(name for name in dict.fromkeys([*conditions, *told]) if name)
