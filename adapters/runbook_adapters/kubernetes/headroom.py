"""Headroom: whether what a node runs would fit onto the others, by what is asked for and what is given.

Sums over the other nodes, so a yes is a necessary condition and no promise: affinities, and volumes that only one zone
can attach, are the scheduler's to judge.
"""

from __future__ import annotations

from fractions import Fraction

from runbook_adapters.kubernetes.amounts import PODS, Amounts, allocatable, asked_by, total
from runbook_adapters.kubernetes.objects import (
    annotations_of,
    condition_of,
    controller_of,
    is_deleting,
    metadata_of,
    name_of,
    path_to,
)
from runbook_adapters.kubernetes.pods import MIRROR
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_engine.model.node import Headroom

MEBIBYTE = 1024**2
ENDED = ("Succeeded", "Failed")
STILL_RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def read_headroom(transport: Transport, name: str) -> Headroom:
    """Return whether what a node runs would fit onto the others. Raises Unreadable."""
    nodes, _ = transport.list(path_to("node"))
    pods, _ = transport.list(path_to("pod"), STILL_RUNNING)
    return headroom(name, nodes, pods)


def headroom(name: str, nodes: Items, pods: Items) -> Headroom:
    """Judge one node among others."""
    stuck = next((pod for pod in pods if _is_unplaceable(pod)), None)
    if stuck is not None:
        where = f"{metadata_of(stuck).get('namespace')}/{name_of(stuck)}"
        return Headroom(fits=False, says=f"pod {where} cannot be placed as it is: {_why_unplaceable(stuck)}")
    taints = _hard_taints(next((node for node in nodes if name_of(node) == name), {}))
    others = [node for node in nodes if name_of(node) != name and _takes_pods(node) and _hard_taints(node) <= taints]
    if not others:
        return Headroom(fits=False, says="no other node takes its pods")
    leaving = [pod for pod in pods if _node_of(pod) == name and _comes_back_elsewhere(pod)]
    there = {name_of(node) for node in others}
    given = total(allocatable(node) for node in others)
    used = total(asked_by(pod) for pod in pods if _node_of(pod) in there)
    return _judged(leaving, {key: given[key] - used[key] for key in given}, len(others))


def _judged(leaving: Items, free: Amounts, others: int) -> Headroom:
    needed = total(asked_by(pod) for pod in leaving)
    short = [key for key in needed if needed[key] > max(free[key], Fraction(0))]
    there = "the other node" if others == 1 else f"{others} other nodes"
    says = f"{_shown(needed)} would have to fit into {_shown(free)} free on {there}"
    if any("persistentVolumeClaim" in volume for pod in leaving for volume in pod["spec"].get("volumes") or []):
        says += "; volumes that only one zone can attach were not judged"
    return Headroom(fits=not short, says=f"{says}: not enough {', '.join(short)}" if short else says)


def _shown(amounts: Amounts) -> str:
    cpu, memory, pods = float(amounts["cpu"]), float(amounts["memory"]) / MEBIBYTE, int(amounts[PODS])
    return f"{cpu:.2f} CPU, {memory:,.0f} MiB and {pods} {'pod' if pods == 1 else 'pods'}"


def _takes_pods(node: Json) -> bool:
    cordoned = (node.get("spec") or {}).get("unschedulable") is True
    return not cordoned and not is_deleting(node) and condition_of(node, "Ready").get("status") == "True"


def _hard_taints(node: Json) -> set[tuple[str, str, str]]:
    """Return the taints that keep pods away, those of the node's own condition excepted."""
    return {
        (taint.get("key", ""), taint.get("value") or "", taint.get("effect", ""))
        for taint in (node.get("spec") or {}).get("taints") or []
        if taint.get("effect") in ("NoSchedule", "NoExecute")
        and not str(taint.get("key", "")).startswith("node.kubernetes.io/")
    }


def _comes_back_elsewhere(pod: Json) -> bool:
    owner = controller_of(pod)
    if owner is None or owner.kind == "DaemonSet" or MIRROR in annotations_of(pod):
        return False
    return not is_deleting(pod)


def _node_of(pod: Json) -> str:
    ended = (pod.get("status") or {}).get("phase") in ENDED
    return "" if ended else (pod.get("spec") or {}).get("nodeName") or ""


def _is_unplaceable(pod: Json) -> bool:
    placed = condition_of(pod, "PodScheduled")
    waits = (pod.get("status") or {}).get("phase") == "Pending" and not _node_of(pod) and not is_deleting(pod)
    return waits and placed.get("status") == "False" and placed.get("reason") == "Unschedulable"


def _why_unplaceable(pod: Json) -> str:
    return condition_of(pod, "PodScheduled").get("message") or "the scheduler finds no node for it"
