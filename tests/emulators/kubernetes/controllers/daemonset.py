"""The DaemonSet controller: one pod on every node that lets it, cordoned nodes included."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers import revisions
from tests.emulators.kubernetes.controllers.placing import node_matches, node_takes, tolerates
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.pods import (
    REVISION_HASH,
    from_template,
    is_available,
    is_ready,
    is_terminal,
    is_terminating,
)
from tests.emulators.kubernetes.quantities import share
from tests.emulators.kubernetes.resources import DAEMONSETS, NODES, PODS
from tests.emulators.kubernetes.trees import Tree, dig, labels

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def sync(context: Context) -> None:
    """Look at every DaemonSet once."""
    owned = context.pods_by_owner()
    for daemonset in context.items(DAEMONSETS):
        if "deletionTimestamp" not in daemonset["metadata"]:
            with context.requeue():
                _sync(context, daemonset, owned.get(daemonset["metadata"]["uid"], []))


def _sync(context: Context, daemonset: Tree, pods: list[Tree]) -> None:
    revision = revisions.current(context, daemonset)["metadata"]["name"].rpartition("-")[2]
    nodes = [node for node in context.store.items(NODES) if _belongs(daemonset, node)]
    names = {node["metadata"]["name"] for node in nodes}
    by_node: dict[str, list[Tree]] = {name: [] for name in names}
    for pod in pods:
        home = _home(pod)
        if home in names:
            by_node[home].append(pod)
        elif not is_terminating(pod) and not _may_stay(context, pod, home):
            delete(context.registry, PODS, pod)
    for name, here in by_node.items():
        for pod in here:
            if is_terminal(pod) and not is_terminating(pod):
                delete(context.registry, PODS, pod)
        if not here:
            _create(context, daemonset, name, revision)
    if daemonset["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        _roll(context, daemonset, by_node, revision)
    _write_status(context, daemonset, names, revision)


def _belongs(daemonset: Tree, node: Tree) -> bool:
    spec = daemonset["spec"]["template"]["spec"]
    tolerations = [*(spec.get("tolerations") or []), *_tolerations()]
    return "deletionTimestamp" not in node["metadata"] and node_takes(spec | {"tolerations": tolerations}, node)


def _may_stay(context: Context, pod: Tree, name: str) -> bool:
    """Whether a pod that would not be placed on its node now may run on there: no NoExecute taint drives it away."""
    node = context.store.get(NODES, "", name)
    if node is None or not node_matches(pod["spec"], node):
        return False
    taints = dig(node, "spec", "taints", default=[])
    return all(taint["effect"] != "NoExecute" or tolerates(pod["spec"], taint) for taint in taints)


def _tolerations() -> list[Tree]:
    return [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]


def _home(pod: Tree) -> str:
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    path = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = dig(pod["spec"], *path, "nodeSelectorTerms", default=[{}])
    return str(terms[0].get("matchFields", [{"values": [""]}])[0]["values"][0])


def _create(context: Context, daemonset: Tree, node: str, revision: str) -> None:
    marks = {REVISION_HASH: revision, "pod-template-generation": str(daemonset["metadata"]["generation"])}
    pod = from_template(daemonset, daemonset["spec"]["template"], labels=marks)
    spec = pod["spec"]
    spec["tolerations"] = [*(spec.get("tolerations") or []), *_tolerations()]
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    wanted = {"nodeSelectorTerms": [term]}
    spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": wanted}}
    context.try_create(PODS, daemonset["metadata"]["namespace"], pod)


def _roll(context: Context, daemonset: Tree, by_node: dict[str, list[Tree]], revision: str) -> None:
    """Delete outdated pods: those that are down at once, healthy ones as far as maxUnavailable allows."""
    limit = dig(daemonset, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable", default=1)
    minimum, now = daemonset["spec"].get("minReadySeconds", 0), context.now()
    unavailable = 0
    candidates: list[Tree] = []
    for here in by_node.values():
        up = [pod for pod in here if not is_terminating(pod) and is_available(pod, minimum, now)]
        outdated = [pod for pod in here if not is_terminating(pod) and labels(pod).get(REVISION_HASH) != revision]
        if not up:
            unavailable += 1
            for pod in outdated:
                delete(context.registry, PODS, pod)
        else:
            candidates += outdated
    spare = max(share(limit, len(by_node), up=True), 1) - unavailable
    for pod in candidates[: max(spare, 0)]:
        delete(context.registry, PODS, pod)


def _write_status(context: Context, daemonset: Tree, names: set[str], revision: str) -> None:
    live = context.live(DAEMONSETS, daemonset)
    if live is None:
        return
    minimum, now = live["spec"].get("minReadySeconds", 0), context.now()
    pods = context.pods_by_owner().get(live["metadata"]["uid"], [])
    staying = [pod for pod in pods if not is_terminating(pod) and pod["spec"].get("nodeName") in names]
    ready = [pod for pod in staying if is_ready(pod)]
    up = sum(is_available(pod, minimum, now) for pod in ready)
    updated = sum(labels(pod).get(REVISION_HASH) == revision for pod in staying)
    status: Tree = {
        "currentNumberScheduled": len({pod["spec"]["nodeName"] for pod in staying}),
        "numberMisscheduled": len({_home(pod) for pod in pods if not is_terminating(pod)} - names),
        "desiredNumberScheduled": len(names),
        "numberReady": len(ready),
        "observedGeneration": live["metadata"]["generation"],
    }
    more = {"updatedNumberScheduled": updated, "numberAvailable": up, "numberUnavailable": len(names) - up}
    status |= {name: count for name, count in more.items() if count}
    context.registry.write_status(DAEMONSETS, live, status)
    revisions.trim(context, live, {f"{live['metadata']['name']}-{labels(pod).get(REVISION_HASH)}" for pod in pods})
