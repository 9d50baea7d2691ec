"""Tables: the columns that `kubectl get` prints, as the server computes them."""

from collections.abc import Callable
from datetime import datetime

from tests.emulators.kubernetes.clock import Clock, parse
from tests.emulators.kubernetes.pods import condition_of, is_terminating
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.trees import Tree, dig

_WIDE = ("IP", "Node")
Row = Callable[[Tree], list[object]]


def wants_table(accept: str) -> bool:
    """Whether the client prefers a Table."""
    return "as=Table" in accept.partition(",")[0]


def as_table(resource: Resource, item: Tree, clock: Clock) -> Tree:
    """Return an object or a list as a Table."""
    columns, row = _COLUMNS.get(resource.plural, ((), lambda _: []))
    items = item.get("items", [item])
    names = ["Name", *columns, "Age"]
    definitions = [{"name": name, "type": "string", "format": "", "description": "", "priority": 0} for name in names]
    definitions[0]["format"] = "name"
    if resource.plural == "pods":
        definitions += [
            {"name": name, "type": "string", "format": "", "description": "", "priority": 1} for name in _WIDE
        ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"] if "items" in item else {"resourceVersion": item["metadata"]["resourceVersion"]},
        "columnDefinitions": definitions,
        "rows": [_row(each, row, clock.now()) for each in items],
    }


def _row(item: Tree, row: Row, now: datetime) -> Tree:
    seconds = int((now - parse(item["metadata"]["creationTimestamp"])).total_seconds())
    age = f"{seconds}s" if seconds < 120 else f"{seconds // 60}m"
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
    wide = [dig(item, "status", "podIP", default="<none>"), dig(item, "spec", "nodeName", default="<none>")]
    cells = [item["metadata"]["name"], *row(item), age, *(wide if item["kind"] == "Pod" else [])]
    return {"cells": cells, "object": partial}


def _count(item: Tree, name: str) -> int:
    return int(dig(item, "status", name, default=0))


def _deployment(item: Tree) -> list[object]:
    ready = f"{_count(item, 'readyReplicas')}/{item['spec']['replicas']}"
    return [ready, _count(item, "updatedReplicas"), _count(item, "availableReplicas")]


def _replicaset(item: Tree) -> list[object]:
    return [item["spec"]["replicas"], _count(item, "replicas"), _count(item, "readyReplicas")]


def _statefulset(item: Tree) -> list[object]:
    return [f"{_count(item, 'readyReplicas')}/{item['spec']['replicas']}"]


def _daemonset(item: Tree) -> list[object]:
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    return [*(_count(item, name) for name in names), _count(item, "numberAvailable")]


def _pod(item: Tree) -> list[object]:
    statuses = dig(item, "status", "containerStatuses", default=[])
    ready = f"{sum(each['ready'] for each in statuses)}/{len(item['spec']['containers'])}"
    waiting = [
        dig(each, "state", "waiting", "reason") or dig(each, "state", "terminated", "reason") for each in statuses
    ]
    reason = next((each for each in waiting if each), dig(item, "status", "phase"))
    restarts = sum(each["restartCount"] for each in statuses)
    return [ready, "Terminating" if is_terminating(item) else reason, restarts]


def _node(item: Tree) -> list[object]:
    ready = condition_of(item, "Ready")
    state = "Ready" if ready and ready["status"] == "True" else "NotReady"
    cordoned = ",SchedulingDisabled" if dig(item, "spec", "unschedulable") else ""
    return [state + cordoned, "<none>", dig(item, "status", "nodeInfo", "kubeletVersion", default="")]


def _budget(item: Tree) -> list[object]:
    spec = item["spec"]
    return [spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A"), _count(item, "disruptionsAllowed")]


def _autoscaler(item: Tree) -> list[object]:
    reference = item["spec"]["scaleTargetRef"]
    spec = item["spec"]
    target = f"{reference['kind']}/{reference['name']}"
    return [target, spec["minReplicas"], spec["maxReplicas"], _count(item, "currentReplicas")]


_COLUMNS: dict[str, tuple[tuple[str, ...], Row]] = {
    "deployments": (("Ready", "Up-to-date", "Available"), _deployment),
    "replicasets": (("Desired", "Current", "Ready"), _replicaset),
    "statefulsets": (("Ready",), _statefulset),
    "daemonsets": (("Desired", "Current", "Ready", "Up-to-date", "Available"), _daemonset),
    "pods": (("Ready", "Status", "Restarts"), _pod),
    "nodes": (("Status", "Roles", "Version"), _node),
    "namespaces": (("Status",), lambda item: [dig(item, "status", "phase")]),
    "poddisruptionbudgets": (("Min Available", "Max Unavailable", "Allowed Disruptions"), _budget),
    "horizontalpodautoscalers": (("Reference", "MinPods", "MaxPods", "Replicas"), _autoscaler),
}
