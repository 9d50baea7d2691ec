"""Rollback: return a workload, or a function's alias, to an older release that is known to have been healthy.

Not compensation: nothing of ours is undone, and values of the environment that only the newer release has go with
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from runbook_engine.actions.function_rollback import apply_alias, observe_alias, prepare_alias
from runbook_engine.actions.functions import needs_of_alias
from runbook_engine.actions.grants import for_kinds, on_workload
from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.releases import choose, judged_by_changes
from runbook_engine.actions.rollout import find_workload, observe_rollout
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.looking import WORKLOADS, looking
from runbook_engine.model.observation import Revision, Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

KINDS = (*WORKLOADS, "function")
NEXT_STUCK = timedelta(seconds=5)
PASSING = frozenset(("stuck", "unchanged"))  # what a receipt says of one call only


class RollbackParams(ActionParams):
    """Which older release: a revision of a workload, a published version of a function."""

    to: Literal["lastHealthy", "previous"] | Annotated[int, Field(ge=1)] = Field(
        "lastHealthy", description="lastHealthy: the newest older release known to be healthy; previous; or a number."
    )


def prepare(params: RollbackParams, target: Target, world: World) -> Change | None:
    """Return the change of the revision, or None when the workload is at that revision already."""
    if target.kind == "function":
        return prepare_alias(params.to, target, world)
    workload = world.cluster.workload(target)
    if workload.paused:
        raise Permanent(f"cannot roll back {target}: its rollouts are paused (resume them first)")
    if workload.manual_updates:
        raise Permanent(
            f"cannot roll back {target}: it is updated by hand, so nothing would roll "
            "(roll its template back by hand, then use deletePod on its pods)"
        )
    if params.to in _names(workload):
        return None
    refusal = f"cannot roll back {workload.target} from revision {workload.revision}"
    known = judged_by_changes(workload.revisions, workload.target, world)
    chosen = choose(params.to, workload.revision, known, refusal, noun="revision")
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
    """Return to the revision, if nobody has released since; asked again while replicas are in the way."""
    if change.target.kind == "function":
        return apply_alias(change, effects)
    if not isinstance(change.after, int) or not isinstance(change.before, int):
        return Outcome.failed(f"cannot roll back {change.target}: {change.after} is not a revision")
    try:
        receipt = effects.cluster.rollback(change.target, change.after, expected=change.before)
    except Conflict as error:
        return Outcome.conflict(str(error))
    stuck = receipt.get("stuck")
    if not stuck:
        return written(receipt)
    reason = f"{stuck} of the newer revision still in the way, which are taken away one by one"
    return Outcome.partial(NEXT_STUCK, reason, **{name: receipt[name] for name in receipt if name not in PASSING})


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether every replica runs the older release; a cluster may give it a new number, kept in the receipt."""
    if change.target.kind == "function":
        return observe_alias(change, receipt, world)
    workload = find_workload(change, world.cluster.workload)
    if isinstance(workload, Progress):
        return workload
    if workload.revision != receipt.get("revision") and change.after not in _names(workload):
        return not_ours(change, workload.revision, receipt)
    return observe_rollout(workload, receipt)


def _names(workload: Workload) -> frozenset[Value]:
    """Return the numbers by which the present revision is or was known."""
    former = next((kept.formerly for kept in workload.revisions if kept.number == workload.revision), ())
    return frozenset((workload.revision, *former))


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what a rollback of this kind of target needs; of a statefulset a broken pod may block the way."""
    if kind == "function":
        return needs_of_alias(arguments, kind)
    stuck = ("core/pods:delete",) if kind == "statefulset" else ()
    return (*looking(kind), *on_workload(kind, "patch"), *stuck)


ACTION = ActionSpec(
    name="rollback",
    summary="Return a workload, or a function's alias, to an older release. Cannot be undone.",
    params=RollbackParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"to": "lastHealthy"},
    repeat="declarative",
    reversible=False,
    permissions=for_kinds(needs, {}, KINDS),
    needs=needs,
    time_limit=timedelta(minutes=15),
    target_kinds=KINDS,
)
