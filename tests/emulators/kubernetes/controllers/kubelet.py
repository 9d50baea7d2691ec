"""The kubelets of all nodes: they start pods, probe them and stop them, as their images behave."""

from datetime import datetime

from tests.emulators.kubernetes.clock import elapsed_ms, parse, stamp
from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers.containers import pod_status
from tests.emulators.kubernetes.pods import is_ready, is_terminal, is_terminating
from tests.emulators.kubernetes.registry import KUBELET
from tests.emulators.kubernetes.resources import NODES, PODS
from tests.emulators.kubernetes.trees import Tree, annotations, clone

MIRROR = "kubernetes.io/config.mirror"


def sync(context: Context) -> None:
    """Look at every bound pod once."""
    now = context.now()
    present: set[str] = set()
    nodes = {node["metadata"]["name"] for node in context.store.items(NODES)}
    for pod in context.items(PODS):
        node = pod["spec"].get("nodeName")
        present.add(pod["metadata"]["uid"])
        if not node or node not in nodes or node in context.runtime.nodes_down:
            continue
        if is_terminating(pod):
            _stop(context, pod, now)
        elif not is_terminal(pod):
            _run(context, pod, now)
    for table in (context.runtime.bound, context.runtime.stopping):
        for uid in table.keys() - present:
            del table[uid]


def _run(context: Context, pod: Tree, now: datetime) -> None:
    if _steady(context, pod):
        return
    bound = context.runtime.bound.setdefault(pod["metadata"]["uid"], now)
    status = pod_status(context, pod, elapsed_ms(bound, now))
    if status != pod.get("status"):
        context.registry.write_status(PODS, pod, status, KUBELET)


def _steady(context: Context, pod: Tree) -> bool:
    """Whether a pod is ready and will stay so, which spares computing its status again."""
    if pod["spec"]["restartPolicy"] != "Always" or not is_ready(pod):
        return False
    if (pod["metadata"]["namespace"], pod["metadata"]["name"]) in context.runtime.pods_unready:
        return False
    return all(context.runtime.behaviour(each["image"]) in ("run", "slow") for each in pod["spec"]["containers"])


def _stop(context: Context, pod: Tree, now: datetime) -> None:
    """Remove the pod when its processes have stopped; finalizers keep the object, not the processes."""
    asked = context.runtime.stopping.setdefault(pod["metadata"]["uid"], now)
    if elapsed_ms(asked, now) < context.settings.pod_stop and now < parse(pod["metadata"]["deletionTimestamp"]):
        return
    if not pod["metadata"].get("finalizers"):
        context.store.remove(PODS, pod)
        if MIRROR in annotations(pod):
            _mirror_again(context, pod)
    elif pod["metadata"].get("deletionGracePeriodSeconds"):
        metadata = pod["metadata"] | {"deletionGracePeriodSeconds": 0}
        context.store.put(PODS, pod | {"metadata": metadata})


def _mirror_again(context: Context, pod: Tree) -> None:
    """Recreate the API object of a static pod, whose processes never stopped."""
    kept = {
        key: pod["metadata"][key]
        for key in ("name", "labels", "annotations", "ownerReferences")
        if key in pod["metadata"]
    }
    body = {"metadata": clone(kept), "spec": clone(pod["spec"])}
    created = context.registry.create(PODS, pod["metadata"]["namespace"], body, KUBELET)
    status = pod["status"] | {"startTime": stamp(context.now())}
    context.runtime.bound[created["metadata"]["uid"]] = parse(pod["metadata"]["creationTimestamp"])
    context.registry.write_status(PODS, created, status, KUBELET)
