"""The ReplicaSet controller: as many pods as asked for, and no more."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.pods import (
    condition_of,
    from_template,
    is_active,
    is_available,
    is_ready,
    is_terminal,
    is_terminating,
    with_condition,
)
from tests.emulators.kubernetes.resources import PODS, REPLICASETS
from tests.emulators.kubernetes.trees import Tree, dig


def sync(context: Context) -> None:
    """Look at every ReplicaSet once."""
    owned = context.pods_by_owner()
    every = list(context.items(REPLICASETS))
    failures = [_sync(context, each, owned.get(each["metadata"]["uid"], [])) for each in every]
    owned = context.pods_by_owner()
    for each, failure in zip(every, failures, strict=True):
        _write_status(context, each, owned.get(each["metadata"]["uid"], []), failure)


def _sync(context: Context, replicaset: Tree, pods: list[Tree]) -> ApiError | None:
    """Create or delete pods; return what kept one from being created."""
    active = [pod for pod in pods if is_active(pod)]
    wanted = replicaset["spec"]["replicas"]
    if "deletionTimestamp" in replicaset["metadata"]:
        return None
    for pod in sorted(active, key=_victim_rank)[: max(len(active) - wanted, 0)]:
        delete(context.registry, PODS, pod)
    return _create(context, replicaset, wanted - len(active))


def _create(context: Context, replicaset: Tree, count: int) -> ApiError | None:
    for _ in range(count):
        pod = from_template(replicaset, replicaset["spec"]["template"])
        failure = context.try_create(PODS, replicaset["metadata"]["namespace"], pod)
        if failure:
            return failure
    return None


def _victim_rank(pod: Tree) -> tuple[bool, bool, bool, float]:
    """Unassigned before assigned, pending before running, unready before ready, young before old."""
    age = -float(pod["metadata"]["resourceVersion"])
    bound, running = bool(pod["spec"].get("nodeName")), dig(pod, "status", "phase") == "Running"
    return (bound, running, is_ready(pod), age)


def _write_status(context: Context, replicaset: Tree, pods: list[Tree], failure: ApiError | None) -> None:
    live = context.live(REPLICASETS, replicaset)
    if live is None:
        return
    active = [pod for pod in pods if is_active(pod)]
    now, minimum = context.now(), live["spec"].get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": len(active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, minimum, now) for pod in active),
        "terminatingReplicas": sum(is_terminating(pod) and not is_terminal(pod) for pod in pods),
    }
    status = {"replicas": len(active)} | {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = live["metadata"]["generation"]
    conditions = dig(live, "status", "conditions", default=[])
    if failure:
        new = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure.message}
        known = condition_of(live, "ReplicaFailure")
        conditions = conditions if known else with_condition(conditions, new, context.stamp())
    else:
        conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    context.registry.write_status(REPLICASETS, live, status | ({"conditions": conditions} if conditions else {}))
