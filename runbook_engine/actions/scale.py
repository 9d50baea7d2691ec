"""Scale: change the number of replicas. The wish may be relative; the change never is.

An autoscaler would undo a change of the replicas at its next look, so of an autoscaled workload the autoscaler's
minimum is raised instead, and only when the author said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from runbook_engine.actions.grants import for_kinds, on_workload
from runbook_engine.actions.params import ActionParams, Amount
from runbook_engine.actions.rollout import find_workload, observe_count
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent, Retryable, Unhelpful
from runbook_engine.model.looking import looking
from runbook_engine.model.observation import Autoscaler, Workload
from runbook_engine.model.plan import IN_EFFECT, Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

SCALED = ("deployment", "statefulset")
MINIMUM = "minReplicas"
AUTOSCALERS = (
    "autoscaling/horizontalpodautoscalers:patch",
    "keda.sh/scaledobjects:patch",
)


class ScaleParams(ActionParams):
    """By how much, or to how many, and within which bounds."""

    by: Amount | None = Field(None, description='How many more or fewer: 50%, "-25%", 2 or -1.')
    to: int | None = Field(None, ge=1, description="How many in all.")
    up_to: int | None = Field(None, ge=1, description="Never grow above this; guardrails.stepCap bounds it too.")
    down_to: int = Field(1, ge=1, description="Never shrink below this.")
    autoscaler: Literal["minReplicas", "none"] = Field(
        "none", description="minReplicas: of an autoscaled workload, raise the autoscaler's minimum."
    )

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if (self.by is None) == (self.to is None):
            raise ValueError("scale needs either `by` or `to` (as in by: 50%, or to: 6)")
        if self.up_to is not None and self.down_to > self.up_to:
            raise ValueError(f"downTo {self.down_to} is above upTo {self.up_to} (swap them)")
        return self

    def wanted(self, before: int) -> int:
        """Return the absolute number; a bound stops a wish, and never turns it round."""
        wish = self.to if self.to is not None else before + (self.by.of(before) if self.by is not None else 0)
        if wish >= before:
            return wish if self.up_to is None else max(before, min(wish, self.up_to))
        return min(before, max(wish, self.down_to))


def prepare(params: ScaleParams, target: Target, world: World) -> Change | None:
    """Return the change of the count, or None when there is no room or no need."""
    workload = world.cluster.workload(target)
    if workload.replicas == 0:
        raise Permanent(
            f"cannot scale {target}: it is scaled to 0, and starting what somebody stopped is for a person "
            "(scale it to 1 or more by hand first)"
        )
    wanted = params.wanted(workload.replicas)
    if workload.autoscaler is not None:
        return _minimum_change(params, workload, workload.autoscaler, wanted)
    if wanted == workload.replicas:
        return None
    if wanted < workload.replicas and workload.rollout == "progressing":
        raise Retryable(f"cannot scale {target} down: a rollout is in progress (wait until it has ended)")
    _refuse_beyond_quota(workload, wanted)
    return Change(target=workload.target, field="replicas", before=workload.replicas, after=wanted)


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Set the count; setting it twice is harmless."""
    if not isinstance(change.after, int) or not isinstance(change.before, int):
        return Outcome.failed(f"cannot scale {change.target}: {change.before} and {change.after} are not both counts")
    try:
        minimum = change.field == MINIMUM
        return written(effects.cluster.scale(change.target, change.after, expected=change.before, minimum=minimum))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether the wanted count is there, and ready."""
    counted = change.field == "replicas"
    workload = find_workload(change, world.cluster.glance if counted else world.cluster.workload)
    if isinstance(workload, Progress):
        return workload
    if not counted:
        return _observe_minimum(change, receipt, workload)
    if workload.replicas != change.after:
        return not_ours(change, workload.replicas, receipt)
    return observe_count(workload, receipt, grown=_grows(change))


def _minimum_change(params: ScaleParams, workload: Workload, autoscaler: Autoscaler, wanted: int) -> Change | None:
    if params.autoscaler != "minReplicas":
        raise Permanent(
            f"cannot scale {workload.target}: {autoscaler.kind} {autoscaler.name} sets its replicas and would undo it "
            "(say autoscaler: minReplicas to raise the autoscaler's minimum instead)"
        )
    if wanted < workload.replicas:
        raise Permanent(
            f"cannot scale {workload.target} down: {autoscaler.kind} {autoscaler.name} sets its replicas "
            "(lower the autoscaler's maximum by hand)"
        )
    if wanted > workload.replicas:
        _refuse_idle(workload, autoscaler)
    after = min(wanted, autoscaler.maximum)
    if after <= max(workload.replicas, autoscaler.minimum):
        return None
    _refuse_beyond_quota(workload, after)
    return Change(
        target=workload.target,
        field=MINIMUM,
        before=autoscaler.minimum,
        after=after,
        guard={IN_EFFECT: workload.replicas},
    )


def _refuse_idle(workload: Workload, autoscaler: Autoscaler) -> None:
    """Raise what makes the autoscaler unable to help, whatever its minimum."""
    refusal = f"cannot scale {workload.target}"
    if autoscaler.paused:
        raise Permanent(f"{refusal}: {autoscaler.paused} (let it act again first)")
    if max(workload.replicas, autoscaler.current) >= autoscaler.maximum:
        raise Unhelpful(
            f"{autoscaler.kind} {autoscaler.name} cannot help: already at its maximum of {autoscaler.maximum} "
            "(raise the maximum by hand)"
        )


def _refuse_beyond_quota(workload: Workload, wanted: int) -> None:
    """Raise when the namespace does not admit as many pods more."""
    more, left = wanted - workload.replicas, workload.quota_left
    if left is not None and more > left:
        pods = "1 more pod" if left == 1 else f"{left} more pods"
        raise Permanent(
            f"cannot scale {workload.target} from {workload.replicas} to {wanted}: the quota of namespace "
            f"{workload.target.namespace} admits {pods}, not {more} (ask for fewer, or raise the quota)"
        )


def _observe_minimum(change: Change, receipt: Mapping[str, Value], workload: Workload) -> Progress:
    live = workload.autoscaler.minimum if workload.autoscaler is not None else None
    if live != change.after:
        return not_ours(change, live, receipt)
    if not _grows(change):
        return Progress.done(f"minReplicas is {live}; the autoscaler shrinks {workload.target} in its own time")
    if isinstance(change.after, int) and workload.replicas < change.after:
        return Progress.progressing(f"the autoscaler has not raised {workload.target} to {change.after} replicas yet")
    return observe_count(workload, receipt, grown=True)


def _grows(change: Change) -> bool:
    return isinstance(change.before, int) and isinstance(change.after, int) and change.after > change.before


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what scaling this kind of workload needs: its count alone, and the autoscaler when the author says so."""
    count = on_workload(kind, "patch", part="scale")
    return (*looking(kind), *count, *(AUTOSCALERS if arguments.get("autoscaler") == "minReplicas" else ()))


ACTION = ActionSpec(
    name="scale",
    summary="Change the number of replicas, or the minimum of the autoscaler that sets it.",
    params=ScaleParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"by": "50%", "upTo": 12},
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=5),
    permissions=for_kinds(needs, {"autoscaler": "minReplicas"}, SCALED),
    needs=needs,
    target_kinds=SCALED,
)
