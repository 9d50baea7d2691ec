"""Restart: replace every replica, rolling.

The mark of the restart is counted on from the mark before it and not read from a clock, so that looking twice
gives the same change (an approval stays valid while the world stays as it was), and writing it twice restarts once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.rollout import find_workload, is_observed, observe_rollout
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent, Retryable
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

OUR_MARK = re.compile(r"restart-([0-9]+)( after .+)?")


class RestartParams(ActionParams):
    """A restart has no parameters."""


def prepare(params: RestartParams, target: Target, world: World) -> Change | None:
    """Return the change of the mark, or None when nothing runs that could be restarted."""
    workload = world.cluster.workload(target)
    if workload.paused:
        raise Permanent(f"cannot restart {target}: its rollouts are paused (resume them first)")
    if workload.rollout == "progressing":
        raise Retryable(f"cannot restart {target}: a rollout is in progress (wait until it has ended)")
    if workload.replicas == 0:
        return None
    before = workload.restarted_at
    return Change(
        target=workload.target,
        field="restartedAt",
        before=before,
        after=next_mark(before),
        guard={"ready": workload.ready},  # flickers while replicas crash, so no approval may bind it
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
    workload = find_workload(change, world)
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
    if not is_observed(workload, receipt) or workload.updated != workload.replicas:
        return False
    return isinstance(ready_before, int) and workload.replicas > ready_before and workload.ready >= ready_before


ACTION = ActionSpec(
    name="restart",
    summary="Replace every replica, rolling. Cannot be undone.",
    params=RestartParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    repeat="declarative",
    reversible=False,
    permissions=(
        *("apps/deployments:get", "apps/deployments:patch"),
        *("apps/statefulsets:get", "apps/statefulsets:patch"),
        *("apps/daemonsets:get", "apps/daemonsets:patch"),
    ),
    time_limit=timedelta(minutes=15),
    target_kinds=("deployment", "statefulset", "daemonset"),
)
