"""The scheduler: binds pending pods to the node with the fewest, or says why it cannot."""

from collections import Counter

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers.placing import UNSCHEDULABLE, node_matches, refusing_taint
from tests.emulators.kubernetes.pods import is_terminal, is_terminating, with_condition
from tests.emulators.kubernetes.quantities import quantity, requests
from tests.emulators.kubernetes.registry import as_manager
from tests.emulators.kubernetes.resources import NODES, PODS
from tests.emulators.kubernetes.trees import Tree, dig


def sync(context: Context) -> None:
    """Bind what can be bound."""
    pending = [pod for pod in context.store.items(PODS) if not pod["spec"].get("nodeName") and not is_terminating(pod)]
    if not pending:
        return
    load = Load(context)
    for pod in pending:
        node, why = load.choose(pod)
        if node is not None:
            _bind(context, pod, node["metadata"]["name"])
            load.add(pod, node["metadata"]["name"])
        else:
            new = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            _write_condition(context, pod, new)


class Load:
    """What each node carries."""

    def __init__(self, context: Context) -> None:
        self.nodes = [node for node in context.store.items(NODES) if "deletionTimestamp" not in node["metadata"]]
        self.pods: Counter[str] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()
        for pod in context.store.items(PODS):
            if pod["spec"].get("nodeName") and not is_terminal(pod):
                self.add(pod, pod["spec"]["nodeName"])

    def add(self, pod: Tree, node: str) -> None:
        self.pods[node] += 1
        for resource in ("cpu", "memory"):
            self.asked[node, resource] += requests(pod["spec"], resource)  # type: ignore[assignment]

    def choose(self, pod: Tree) -> tuple[Tree | None, str]:
        """Return the node for a pod, or the reasons why there is none."""
        reasons: Counter[str] = Counter()
        fitting = []
        for node in self.nodes:
            why = self._refusal(pod, node)
            if why:
                reasons[why] += 1
            else:
                fitting.append(node)
        if fitting:
            return min(fitting, key=lambda node: self.pods[node["metadata"]["name"]]), ""
        listed = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        shown = (
            f"0/{len(self.nodes)} nodes are available: {listed}." if listed else "no nodes available to schedule pods"
        )
        return None, shown

    def _refusal(self, pod: Tree, node: Tree) -> str:
        name = node["metadata"]["name"]
        if not node_matches(pod["spec"], node):
            return "node(s) didn't match Pod's node affinity/selector"
        taint = refusing_taint(pod["spec"], node)
        if taint is not None:
            if taint["key"] == UNSCHEDULABLE:
                return "node(s) were unschedulable"
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
        allocatable = dig(node, "status", "allocatable", default={})
        if self.pods[name] >= int(allocatable.get("pods", 110)):
            return "Too many pods"
        for resource in ("cpu", "memory"):
            asked = requests(pod["spec"], resource)
            if asked and self.asked[name, resource] + asked > quantity(allocatable.get(resource, 0)):
                return f"Insufficient {resource}"
        return ""


def _bind(context: Context, pod: Tree, node: str) -> None:
    bound = pod | {"spec": pod["spec"] | {"nodeName": node}, "metadata": dict(pod["metadata"])}
    put = context.store.put(PODS, bound)  # the binding subresource may set what an update may not
    _write_condition(context, put, {"type": "PodScheduled", "status": "True"})


def _write_condition(context: Context, pod: Tree, condition: Tree) -> None:
    known = dig(pod, "status", "conditions", default=[])
    same = next((each for each in known if each["type"] == "PodScheduled"), None)
    if same and {key: same.get(key) for key in condition} == condition:
        return
    conditions = with_condition(known, condition, context.stamp())
    status = pod["status"] | {"conditions": conditions}
    context.registry.write_status(PODS, pod, status, as_manager("kube-scheduler"))
