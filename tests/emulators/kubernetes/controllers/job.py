"""The Job controller: runs pods to completion and gives up after backoffLimit failures."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.pods import from_template, is_active, is_ready, is_terminating
from tests.emulators.kubernetes.resources import JOBS, PODS
from tests.emulators.kubernetes.trees import Tree, clone, dig


def sync(context: Context) -> None:
    """Look at every Job once."""
    owned = context.pods_by_owner()
    for job in context.items(JOBS):
        if "deletionTimestamp" not in job["metadata"]:
            with context.requeue():
                _sync(context, _labelled(context, job), owned.get(job["metadata"]["uid"], []))


def _labelled(context: Context, job: Tree) -> Tree:
    """Give a new Job the selector that the server generates."""
    if job["spec"].get("selector"):
        return job
    marks = {
        "batch.kubernetes.io/controller-uid": job["metadata"]["uid"],
        "batch.kubernetes.io/job-name": job["metadata"]["name"],
        "controller-uid": job["metadata"]["uid"],
        "job-name": job["metadata"]["name"],
    }
    spec = clone(job["spec"])
    metadata = spec["template"].setdefault("metadata", {})
    metadata["labels"] = metadata.get("labels", {}) | marks
    uid = "batch.kubernetes.io/controller-uid"
    spec["selector"] = {"matchLabels": {uid: marks[uid]}}
    return context.store.put(JOBS, job | {"spec": spec, "metadata": dict(job["metadata"])})


def _sync(context: Context, job: Tree, pods: list[Tree]) -> None:
    conditions = dig(job, "status", "conditions", default=[])
    if any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in conditions):
        return
    succeeded = [pod for pod in pods if dig(pod, "status", "phase") == "Succeeded"]
    active = [pod for pod in pods if is_active(pod)]
    failures = _failures(context, job, pods)
    spec = job["spec"]
    status: Tree = {"startTime": dig(job, "status", "startTime", default=context.stamp())}
    wanted = spec.get("completions") or spec["parallelism"]
    started = 0
    if failures > spec["backoffLimit"]:
        for pod in active:
            delete(context.registry, PODS, pod)
        active = []
        text = "Job has reached the specified backoff limit"
        status["conditions"] = _ended(context, "Failed", "BackoffLimitExceeded", text)
    elif len(succeeded) >= wanted:
        text = "Reached expected number of succeeded pods"
        status["conditions"] = _ended(context, "Complete", "CompletionsReached", text)
        status["completionTime"] = context.stamp()
    elif not spec.get("suspend"):
        started = _start(context, job, min(spec["parallelism"], wanted - len(succeeded)) - len(active))
    counts = {"active": len(active) + started, "succeeded": len(succeeded), "failed": failures}
    status |= {name: count for name, count in counts.items() if count}
    status |= {"ready": sum(is_ready(pod) for pod in active), "terminating": 0}
    context.registry.write_status(JOBS, job, status)


def _failures(context: Context, job: Tree, pods: list[Tree]) -> int:
    """Count failed and deleted pods, those that are gone by now included."""
    mark = f"job-lost/{job['metadata']['uid']}"
    for pod in pods:
        if dig(pod, "status", "phase") == "Failed" or is_terminating(pod):
            context.runtime.first_seen(mark, pod["metadata"]["uid"], context.now())
    return sum(what == mark for what, _ in context.runtime.since)


def _start(context: Context, job: Tree, count: int) -> int:
    """Create pods and return how many there are now."""
    made = [
        context.try_create(PODS, job["metadata"]["namespace"], from_template(job, job["spec"]["template"]))
        for _ in range(count)
    ]
    return made.count(None)


def _ended(context: Context, type_: str, reason: str, message: str) -> list[Tree]:
    now = context.stamp()
    times = {"lastProbeTime": now, "lastTransitionTime": now}
    return [{"type": type_, "status": "True", "reason": reason, "message": message} | times]
