"""DeletePod: let one pod go, so that its controller makes a new one. By name, or the worst of a workload.

Eviction is the default, because a deletion goes past every disruption budget. What is bound is the pod's uid: the
pod that comes after it under the same name is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import Field

from runbook_engine.actions.params import ActionParams, Seconds
from runbook_engine.actions.readiness import first_short, ready_counts, workloads_of
from runbook_engine.actions.wording import written
from runbook_engine.errors import InvalidTarget, Permanent, Retryable
from runbook_engine.model.eviction import guarding, name_of
from runbook_engine.model.looking import finding_pods, judging_pods, together
from runbook_engine.model.node import Pod
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.quantity import duration_text, parse_duration
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=2)
LEAST_READY = 0.7  # of a workload that loses a pod that serves

Waiting = Literal[
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
]


class DeletePodParams(ActionParams):
    """Which pod of a workload, and how it goes."""

    waiting: Waiting | None = Field(
        None, description="Only a pod that waits for this reason; of a workload, the one that restarted most."
    )
    mode: Literal["evict", "delete"] = Field(
        "evict", description="evict obeys disruption budgets; delete goes past them, and is refused when none is left."
    )
    grace_period: Seconds | None = Field(
        None, description="How long it may take to stop, as in 30s; its own when absent. Never 0s."
    )


def prepare(params: DeletePodParams, target: Target, world: World) -> Change | None:
    """Return the change of that very pod, or None when there is none to go."""
    pod = _choose(params, target, world)
    if pod is None or pod.deleted_at is not None:
        return None
    objection = _objection(pod)
    if objection:
        raise Permanent(f"cannot delete pod {name_of(pod)}: {objection}")
    _check_owner(pod, world)
    _check_budgets(pod, evict=params.mode == "evict")
    grace = {} if params.grace_period is None else {"gracePeriod": duration_text(params.grace_period)}
    return Change(
        target=pod.target,
        field="pod",
        before=pod.target.uid,
        after=None,
        arguments={"uid": pod.target.uid, "mode": params.mode, **grace},
        guard=ready_counts((pod,), world),
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Evict or delete the pod; one that is gone already is left alone."""
    grace = change.arguments.get("gracePeriod")
    receipt = effects.nodes.remove(
        change.target,
        evict=change.arguments.get("mode") != "delete",
        grace=None if grace is None else parse_duration(grace),
    )
    if receipt.get("gone"):
        return Outcome.noop(f"{change.target} is gone already")
    return written({"asked": True, **receipt})


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether the pod is gone, and whether its workload has as many replicas ready as before."""
    pod = _find(replace(change.target, uid=""), world)  # whoever bears the name now
    if pod is not None and pod.target.uid == change.before:
        if pod.deleted_at is None and not receipt:
            return Progress.absent(f"pod {name_of(pod)} has not been asked to go")
        held = f", held by {', '.join(pod.finalizers)}" if pod.finalizers else ""
        return Progress.progressing(f"pod {name_of(pod)} is terminating{held}", LOOK_AGAIN)
    short = _not_back(change, pod, world) or first_short(change.guard, change.target.place, world)
    if short:
        return Progress.progressing(f"{change.target} is gone; {short}", LOOK_AGAIN)
    return Progress.done(f"{change.target} is gone, and its workload has no fewer replicas ready than before")


def _not_back(change: Change, successor: Pod | None, world: World) -> str:
    """Return why the ready count of a StatefulSet cannot be believed yet; empty = it can.

    It counts the pod that has gone until its controller looks again, and that is after the pod has gone.
    """
    _, dash, ordinal = change.target.name.rpartition("-")
    for owner in workloads_of(change.guard, change.target.place):
        if owner.kind != "statefulset" or not dash or not ordinal.isdecimal():
            continue
        workload = _glance(owner, world)
        if workload is None:
            continue
        if successor is None and int(ordinal) < workload.replicas:
            return f"{owner} has not made it anew yet"
        if successor is not None and not successor.ready and workload.ready >= workload.replicas:
            return f"the pod that {owner} has made anew is not ready yet"
    return ""


def _glance(target: Target, world: World) -> Workload | None:
    try:
        return world.cluster.glance(target)
    except InvalidTarget:
        return None


def _choose(params: DeletePodParams, target: Target, world: World) -> Pod | None:
    """Return the pod that is meant, None when none waits for that reason. The worst restarted most."""
    if target.kind == "pod":
        pods: tuple[Pod, ...] = (world.nodes.pod(target),)
    elif params.waiting is None:
        raise Permanent(
            f"cannot delete a pod of {target}: it does not say which (say waiting: CrashLoopBackOff, or name the pod)"
        )
    else:
        pods = tuple(pod for pod in world.nodes.pods(target) if pod.deleted_at is None)
    meant = [pod for pod in pods if params.waiting in (None, pod.waiting)]
    return min(meant, key=lambda pod: (-pod.restarts, name_of(pod)), default=None)


def _objection(pod: Pod) -> str:
    if pod.mirror:
        return "it is static, and its kubelet brings it back whatever the API says (change its manifest on the node)"
    if pod.ignored:
        return f"it {pod.ignored}"
    if pod.owner is None or not pod.owner_exists:
        return "it has no controller, so nothing would bring it back (delete it by hand)"
    return ""


def _check_owner(pod: Pod, world: World) -> None:
    """A pod that serves is not taken from a workload that is short of them. Raises Permanent."""
    if not pod.ready:
        return
    workload = world.cluster.glance(world.nodes.workload_of(pod.target))
    if workload.ready < LEAST_READY * workload.replicas:
        raise Permanent(
            f"cannot delete pod {name_of(pod)}: it is ready, and {workload.target} has only "
            f"{workload.ready} of {workload.replicas} replicas ready (at least {LEAST_READY:.0%})"
        )


def _check_budgets(pod: Pod, *, evict: bool) -> None:
    """A budget that has nothing left is waited for: a deletion would go past it, an eviction soon be given up.

    Of a budget that has not been counted yet an eviction asks the server. Raises Retryable.
    """
    guard = guarding(pod)
    asked = (guard,) if guard is not None and guard.observed else ()
    for budget in asked if evict else pod.budgets:
        if budget.allowed < 1 or not budget.observed:
            left = f"{budget.healthy} healthy, needs {budget.wanted}" if budget.observed else "not counted yet"
            raise Retryable(f"cannot delete pod {name_of(pod)}: disruption budget {budget.name} allows none: {left}")


def _find(target: Target, world: World) -> Pod | None:
    try:
        return world.nodes.pod(target)
    except InvalidTarget:
        return None


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what it takes to let a pod go in this way; both ways when a template decides which."""
    mode = str(arguments.get("mode", "evict"))
    ways = {"evict": ("core/pods/eviction:create",), "delete": ("core/pods:delete",)}
    removing = ways.get(mode, ("core/pods/eviction:create", "core/pods:delete"))
    return together(finding_pods(kind), removing, judging_pods(kind))


ACTION = ActionSpec(
    name="deletePod",
    summary="Let one pod go, so that its controller makes a new one. Cannot be undone.",
    params=DeletePodParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"waiting": "CrashLoopBackOff", "gracePeriod": "30s"},
    repeat="declarative",
    reversible=False,
    time_limit=timedelta(minutes=10),
    permissions=needs({"mode": "{{ either }}"}, "pod"),
    needs=needs,
    target_kinds=("pod", "deployment", "statefulset", "daemonset"),
)
