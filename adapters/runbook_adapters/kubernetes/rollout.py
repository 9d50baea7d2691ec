"""Rollouts: how far a workload is, told from its own status, as its controller means it.

Equality with what is wanted, never more-or-equal: right after 5 -> 2 a status with five updated pods is at least
two. A ProgressDeadlineExceeded stays where it is until a pod moves, so every failure has a mark, and one that was
there when we wrote is older than our change.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from runbook_adapters.kubernetes.objects import condition_of, count_of, metadata_of, parse_time
from runbook_adapters.kubernetes.transport import Json
from runbook_adapters.kubernetes.wording import one_line

PATIENCE_WITH_PODS = timedelta(seconds=15)  # for pods that cannot be created, and before pods are looked at


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rollout stands. `stalled`: something is missing and nothing moves, so its pods are worth a look."""

    replicas: int
    ready: int  # for as long as the workload wants it, so that a pod that has just come up does not count yet
    updated: int
    rollout: Literal["complete", "progressing", "failed"]
    reason: str = ""
    mark: str = ""
    stalled: bool = False


def standing_of(kind: str, workload: Json, now: datetime) -> Standing:
    """Return where the rollout of a workload stands."""
    judge = {"deployment": _deployment, "statefulset": _statefulset, "daemonset": _daemonset}[kind]
    standing = judge(workload, now)
    if not is_observed(workload):
        unseen = "its controller has not looked at the newest change yet"
        return replace(standing, rollout="progressing", reason=unseen, stalled=False, mark="")
    return standing


def is_observed(workload: Json) -> bool:
    """Whether the status speaks of what is wanted now."""
    return count_of(workload.get("status") or {}, "observedGeneration") >= count_of(metadata_of(workload), "generation")


def failure_mark(workload: Json) -> str:
    """Return which failure a workload's status tells of, empty when of none."""
    progressing, failure = condition_of(workload, "Progressing"), condition_of(workload, "ReplicaFailure")
    if _is_timed_out(progressing):
        return f"ProgressDeadlineExceeded {progressing.get('lastUpdateTime', '')}"
    if failure.get("status") == "True":
        return f"{failure.get('reason') or 'ReplicaFailure'} {failure.get('lastTransitionTime', '')}"
    return ""


def has_manual_updates(workload: Json) -> bool:
    """Whether a new template does nothing until somebody deletes pods."""
    return ((workload.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"


def partition_of(workload: Json) -> int:
    """Return from which ordinal on a statefulset takes a new template."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    return count_of(strategy.get("rollingUpdate") or {}, "partition")


def held_back(workload: Json) -> int:
    """Return how many replicas of a statefulset keep an older revision; none when there is but one revision."""
    if is_settled(workload):
        return 0
    return min(partition_of(workload), count_of(workload.get("spec") or {}, "replicas"))


def is_settled(workload: Json) -> bool:
    """Whether every replica of a statefulset is meant to run one and the same revision."""
    status = workload.get("status") or {}
    return bool(status.get("currentRevision") == status.get("updateRevision"))


def has_downtime(kind: str, workload: Json, replicas: int) -> bool:
    """Whether a rollout may take every replica away before a new one is there."""
    if kind == "statefulset":
        return replicas == 1
    spec = workload.get("spec") or {}
    strategy = spec.get("strategy" if kind == "deployment" else "updateStrategy") or {}
    if strategy.get("type") == "Recreate":
        return True
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", 0), replicas, up=True)
    gone = _share(rolling.get("maxUnavailable", 0), replicas, up=kind == "daemonset")
    if surge == 0 and gone == 0:
        gone = 1  # what the controllers make of it, since nothing could ever move
    return replicas > 0 and gone >= replicas


def _deployment(workload: Json, now: datetime) -> Standing:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    seen = _counted(count_of(spec, "replicas"), status, ready="availableReplicas", updated="updatedReplicas")
    moved = seen.updated == seen.replicas == count_of(status, "replicas")
    progressing, failure = condition_of(workload, "Progressing"), condition_of(workload, "ReplicaFailure")
    if moved and seen.ready == seen.replicas:
        return _complete(seen)
    if spec.get("paused"):
        return replace(seen, rollout="complete" if moved else "progressing", reason="its rollouts are paused")
    if _is_timed_out(progressing):
        reason = one_line(progressing.get("message") or "it has exceeded its progress deadline")
        return replace(seen, rollout="failed", reason=reason, mark=failure_mark(workload))
    if failure.get("status") == "True" and _lasts(failure.get("lastTransitionTime"), now):
        reason = f"pods cannot be created: {one_line(failure.get('message') or failure.get('reason'))}"
        return replace(seen, rollout="failed", reason=reason, mark=failure_mark(workload))
    if moved and progressing.get("reason") in (None, "NewReplicaSetAvailable"):
        return _complete(seen)  # it had rolled out, and pods fell ill since: no rollout, whatever else it is
    since = progressing.get("lastUpdateTime")
    return replace(seen, stalled=since is None or _lasts(since, now))


def _statefulset(workload: Json, now: datetime) -> Standing:
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    seen = _counted(count_of(spec, "replicas"), status, ready="readyReplicas", updated="updatedReplicas")
    seen = replace(seen, ready=min(seen.ready, count_of(status, "availableReplicas")))
    settled, partition = is_settled(workload), partition_of(workload)
    present = count_of(status, "replicas")  # those that are on their way out included
    if present > seen.replicas:
        return replace(seen, reason=f"{present} pods are still there, {seen.replicas} are wanted")
    rolled = seen.updated == (seen.replicas if settled else max(seen.replicas - partition, 0))
    if present < seen.replicas or not (has_manual_updates(workload) or (rolled and (settled or partition))):
        return replace(seen, stalled=seen.ready < seen.replicas)
    if seen.ready == seen.replicas and partition and not settled:
        kept = f"{held_back(workload)} of {seen.replicas} replicas keep the older revision"
        return replace(seen, rollout="complete", reason=f"partial: {kept} (partition {partition})")
    return _complete(seen)


def _daemonset(workload: Json, now: datetime) -> Standing:
    status = workload.get("status") or {}
    wanted = count_of(status, "desiredNumberScheduled")
    seen = _counted(wanted, status, ready="numberAvailable", updated="updatedNumberScheduled")
    if seen.updated == wanted or has_manual_updates(workload):
        return _complete(seen)
    return replace(seen, stalled=seen.ready < wanted)


def _counted(wanted: int, status: Json, *, ready: str, updated: str) -> Standing:
    counts = count_of(status, ready), count_of(status, updated)
    reason = f"{counts[1]} updated and {counts[0]} available of {wanted}"
    return Standing(replicas=wanted, ready=counts[0], updated=counts[1], rollout="progressing", reason=reason)


def _complete(seen: Standing) -> Standing:
    lacking = "" if seen.ready == seen.replicas else f"{seen.ready} of {seen.replicas} replicas are available"
    return replace(seen, rollout="complete", reason=lacking, stalled=bool(lacking))


def _is_timed_out(progressing: Json) -> bool:
    return progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded"


def _lasts(since: object, now: datetime) -> bool:
    start = parse_time(since)
    return start is not None and now - start >= PATIENCE_WITH_PODS


def _share(value: object, whole: int, *, up: bool) -> int:
    """Return a count, or a percentage of the whole: surges are rounded up, losses of a deployment down."""
    if isinstance(value, int):
        return value
    text = str(value)
    if not text.endswith("%") or not text[:-1].isdecimal():
        return 0
    exact = int(text[:-1]) * whole / 100
    return math.ceil(exact) if up else math.floor(exact)
