"""Containers: the status of a pod, a function of how its images behave and how long it has been there."""

from dataclasses import dataclass

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.pods import with_condition
from tests.emulators.kubernetes.trees import Tree, dig

WAITS = {"bad-config": ("CreateContainerConfigError", 'configmap "missing" not found')}


@dataclass(frozen=True)
class Moment:
    """What a container is doing at one moment."""

    state: Tree
    running: bool = False
    ready: bool = False
    ended: str = ""
    restarts: int = 0
    last: Tree | None = None


def pod_status(context: Context, pod: Tree, age: float) -> Tree:
    """Return the status a kubelet would report for a pod of this age in milliseconds."""
    known = pod.get("status") or {}
    before = {each["name"]: each for each in known.get("containerStatuses") or []}
    containers = pod["spec"]["containers"]
    moments = {each["name"]: _moment(context, pod, each, age, before.get(each["name"])) for each in containers}
    failing = (pod["metadata"]["namespace"], pod["metadata"]["name"]) in context.runtime.pods_unready
    ready = all(moment.ready for moment in moments.values()) and not failing
    status = {key: value for key, value in known.items() if key not in ("containerStatuses", "conditions", "phase")}
    status["phase"] = _phase(list(moments.values()))
    status["conditions"] = _conditions(context, pod, status["phase"], ready)
    started = age >= context.settings.pod_start
    status.setdefault("startTime", context.stamp())
    status.setdefault("hostIP", "10.0.0.1")
    if started:
        status.setdefault("podIP", _address(pod))
        status.setdefault("podIPs", [{"ip": status["podIP"]}])
    status["containerStatuses"] = [_container_status(each, moments[each["name"]], not failing) for each in containers]
    return status


def _phase(moments: list[Moment]) -> str:
    if all(moment.ended for moment in moments):
        return "Failed" if any(moment.ended == "fail" for moment in moments) else "Succeeded"
    return "Running" if all(moment.running or moment.ended for moment in moments) else "Pending"


def _moment(context: Context, pod: Tree, container: Tree, age: float, before: Tree | None) -> Moment:
    settings = context.settings
    behaviour = context.runtime.behaviour(container["image"])
    start = settings.slow_start if behaviour == "slow" else settings.pod_start
    if age < start:
        return Moment({"waiting": {"reason": "ContainerCreating"}})
    if behaviour == "bad-pull":
        return Moment({"waiting": _pull_failure(container["image"], age - start, settings.pull_backoff)})
    if behaviour in WAITS:
        reason, message = WAITS[behaviour]
        return Moment({"waiting": {"reason": reason, "message": message}})
    running = {"running": {"startedAt": _kept(before, "running", "startedAt") or context.stamp()}}
    once = pod["spec"]["restartPolicy"] != "Always" or behaviour in ("complete", "fail")
    if once and pod["spec"]["restartPolicy"] != "Always" and behaviour not in ("crash", "never-ready"):
        return _one_shot(context, behaviour, running, age - start, before)
    if behaviour in ("crash", "fail", "complete"):
        return _loop(context, pod, behaviour, running, age - start, before)
    ready = behaviour != "never-ready" and age - start >= settings.pod_ready
    restarts = (before or {}).get("restartCount", 0)
    return Moment(running, running=True, ready=ready, restarts=restarts, last=(before or {}).get("lastState") or None)


def _pull_failure(image: str, waited: float, backoff: int) -> Tree:
    if waited < backoff:
        return {"reason": "ErrImagePull", "message": f'failed to pull image "{image}": not found'}
    return {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}


def _one_shot(context: Context, behaviour: str, running: Tree, age: float, before: Tree | None) -> Moment:
    if age < context.settings.job_run:
        return Moment(running, running=True, ready=True)
    ended = "fail" if behaviour == "fail" else "complete"
    finished = _kept(before, "terminated", "finishedAt") or context.stamp()
    return Moment({"terminated": _exit(ended == "fail", running, finished)}, ended=ended)


def _loop(context: Context, pod: Tree, behaviour: str, running: Tree, age: float, before: Tree | None) -> Moment:
    """A container that ends again and again: shortly up, then waiting longer than it ran."""
    settings = context.settings
    cycle = settings.crash_after + settings.crash_backoff
    restarts, within = divmod(age, cycle)
    failed = behaviour != "complete"
    if pod["spec"]["restartPolicy"] == "Never" and age >= settings.crash_after:
        finished = _kept(before, "terminated", "finishedAt") or context.stamp()
        return Moment({"terminated": _exit(failed, running, finished)}, ended="fail" if failed else "complete")
    last = (before or {}).get("lastState") or None
    if within < settings.crash_after:
        return Moment(running, running=True, ready=False, restarts=int(restarts), last=last)
    if last is None or (before or {}).get("restartCount") != int(restarts):
        last = {"terminated": _exit(failed, running, context.stamp())}
    name = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}"
    waiting = {"reason": "CrashLoopBackOff", "message": f"back-off 10s restarting failed container of {name}"}
    return Moment({"waiting": waiting}, running=True, restarts=int(restarts), last=last)


def _exit(failed: bool, running: Tree, finished: str) -> Tree:
    started = running["running"]["startedAt"]
    reason, code = ("Error", 1) if failed else ("Completed", 0)
    return {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": finished}


def _kept(before: Tree | None, state: str, field: str) -> str:
    return str(dig(before, "state", state, field, default=""))


def _container_status(container: Tree, moment: Moment, probed: bool) -> Tree:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"sha256:{container['image']}" if moment.running or moment.ended else "",
        "ready": moment.ready and probed,
        "started": "running" in moment.state,
        "restartCount": moment.restarts,
        "state": moment.state,
        "lastState": moment.last or {},
    }


def _conditions(context: Context, pod: Tree, phase: str, ready: bool) -> list[Tree]:
    conditions = list(dig(pod, "status", "conditions", default=[]))
    now = context.stamp()
    answer = {"status": "True"} if ready else {"status": "False", "reason": _why(phase)}
    done = {"type": "Initialized", "status": "True"}
    found = [*_set(conditions, done, now)]
    for type_ in ("Ready", "ContainersReady"):
        found = _set(found, {"type": type_} | answer, now)
    if not any(each["type"] == "PodScheduled" for each in found):
        found = _set(found, {"type": "PodScheduled", "status": "True"}, now)
    return found


def _set(conditions: list[Tree], new: Tree, now: str) -> list[Tree]:
    return with_condition(conditions, new, now)


def _why(phase: str) -> str:
    return {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")


def _address(pod: Tree) -> str:
    number = int(pod["metadata"]["uid"][:4], 16)
    return f"10.244.{number >> 8}.{number & 255}"
