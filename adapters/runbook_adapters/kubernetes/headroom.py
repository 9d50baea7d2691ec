"""Headroom: whether what a node runs would fit onto the others, by what is asked for and what is given.

Sums over the other nodes, so a yes is a necessary condition and no promise: affinities, and volumes that only one zone
can attach, are the scheduler's to judge.
"""

from __future__ import annotations

from fractions import Fraction

from runbook_adapters.kubernetes.amounts import PODS, Amounts, allocatable, asked_by, total
from runbook_adapters.kubernetes.node_facts import without_images
from runbook_adapters.kubernetes.objects import (
    annotations_of,
    condition_of,
    controller_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    path_to,
)
from runbook_adapters.kubernetes.pods import MIRROR
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.node import Headroom

MEBIBYTE = 1024**2
ENDED = ("Succeeded", "Failed")
MACHINE = ("kubernetes.io/os", "kubernetes.io/arch")
OF_SPEC = ("nodeName", "containers", "initContainers", "resources", "overhead", "volumes")
OF_CONTAINER = ("resources", "restartPolicy")
STILL_RUNNING = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}


def read_headroom(transport: Transport, name: str) -> Headroom:
    """Return whether what a node runs would fit onto the others. Raises Unreadable."""
    nodes, _ = transport.list(path_to("node"), keep=without_images)
    pods, _ = transport.list(path_to("pod"), STILL_RUNNING, keep=weight_of)
    return headroom(name, nodes, pods)


def weight_of(pod: Json) -> Json:
    """Return what of a pod is asked here: a cluster has thousands, and a whole one takes many times as much."""
    spec = {key: value for key, value in (pod.get("spec") or {}).items() if key in OF_SPEC}
    for key in ("containers", "initContainers"):
        spec[key] = [{part: each[part] for part in OF_CONTAINER if part in each} for each in spec.get(key) or []]
    spec["volumes"] = [volume for volume in spec.get("volumes") or [] if "persistentVolumeClaim" in volume]
    metadata = {key: value for key, value in metadata_of(pod).items() if key not in ("managedFields", "labels")}
    status = {key: value for key, value in (pod.get("status") or {}).items() if key in ("phase", "conditions")}
    return {"metadata": metadata, "spec": spec, "status": status}


def headroom(name: str, nodes: Items, pods: Items) -> Headroom:
    """Judge one node among others."""
    stuck = next((pod for pod in pods if _is_unplaceable(pod)), None)
    if stuck is not None:
        where = f"{metadata_of(stuck).get('namespace')}/{name_of(stuck)}"
        return Headroom(fits=False, says=f"pod {where} cannot be placed as it is: {_why_unplaceable(stuck)}")
    this = next((node for node in nodes if name_of(node) == name), {})
    others = [node for node in nodes if name_of(node) != name and _takes_pods(node) and _is_like(node, this)]
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


def _is_like(node: Json, this: Json) -> bool:
    """Whether a node takes what ran on this one: the same machine code, and no taint that this one has not."""
    here, there = labels_of(this), labels_of(node)
    alike = all(here[key] == there[key] for key in MACHINE if key in here and key in there)
    return alike and _hard_taints(node) <= _hard_taints(this)


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
    return one_line(condition_of(pod, "PodScheduled").get("message") or "the scheduler finds no node for it")
