"""Differences: what two looks at one workload say that somebody changed, and how its release is doing.

Pure: the watcher brings the looks. Who and when come from the managed fields, which name whoever wrote a field last;
so every watcher of a cluster tells of one change with the same words and the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from runbook_adapters.kubernetes.changes import CONTROLLERS
from runbook_adapters.kubernetes.objects import (
    Manager,
    condition_of,
    count_of,
    managers_of,
    metadata_of,
    parse_time,
)
from runbook_adapters.kubernetes.releases import said_difference
from runbook_adapters.kubernetes.revisions import numbered
from runbook_adapters.kubernetes.rollout import is_observed
from runbook_adapters.kubernetes.templates import images_of, template_of
from runbook_adapters.kubernetes.transport import FIELD_MANAGER, Json
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.observation import ChangeEvent

SOMEBODY = "somebody"
AUTOSCALERS = frozenset((*CONTROLLERS, "keda", "keda-operator"))
SAME_MOMENT = timedelta(seconds=5)  # managed fields tell whole seconds, and clocks differ a little
REPLICA_COUNTS: tuple[str, ...] = ("updatedReplicas", "replicas", "availableReplicas")
DAEMON_COUNTS: tuple[str, ...] = ("updatedNumberScheduled", "numberAvailable")
TEMPLATE, REPLICAS, PAUSED = ("spec", "template"), ("spec", "replicas"), ("spec", "paused")


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a workload until the next look: little, since a cluster has thousands of them."""

    generation: int
    version: str
    revision: int  # of a deployment, 0 = not numbered yet or no deployment
    spec: bytes
    writers: frozenset[Manager]


class Failure(msgspec.Struct, frozen=True):
    """Why a rollout has failed, and since when."""

    reason: str
    at: datetime | None


def look_at(workload: Json) -> Look:
    """Return what is remembered of a workload."""
    metadata = metadata_of(workload)
    return Look(
        generation=count_of(metadata, "generation"),
        version=str(metadata.get("resourceVersion") or ""),
        revision=numbered(workload),
        spec=msgspec.json.encode(workload.get("spec") or {}),
        writers=frozenset(managers_of(workload)),
    )


def differences(before: Look, after: Json, now: datetime) -> tuple[ChangeEvent, ...]:
    """Return what was changed between two looks, as an on-call would say it."""
    if before.generation == count_of(metadata_of(after), "generation"):
        return ()  # only its status has moved
    old, new = msgspec.json.decode(before.spec, type=dict), after.get("spec") or {}
    found: list[ChangeEvent] = []
    released = said_difference(old.get("template") or {}, new.get("template") or {})
    if released:
        found.append(_event(before, after, TEMPLATE, released, now))
    replicas = count_of(old, "replicas"), count_of(new, "replicas")
    if replicas[0] != replicas[1]:
        found.append(_scaling(_event(before, after, REPLICAS, f"replicas {replicas[0]} -> {replicas[1]}", now)))
    if bool(old.get("paused")) != bool(new.get("paused")):
        what = "rollouts paused" if new.get("paused") else "rollouts resumed"
        found.append(_event(before, after, PAUSED, what, now))
    return tuple(found)


def creation_of(workload: Json, now: datetime) -> ChangeEvent:
    """Return the change that a new workload is."""
    at = parse_time(metadata_of(workload).get("creationTimestamp")) or now
    who = _name_of(managers_of(workload, TEMPLATE))
    what = one_line(f"created with image {', '.join(images_of(template_of(workload)))}")
    return ChangeEvent(at=at, who=who, what=what, ours=who == FIELD_MANAGER)


def deletion_of(workload: Json, now: datetime) -> ChangeEvent:
    """Return the change that a deletion is; the cluster does not keep whose it was."""
    at = parse_time(metadata_of(workload).get("deletionTimestamp")) or now
    return ChangeEvent(at=at, who=SOMEBODY, what="deleted")


def is_whole(workload: Json) -> bool:
    """Whether everything that is wanted is there, new and available, and nothing else."""
    if not is_observed(workload):
        return False
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if "desiredNumberScheduled" in status:
        wanted, names = count_of(status, "desiredNumberScheduled"), DAEMON_COUNTS
    else:
        wanted, names = count_of(spec, "replicas"), REPLICA_COUNTS
    return wanted > 0 and all(count_of(status, name) == wanted for name in names)


def failure_of(workload: Json) -> Failure | None:
    """Return why the rollout of a deployment has failed, None when it has not; the others never say so."""
    progressing = condition_of(workload, "Progressing")
    if not is_observed(workload) or progressing.get("reason") != "ProgressDeadlineExceeded":
        return None
    if progressing.get("status") != "False":
        return None
    reason = one_line(progressing.get("message") or "it did not progress in time")
    return Failure(reason, parse_time(progressing.get("lastUpdateTime")))


def _scaling(event: ChangeEvent) -> ChangeEvent:
    """An autoscaler answers to load, and nobody has decided anything."""
    return msgspec.structs.replace(event, kind="autoscaled") if event.who in AUTOSCALERS else event


def _event(before: Look, after: Json, path: Sequence[str], what: str, now: datetime) -> ChangeEvent:
    writer = _writer(before, after, path, now)
    who = writer.name if writer is not None and writer.name else SOMEBODY
    at = writer.at if writer is not None and writer.at is not None else now
    return ChangeEvent(at=at, who=who, what=what, ours=who == FIELD_MANAGER)


def _writer(before: Look, after: Json, path: Sequence[str], now: datetime) -> Manager | None:
    """Return who wrote a field between two looks; None when the managed fields do not tell.

    Who only removes entries that others wrote leaves no trace, and the older writers are not to blame for it.
    """
    holders = managers_of(after, path)
    fresh = [manager for manager in holders if manager not in before.writers]
    others = [
        manager
        for manager in managers_of(after)
        if manager not in before.writers and not manager.subresource and manager.name not in CONTROLLERS
    ]
    just_now = [manager for manager in holders if manager.at is not None and abs(now - manager.at) <= SAME_MOMENT]
    return next(iter((*fresh, *others, *just_now)), None)


def _name_of(managers: Sequence[Manager]) -> str:
    return next((manager.name for manager in managers if manager.name), SOMEBODY)
