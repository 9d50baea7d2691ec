"""The node lifecycle controller: taints for cordoned and lost nodes, and what follows for their pods."""

from tests.emulators.kubernetes.clock import elapsed_ms
from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers.placing import UNSCHEDULABLE, tolerates
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.pods import is_ready, is_terminating, with_condition
from tests.emulators.kubernetes.registry import KUBELET
from tests.emulators.kubernetes.resources import NODES, PODS
from tests.emulators.kubernetes.trees import Tree, dig

_UNREACHABLE = "node.kubernetes.io/unreachable"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def sync(context: Context) -> None:
    """Look at every node once, and at pods of nodes that are gone."""
    for node in context.items(NODES):
        node = _report(context, node)
        node = _taint(context, node)
        if node["metadata"]["name"] in context.runtime.nodes_down:
            _lose_pods(context, node)
    _collect_pods(context)


def _report(context: Context, node: Tree) -> Tree:
    """Write the node's Ready condition, which turns Unknown when its kubelet stops posting."""
    down = node["metadata"]["name"] in context.runtime.nodes_down
    known = dig(node, "status", "conditions", default=[])
    if down:
        ready = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    else:
        ready = {"status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    conditions = with_condition(known, {"type": "Ready"} | ready, context.stamp())
    for pressure in _PRESSURES:
        if not any(each["type"] == pressure for each in conditions):
            fine = {"type": pressure, "status": "False", "reason": f"KubeletHasNo{pressure}"}
            conditions = with_condition(conditions, fine, context.stamp())
    return context.registry.write_status(NODES, node, node.get("status", {}) | {"conditions": conditions}, KUBELET)


def _taint(context: Context, node: Tree) -> Tree:
    """Keep the taints that stand for a cordon, a lost kubelet and pressure."""
    lost = node["metadata"]["name"] in context.runtime.nodes_down
    wanted = []
    if dig(node, "spec", "unschedulable"):
        wanted.append({"key": UNSCHEDULABLE, "effect": "NoSchedule"})
    if lost:
        wanted += [{"key": _UNREACHABLE, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    for condition in dig(node, "status", "conditions", default=[]):
        if condition["type"] in _PRESSURES and condition["status"] == "True":
            key = f"node.kubernetes.io/{condition['type'].removesuffix('Pressure').lower()}-pressure"
            wanted.append({"key": key, "effect": "NoSchedule"})
    managed = (
        UNSCHEDULABLE,
        _UNREACHABLE,
        *(f"node.kubernetes.io/{name}-pressure" for name in ("memory", "disk", "pid")),
    )
    kept = [taint for taint in dig(node, "spec", "taints", default=[]) if taint["key"] not in managed]
    present = [taint for taint in dig(node, "spec", "taints", default=[]) if taint["key"] in managed]
    if [(each["key"], each["effect"]) for each in present] == [(each["key"], each["effect"]) for each in wanted]:
        return node
    stamped = [each | {"timeAdded": context.stamp()} for each in wanted]
    return context.registry.update(NODES, node, node | {"spec": node["spec"] | {"taints": kept + stamped}})


def _lose_pods(context: Context, node: Tree) -> None:
    """Call the pods of a lost node unready, and delete them once their tolerations run out."""
    name, now = node["metadata"]["name"], context.now()
    lost = context.runtime.first_seen("node-down", node["metadata"]["uid"], now)
    taint = {"key": _UNREACHABLE, "effect": "NoExecute"}
    for pod in context.items(PODS):
        if pod["spec"].get("nodeName") != name:
            continue
        if is_ready(pod):
            conditions = dig(pod, "status", "conditions", default=[])
            new = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}
            conditions = with_condition(conditions, new, context.stamp())
            pod = context.registry.write_status(PODS, pod, pod["status"] | {"conditions": conditions})
        waited = elapsed_ms(lost, now) >= context.settings.unreachable_eviction
        forever = any(
            each.get("tolerationSeconds") is None and tolerates({"tolerations": [each]}, taint)
            for each in pod["spec"].get("tolerations") or []
        )
        if waited and not forever and not is_terminating(pod):
            delete(context.registry, PODS, pod)


def _collect_pods(context: Context) -> None:
    """Remove pods whose node object is gone or declared out of service."""
    nodes = {node["metadata"]["name"]: node for node in context.store.items(NODES)}
    now = context.now()
    for pod in context.items(PODS):
        home = pod["spec"].get("nodeName")
        if not home:
            continue
        node = nodes.get(home)
        if node is None:
            since = context.runtime.first_seen("node-gone", pod["metadata"]["uid"], now)
            if elapsed_ms(since, now) >= context.settings.pod_gc:
                delete(context.registry, PODS, pod, {"gracePeriodSeconds": 0})
        elif home in context.runtime.nodes_down and is_terminating(pod) and _out_of_service(node):
            delete(context.registry, PODS, pod, {"gracePeriodSeconds": 0})


def _out_of_service(node: Tree) -> bool:
    return any(taint["key"] == _OUT_OF_SERVICE for taint in dig(node, "spec", "taints", default=[]))
