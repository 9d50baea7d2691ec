"""Placing: which nodes take a pod, and why others do not."""

from tests.emulators.kubernetes.pods import condition_of
from tests.emulators.kubernetes.trees import Tree, dig, labels

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def node_ready(node: Tree) -> bool:
    """Whether a node's Ready condition is true."""
    condition = condition_of(node, "Ready")
    return condition is not None and condition["status"] == "True"


def tolerates(pod_spec: Tree, taint: Tree) -> bool:
    """Whether a pod tolerates a taint."""
    return any(_covers(each, taint) for each in pod_spec.get("tolerations") or [])


def _covers(toleration: Tree, taint: Tree) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if not toleration.get("key"):
        return bool(toleration.get("operator") == "Exists")
    if toleration["key"] != taint["key"]:
        return False
    return bool(toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))


def refusing_taint(pod_spec: Tree, node: Tree) -> Tree | None:
    """Return the first taint of the node that keeps the pod away."""
    taints = list(dig(node, "spec", "taints", default=[]))
    if dig(node, "spec", "unschedulable") and not any(taint["key"] == UNSCHEDULABLE for taint in taints):
        taints.append({"key": UNSCHEDULABLE, "effect": "NoSchedule"})
    hard = [taint for taint in taints if taint["effect"] in ("NoSchedule", "NoExecute")]
    return next((taint for taint in hard if not tolerates(pod_spec, taint)), None)


def node_matches(pod_spec: Tree, node: Tree) -> bool:
    """Whether the node has the labels and the name the pod asks for."""
    wanted = pod_spec.get("nodeSelector") or {}
    if any(labels(node).get(key) != value for key, value in wanted.items()):
        return False
    path = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    terms = dig(pod_spec, *path, default=[])
    named = [field for term in terms for field in term.get("matchFields") or [] if field["key"] == "metadata.name"]
    return all(node["metadata"]["name"] in field["values"] for field in named)


def node_takes(pod_spec: Tree, node: Tree) -> bool:
    """Whether a pod may run on the node, room aside."""
    return refusing_taint(pod_spec, node) is None and node_matches(pod_spec, node)
