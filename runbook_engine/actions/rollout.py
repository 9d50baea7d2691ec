"""The rollout observer that scale, restart and rollback share: equality with what is wanted, never more-or-equal.

A status from before our write says "done" too, so nothing counts until the generation that our write returned
has been observed; and `updated >= wanted` is true at once on the way down, so only equality is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Progress, Value
from runbook_engine.ports import World

LOOK_AGAIN = timedelta(seconds=2)


def find_workload(change: Change, world: World) -> Workload | Progress:
    """Return the workload of a change, or the look that says it is no longer the one we changed."""
    try:
        workload = world.cluster.workload(change.target)
    except InvalidTarget:
        return Progress.superseded(f"{change.target} is gone: somebody else has removed it")
    if change.target.uid and workload.target.uid != change.target.uid:
        return Progress.superseded(f"{change.target} is another one now: somebody else has deleted and created it")
    return workload


def observe_rollout(workload: Workload, receipt: Mapping[str, Value]) -> Progress:
    """Return how far the rollout of our write has come."""
    if not is_observed(workload, receipt):
        return _unseen(workload)
    if workload.paused:
        return Progress.failed(f"{workload.target} is paused, so nothing rolls out (resume it)")
    if workload.rollout == "failed":
        return Progress.failed(
            f"the rollout of {workload.target} failed: {workload.rollout_reason or 'no reason given'}"
        )
    wanted = workload.replicas
    if workload.rollout == "complete" and workload.ready == wanted and workload.updated == wanted:
        return Progress.done(f"{wanted} of {wanted} replicas ready and updated")
    return Progress.progressing(
        f"{workload.ready} ready and {workload.updated} updated of {wanted} replicas", LOOK_AGAIN
    )


def observe_count(workload: Workload, receipt: Mapping[str, Value]) -> Progress:
    """Return how far a change of the count has come; a paused workload scales, but is never updated."""
    if not workload.paused:
        return observe_rollout(workload, receipt)
    if not is_observed(workload, receipt):
        return _unseen(workload)
    if workload.ready == workload.replicas:
        return Progress.done(f"{workload.ready} of {workload.replicas} replicas ready; the rollout itself is paused")
    return Progress.progressing(f"{workload.ready} ready of {workload.replicas} replicas", LOOK_AGAIN)


def is_observed(workload: Workload, receipt: Mapping[str, Value]) -> bool:
    """Whether the controller has seen our write, so that the counts speak of it."""
    written = receipt.get("generation")
    wanted = max(workload.generation, written if isinstance(written, int) else 0)
    return workload.observed_generation >= wanted


def _unseen(workload: Workload) -> Progress:
    return Progress.progressing(f"{workload.target} has not been looked at by its controller yet", LOOK_AGAIN)
