"""The rollout observer that degrade, scale, restart and rollback share: equality with what is wanted, never more.

A status from before our write says "done" too, so nothing counts until the generation that our write returned
has been observed; and `updated >= wanted` is true at once on the way down, so only equality is believed. A failure
that was there before our write may be left standing by the controller for as long as no replica moves: only a
failure with another mark than the one in our receipt is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Progress, Value
from runbook_engine.model.target import Target

LOOK_AGAIN = timedelta(seconds=2)


def find_workload(change: Change, look: Callable[[Target], Workload]) -> Workload | Progress:
    """Return the workload of a change, or the look that says it is no longer the one we changed."""
    try:
        workload = look(change.target)
    except InvalidTarget:
        return Progress.superseded(f"{change.target} is gone: somebody else has removed it")
    if change.target.uid and workload.target.uid != change.target.uid:
        return Progress.superseded(f"{change.target} is another one now: somebody else has deleted and created it")
    if workload.deleting:
        return Progress.superseded(f"{change.target} is being deleted: somebody else is removing it")
    return workload


def observe_rollout(workload: Workload, receipt: Mapping[str, Value]) -> Progress:
    """Return how far the rollout of our write has come."""
    if not is_observed(workload, receipt):
        return _unseen(workload)
    if workload.paused:
        return Progress.failed(f"{workload.target} is paused, so nothing rolls out (resume it)")
    if workload.manual_updates:
        return Progress.failed(
            f"{workload.target} is updated by hand, so nothing rolls out (use deletePod on its pods)"
        )
    if workload.rollout == "failed" and not _is_stale(workload, receipt):
        return Progress.failed(
            f"the rollout of {workload.target} failed: {workload.rollout_reason or 'no reason given'}"
        )
    if workload.rollout == "complete" and _is_whole(workload):
        return Progress.done(_say_whole(workload))
    return Progress.progressing(_say_counts(workload), LOOK_AGAIN)


def observe_count(workload: Workload, receipt: Mapping[str, Value], *, grown: bool) -> Progress:
    """Return how far a change of the count has come. A rollout that was under way does not have to end for that."""
    if not is_observed(workload, receipt):
        return _unseen(workload)
    why = _why_incomplete(workload)
    if why and _is_enough(workload, grown=grown):
        return Progress.done(f"{workload.ready} of {workload.replicas} replicas ready; rollout incomplete: {why}")
    if not workload.paused and not workload.manual_updates:
        return observe_rollout(workload, receipt)
    if not why and _is_whole(workload):
        return Progress.done(_say_whole(workload))
    return Progress.progressing(f"{workload.ready} ready of {workload.replicas} replicas", LOOK_AGAIN)


def is_observed(workload: Workload, receipt: Mapping[str, Value]) -> bool:
    """Whether the controller has seen our write, so that the counts speak of it."""
    written = receipt.get("generation")
    wanted = max(workload.generation, written if isinstance(written, int) else 0)
    return workload.observed_generation >= wanted


def updated_when_done(workload: Workload) -> int:
    """Return how many replicas run the newest revision in the end: a partition keeps the others on the older one."""
    return max(0, workload.replicas - workload.partition)


def _is_stale(workload: Workload, receipt: Mapping[str, Value]) -> bool:
    """Whether the failure was there before our write, and nothing has moved since."""
    return bool(workload.failure_mark) and workload.failure_mark == receipt.get("failureMark")


def _is_whole(workload: Workload) -> bool:
    return workload.ready == workload.replicas and workload.updated == updated_when_done(workload)


def _is_enough(workload: Workload, *, grown: bool) -> bool:
    """Whether the count is reached while a rollout keeps some replicas more, or some that are not ready."""
    if grown:
        return workload.ready >= workload.replicas
    return max(workload.ready, workload.updated) <= workload.replicas


def _why_incomplete(workload: Workload) -> str:
    """Return why replicas of an older revision are left that no change of the count replaces; empty = none are."""
    if workload.paused:
        return "it is paused"
    if workload.updated >= updated_when_done(workload):
        return ""
    updated = f"{workload.updated} of {workload.replicas} updated"
    return f"{updated}, the rest is updated by hand" if workload.manual_updates else updated


def _say_whole(workload: Workload) -> str:
    wanted, kept = workload.replicas, workload.replicas - updated_when_done(workload)
    if not kept:
        return f"{wanted} of {wanted} replicas ready and updated"
    return f"{wanted} of {wanted} replicas ready; {kept} keep the older revision, as the partition says"


def _say_counts(workload: Workload) -> str:
    counts = f"{workload.ready} ready and {workload.updated} updated of {workload.replicas} replicas"
    if workload.rollout == "failed":
        return f"{counts}; the failure that is told of is older than this change"
    return counts


def _unseen(workload: Workload) -> Progress:
    return Progress.progressing(f"{workload.target} has not been looked at by its controller yet", LOOK_AGAIN)
