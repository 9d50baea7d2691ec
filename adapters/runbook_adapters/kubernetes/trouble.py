"""Trouble: what the pods of a rollout that does not move say about it.

Only pods of the newest release count: those of older ones are what the rollout is about to replace.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_adapters.kubernetes.objects import (
    condition_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    owned_by,
    parse_time,
    path_to,
    uid_of,
)
from runbook_adapters.kubernetes.problems import ApiProblem
from runbook_adapters.kubernetes.revisions import (
    CONTROLLER_HASH,
    controller_history,
    controller_revisions,
    deployment_history,
    is_ready,
    pods_of,
    replica_sets,
)
from runbook_adapters.kubernetes.rollout import Standing, standing_of
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wording import one_line

WAITING = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "CrashLoopBackOff",
    }
)
LONGEST_WAIT = timedelta(seconds=60)
MOST_RESTARTS = 3
MOST_NAMED = 5


def standing_with_pods(transport: Transport, kind: str, workload: Json, now: datetime) -> Standing:
    """Return where a rollout stands; of one that does not move, with what its newest pods say. Raises Unreadable."""
    standing = standing_of(kind, workload, now)
    if not standing.stalled:
        return standing
    pods = pods_of(transport, workload)
    release, newest = _newest(transport, kind, workload, [pod for pod in pods if not is_deleting(pod)])
    seen = _troubled(standing, sorted(newest, key=name_of), release, now)
    if kind != "daemonset" or seen.rollout == "failed":
        return seen
    lost = _lost_nodes(transport, owned_by(pods, uid_of(workload)))
    return replace(seen, reason=f"{seen.reason}; {lost}") if lost else seen


def _newest(transport: Transport, kind: str, workload: Json, pods: Items) -> tuple[str, Items]:
    """Return the name of the release that is wanted now, and its pods; none before its controller has made it."""
    if kind == "deployment":
        sets = replica_sets(transport, workload)
        current = deployment_history(workload, sets).current
        made = next((item for item in sets if current is not None and name_of(item) == current.name), None)
        return (name_of(made), owned_by(pods, uid_of(made))) if made is not None else ("", [])
    owned = owned_by(pods, uid_of(workload))
    if kind == "statefulset":
        release = str((workload.get("status") or {}).get("updateRevision") or "")
        return release, [pod for pod in owned if labels_of(pod).get(CONTROLLER_HASH) == release]
    current = controller_history(workload, controller_revisions(transport, workload), []).current
    if current is None:
        return "", []
    return current.name, [pod for pod in owned if labels_of(pod).get(CONTROLLER_HASH) == current.hash]


def _troubled(standing: Standing, newest: Items, release: str, now: datetime) -> Standing:
    """What has rolled out does not fail any more; there the pods only say what is missing."""
    failure = next((reason for pod in newest if (reason := failing(pod, now))), "")
    if failure and standing.rollout == "progressing":
        return replace(standing, rollout="failed", reason=failure, mark=f"pods of {release}")
    said = failure or _homelessness([pod for pod in newest if _is_unschedulable(pod)])
    return replace(standing, reason=f"{standing.reason}: {said}") if said else standing


def failing(pod: Json, now: datetime) -> str:
    """Return why a pod will not come up, empty while it may."""
    for container in _containers(pod):
        name, restarts = container.get("name", ""), int(container.get("restartCount") or 0)
        waiting = (container.get("state") or {}).get("waiting") or {}
        why = str(waiting.get("reason") or "")
        if why in WAITING and now - _settled_at(pod, now) > LONGEST_WAIT:
            said = f": {one_line(waiting['message'])}" if waiting.get("message") else ""
            return f"container {name} of pod {name_of(pod)} waits in {why}{said}"
        if restarts >= MOST_RESTARTS and not container.get("ready"):
            return f"container {name} of pod {name_of(pod)} has been restarted {restarts} times"
    return ""


def _homelessness(homeless: Items) -> str:
    if not homeless:
        return ""
    said = one_line(condition_of(homeless[0], "PodScheduled").get("message") or "no node takes it")
    return f"no room for {len(homeless)} of its pods: {said}"


def _lost_nodes(transport: Transport, pods: Items) -> str:
    """Return which nodes hold a daemonset up, as a sentence; empty when it is none of them."""
    names = sorted({str((pod.get("spec") or {}).get("nodeName") or "") for pod in pods if not is_ready(pod)} - {""})
    lost = [name for name in names[:MOST_NAMED] if not _is_node_ready(transport, name)]
    return f"not ready: node {', '.join(lost)}" if lost else ""


def _is_node_ready(transport: Transport, name: str) -> bool:
    """Only to say more: a node that may not be read is not named."""
    try:
        node = transport.get(path_to("node", "", name))
    except ApiProblem:
        return True
    return condition_of(node, "Ready").get("status") == "True"


def _containers(pod: Json) -> Iterable[Json]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _settled_at(pod: Json, now: datetime) -> datetime:
    """Return since when a node has had the pod: waiting for one is no failure."""
    scheduled = condition_of(pod, "PodScheduled")
    at = parse_time(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None
    return at or parse_time(metadata_of(pod).get("creationTimestamp")) or now


def _is_unschedulable(pod: Json) -> bool:
    scheduled = condition_of(pod, "PodScheduled")
    return scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
