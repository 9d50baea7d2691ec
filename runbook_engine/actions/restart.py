"""Restart: replace every replica, rolling.

However few replicas are ready, since a restart is the remedy for those that are not: an author who wants a restart of
what is well only says `whenReady: 70%`, since a rolling restart takes away some more while it lasts.

The mark of the restart is counted on from the mark before it and not read from a clock, so that looking twice
gives the same change (an approval stays valid while the world stays as it was), and writing it twice restarts once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from runbook_engine.actions.grants import for_kinds, on_workload
from runbook_engine.actions.params import ActionParams, Share
from runbook_engine.actions.rollout import find_workload, is_observed, observe_rollout, updated_when_done
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent, Retryable
from runbook_engine.model.looking import WORKLOADS, looking
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

OUR_MARK = re.compile(r"restart-([0-9]+)( after .+)?")


class RestartParams(ActionParams):
    """When it may be done."""

    when_ready: Share | None = Field(
        None, description="Only while at least this share is ready, as in 70%; however few, when absent."
    )


def prepare(params: RestartParams, target: Target, world: World) -> Change | None:
    """Return the change of the mark, or None when nothing runs that could be restarted."""
    workload = world.cluster.workload(target)
    if workload.replicas == 0:
        return None
    _refuse(params, workload)
    before = workload.restarted_at
    return Change(
        target=workload.target,
        field="restartedAt",
        before=before,
        after=next_mark(before),
        guard={"ready": workload.ready},  # flickers while replicas crash, so no approval may bind it
    )


def _refuse(params: RestartParams, workload: Workload) -> None:
    """Raise what forbids a rolling restart now."""
    refusal = f"cannot restart {workload.target}"
    if workload.paused:
        raise Permanent(f"{refusal}: its rollouts are paused (resume them first)")
    if workload.manual_updates:
        raise Permanent(f"{refusal}: it is updated by hand, so nothing would roll (use deletePod on its pods)")
    if workload.rollout == "progressing":
        raise Retryable(f"{refusal}: a rollout is in progress (wait until it has ended)")
    if workload.quota_left == 0:
        raise Permanent(
            f"{refusal}: the quota of namespace {workload.target.namespace} admits no pod more, and a rolling restart "
            "needs one (raise the quota)"
        )
    if workload.downtime:
        raise Permanent(
            f"{refusal}: its rollouts take every replica away before a new one is there "
            "(let it surge by one replica, as in strategy RollingUpdate with maxSurge: 1)"
        )
    if params.when_ready is not None and not params.when_ready.covers(workload.ready, workload.replicas):
        raise Permanent(
            f"{refusal}: {workload.ready} of {workload.replicas} replicas are ready, and whenReady wants "
            f"{params.when_ready} (mend what is not ready first, or leave whenReady out)"
        )


def next_mark(before: str) -> str:
    """Return the mark that follows; one of another tool's is kept in it, so that no mark comes twice."""
    ours = OUR_MARK.fullmatch(before)
    if ours is not None:
        return f"restart-{int(ours[1]) + 1}{ours[2] or ''}"
    return f"restart-1 after {before}" if before else "restart-1"


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Write the mark; the same mark again does nothing."""
    try:
        return written(effects.cluster.restart(change.target, str(change.after)))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether every replica is new, and as many are ready as before: whether that is enough, verify says."""
    workload = find_workload(change, world.cluster.glance)
    if isinstance(workload, Progress):
        return workload
    if workload.restarted_at != change.after:
        return not_ours(change, workload.restarted_at, receipt)
    seen = observe_rollout(workload, receipt)
    if seen.status == "done" or not _replaced(workload, receipt, change.guard.get("ready")):
        return seen
    return Progress.done(
        f"{workload.updated} of {workload.replicas} replicas replaced, and {workload.ready} ready: no fewer than before"
    )


def _replaced(workload: Workload, receipt: Mapping[str, Value], ready_before: Value) -> bool:
    """Whether a restart that mends nothing is over all the same, so that the next step may have its turn."""
    if not is_observed(workload, receipt) or workload.updated != updated_when_done(workload):
        return False
    return isinstance(ready_before, int) and workload.replicas > ready_before and workload.ready >= ready_before


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what a restart of this kind of workload needs, and what judging it reads."""
    return (*looking(kind), *on_workload(kind, "patch"))


ACTION = ActionSpec(
    name="restart",
    summary="Replace every replica, rolling. Cannot be undone.",
    params=RestartParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"whenReady": "70%"},
    repeat="declarative",
    reversible=False,
    permissions=for_kinds(needs, {}, WORKLOADS),
    needs=needs,
    time_limit=timedelta(minutes=15),
    target_kinds=WORKLOADS,
)
