"""Rollback: return a workload to an older release, one that is known to have been healthy.

Not compensation: nothing of ours is undone, and values of the environment that only the newer release has go with
it. The release before may be just as broken, so unless an author names a revision, only one that somebody recorded
as healthy is good enough. What was seen of older releases while somebody watched them counts with what the cluster
still knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec.structs import replace
from pydantic import Field

from runbook_engine.actions.grants import for_kinds, on_workload
from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.rollout import find_workload, observe_rollout
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, NoAdapter, Permanent, Unreadable
from runbook_engine.model.changes import KEPT_FOR
from runbook_engine.model.looking import WORKLOADS, looking
from runbook_engine.model.observation import ChangeEvent, Revision, Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

NEXT_STUCK = timedelta(seconds=5)
PASSING = frozenset(("stuck", "unchanged"))  # what a receipt says of one call only


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
    if workload.manual_updates:
        raise Permanent(
            f"cannot roll back {target}: it is updated by hand, so nothing would roll "
            "(roll its template back by hand, then use deletePod on its pods)"
        )
    if params.to in _names(workload):
        return None
    chosen = _choose(params.to, _as_seen(workload, world))
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


def _as_seen(workload: Workload, world: World) -> Workload:
    """Return the workload with what was recorded of how its revisions did; unreadable, nothing more is known."""
    try:
        told = world.changes.changes(workload.target, world.clock.now() - KEPT_FOR)
    except (NoAdapter, Unreadable):
        return workload
    return replace(workload, revisions=tuple(_judged(revision, told) for revision in workload.revisions))


def _judged(revision: Revision, told: Sequence[ChangeEvent]) -> Revision:
    """Return a revision with the newest that is told of it. A number is borne anew once a workload was deleted."""
    numbers, released = (revision.number, *revision.formerly), revision.released_at
    of_it = [
        event
        for event in told
        if event.kind in ("healthy", "failed") and event.revision in numbers and released and event.at >= released
    ]
    if not of_it:
        return revision
    newest = max(of_it, key=lambda event: event.at)
    return replace(revision, healthy=newest.kind == "healthy" and revision.healthy is not False)


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


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what a rollback of this kind of workload needs; of a statefulset a broken pod may block the way."""
    stuck = ("core/pods:delete",) if kind == "statefulset" else ()
    return (*looking(kind), *on_workload(kind, "patch"), *stuck)


ACTION = ActionSpec(
    name="rollback",
    summary="Return a workload to an older release. Cannot be undone.",
    params=RollbackParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    repeat="declarative",
    reversible=False,
    permissions=for_kinds(needs, {}, WORKLOADS),
    needs=needs,
    time_limit=timedelta(minutes=15),
    target_kinds=WORKLOADS,
)
