"""Rollback: return a workload to an older release, one that is known to have been healthy.

Not compensation: nothing of ours is undone. The release before may be just as broken, so unless an author names a
revision, only one that somebody recorded as healthy is good enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.rollout import find_workload, observe_rollout
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.observation import Revision, Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World


class RollbackParams(ActionParams):
    """Which older release."""

    to: Literal["lastHealthy", "previous"] | Annotated[int, Field(ge=1)] = Field(
        "lastHealthy", description="lastHealthy: the newest older revision known to be healthy; previous; or a number."
    )


def prepare(params: RollbackParams, target: Target, world: World) -> Change | None:
    """Return the change of the revision, or None when the workload is at that revision already."""
    workload = world.cluster.workload(target)
    if workload.paused:
        raise Permanent(f"cannot roll back {target}: its rollouts are paused (resume them first)")
    if params.to == workload.revision:
        return None
    chosen = _choose(params.to, workload)
    return Change(
        target=workload.target,
        field="revision",
        before=workload.revision,
        after=chosen.number,
        arguments=_bound(workload, chosen),
    )


def _bound(workload: Workload, chosen: Revision) -> Mapping[str, Value]:
    """Return what a yes binds besides the revision: from which release, since a newer one may be the remedy."""
    return {"from": workload.revision, **({"summary": chosen.summary} if chosen.summary else {})}


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Return to the revision, if nobody has released since."""
    if not isinstance(change.after, int) or not isinstance(change.before, int):
        return Outcome.failed(f"cannot roll back {change.target}: {change.after} is not a revision")
    try:
        return written(effects.cluster.rollback(change.target, change.after, expected=change.before))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether every replica runs the older release; a cluster may give it a new number, kept in the receipt."""
    workload = find_workload(change, world)
    if isinstance(workload, Progress):
        return workload
    if workload.revision not in (change.after, receipt.get("revision")):
        return not_ours(change, workload.revision, receipt)
    return observe_rollout(workload, receipt)


def _choose(to: str | int, workload: Workload) -> Revision:
    older = sorted((r for r in workload.revisions if r.number < workload.revision), key=lambda r: -r.number)
    refusal = f"cannot roll back {workload.target} from revision {workload.revision}"
    if not older:
        raise Permanent(f"{refusal}: no older revision is kept (raise the number of revisions that are kept)")
    if to == "lastHealthy":
        healthy = next((revision for revision in older if revision.healthy), None)
        if healthy is None:
            numbers = ", ".join(str(revision.number) for revision in older)
            raise Permanent(
                f"{refusal}: none of the older revisions ({numbers}) is known to have been healthy "
                "(name one, as in to: previous)"
            )
        return healthy
    chosen = older[0] if to == "previous" else next((r for r in older if r.number == to), None)
    if chosen is None:
        raise Permanent(f"{refusal}: there is no older revision {to} (kept: {', '.join(str(r.number) for r in older)})")
    if chosen.healthy is False:
        raise Permanent(f"{refusal}: revision {chosen.number} is known to have been unhealthy (use to: lastHealthy)")
    return chosen


ACTION = ActionSpec(
    name="rollback",
    summary="Return a workload to an older release. Cannot be undone.",
    params=RollbackParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    repeat="declarative",
    reversible=False,
    permissions=(
        *("apps/deployments:get", "apps/deployments:patch", "apps/replicasets:list"),
        *("apps/statefulsets:get", "apps/statefulsets:patch"),
        *("apps/daemonsets:get", "apps/daemonsets:patch", "apps/controllerrevisions:list"),
    ),
    time_limit=timedelta(minutes=15),
    target_kinds=("deployment", "statefulset", "daemonset"),
)
