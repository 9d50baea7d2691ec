"""Conditions of a Deployment, with the controller's habit of leaving an old ProgressDeadlineExceeded in place."""

from tests.emulators.kubernetes.clock import elapsed_ms, parse
from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers.rollout import available, max_unavailable, replicas
from tests.emulators.kubernetes.pods import condition_of
from tests.emulators.kubernetes.trees import Tree, dig

NO_DEADLINE = 2147483647
AVAILABLE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"


def find(status: Tree, type_: str) -> Tree | None:
    """Return a condition of a status."""
    return condition_of({"status": status}, type_)


def set_condition(status: Tree, type_: str, answer: str, reason: str, message: str, now: str) -> None:
    """Set a condition; one with the same status and reason is left as it is, message and times too."""
    known = find(status, type_)
    if known and (known["status"], known["reason"]) == (answer, reason):
        return
    since = known["lastTransitionTime"] if known and known["status"] == answer else now
    drop_condition(status, type_)
    new = {"type": type_, "status": answer, "reason": reason, "message": message}
    status["conditions"] = [*status.get("conditions", []), new | {"lastUpdateTime": now, "lastTransitionTime": since}]


def drop_condition(status: Tree, type_: str) -> None:
    """Remove a condition."""
    status["conditions"] = [each for each in status.get("conditions", []) if each["type"] != type_]


def counted(deployment: Tree, every: list[Tree], new: Tree | None, now: str) -> Tree:
    """Return the status with counts and the Available condition; other conditions as they were."""
    up = sum(available(each) for each in every)
    counts = {
        "replicas": sum(dig(each, "status", "replicas", default=0) for each in every),
        "updatedReplicas": dig(new, "status", "replicas", default=0),
        "readyReplicas": sum(dig(each, "status", "readyReplicas", default=0) for each in every),
        "availableReplicas": up,
        "unavailableReplicas": max(sum(replicas(each) for each in every) - up, 0),
    }
    status: Tree = {"observedGeneration": deployment["metadata"]["generation"]}
    status |= {name: count for name, count in counts.items() if count}
    terminating = sum(dig(each, "status", "terminatingReplicas", default=0) for each in every)
    status["terminatingReplicas"] = terminating
    status["conditions"] = list(dig(deployment, "status", "conditions", default=[]))
    if up >= replicas(deployment) - max_unavailable(deployment):
        text = "Deployment has minimum availability."
        set_condition(status, "Available", "True", "MinimumReplicasAvailable", text, now)
    else:
        text = "Deployment does not have minimum availability."
        set_condition(status, "Available", "False", "MinimumReplicasUnavailable", text, now)
    return status


def has_deadline(deployment: Tree) -> bool:
    """Whether progress is watched at all."""
    return bool(deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE) != NO_DEADLINE)


def is_complete(deployment: Tree, status: Tree) -> bool:
    """Whether the rollout is done, as the controller sees it."""
    wanted = replicas(deployment)
    counts = [status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")]
    fresh = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return counts == [wanted] * 3 and bool(fresh)


def judge_progress(context: Context, deployment: Tree, status: Tree, every: list[Tree], new: Tree | None) -> None:
    """Set the Progressing and ReplicaFailure conditions of a rollout."""
    known = find(status, "Progressing")
    settled = known is not None and known["reason"] == AVAILABLE
    finished = settled and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if not has_deadline(deployment):
        drop_condition(status, "Progressing")
    elif not finished:
        _progressing(context, deployment, status, new)
    failures = [found for each in [new, *every] if each and (found := condition_of(each, "ReplicaFailure"))]
    if failures:
        cause = failures[0]
        set_condition(status, "ReplicaFailure", "True", cause["reason"], cause["message"], context.stamp())
    else:
        drop_condition(status, "ReplicaFailure")


def _progressing(context: Context, deployment: Tree, status: Tree, new: Tree | None) -> None:
    name = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    known, now = find(status, "Progressing"), context.stamp()
    if is_complete(deployment, status):
        set_condition(status, "Progressing", "True", AVAILABLE, f"{name} has successfully progressed.", now)
    elif _moved(deployment.get("status") or {}, status):
        since = known["lastTransitionTime"] if known and known["status"] == "True" else now
        drop_condition(status, "Progressing")
        text = f"{name} is progressing."
        set_condition(status, "Progressing", "True", "ReplicaSetUpdated", text, now)
        status["conditions"][-1]["lastTransitionTime"] = since
    elif known and _timed_out(context, deployment, known):
        set_condition(status, "Progressing", "False", TIMED_OUT, f"{name} has timed out progressing.", now)


def _moved(old: Tree, new: Tree) -> bool:
    def outdated(status: Tree) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    grown = any(
        new.get(name, 0) > old.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or outdated(new) < outdated(old)


def _timed_out(context: Context, deployment: Tree, condition: Tree) -> bool:
    if condition["reason"] == AVAILABLE:
        return False
    if condition["reason"] == TIMED_OUT:
        return True
    waited = elapsed_ms(parse(condition["lastUpdateTime"]), context.now())
    return bool(waited > deployment["spec"]["progressDeadlineSeconds"] * 1000)
