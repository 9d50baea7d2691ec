"""Rollbacks: put an older template back, whole, and nothing but the template.

The kept copy is what the controller compares, so the old ReplicaSet is reused. `kubectl rollout undo` replaces every
annotation of a deployment by the old copy's; that would drop what others wrote since, so only the cause is taken
along.
"""

from __future__ import annotations

from collections.abc import Mapping

from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import (
    annotations_of,
    count_of,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    owned_by,
    path_to,
    uid_of,
    workload_path,
)
from runbook_adapters.kubernetes.problems import NotFound, WriteConflict
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.revisions import (
    CHANGE_CAUSE,
    CONTROLLER_HASH,
    RETURNED,
    History,
    Kept,
    history_of,
    is_ready,
    pods_of,
    returned_note,
)
from runbook_adapters.kubernetes.rollout import failure_mark, has_manual_updates, is_observed, partition_of
from runbook_adapters.kubernetes.templates import raw_template
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.writes import check_same, pointer, set_annotation, unmoved
from runbook_engine.errors import Conflict, Permanent, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

Receipt = Mapping[str, Value]


def rollback(transport: Transport, target: Target, revision: int, *, expected: int) -> Receipt:
    """Put the template of a revision back if the live one is that of `expected`; then clear one pod in its way."""
    with before_touching():
        workload = get_workload(transport, target)
        check_same(target, workload)
        history = history_of(transport, target.kind, workload)
    if history.current is not None and history.current.bears(revision):
        return _cleared(transport, target, workload, history.current)
    wanted = _wanted(target, workload, history, revision, expected)
    if target.kind == "deployment":
        written = transport.patch(workload_path(target), _template_patch(workload, wanted), kind="json")
    else:
        written = transport.patch(workload_path(target), _data_patch(workload, wanted, history), kind="strategic")
    receipt: dict[str, Value] = {
        "generation": count_of(metadata_of(written), "generation"),
        "failureMark": failure_mark(written),
        "revision": history.next_number(wanted),
    }
    stuck = _count_stuck(transport, written, wanted) if target.kind == "statefulset" else 0
    return {**receipt, "stuck": stuck} if stuck else receipt


def _wanted(target: Target, workload: Json, history: History, revision: int, expected: int) -> Kept:
    if history.revision != expected:
        raise Conflict(f"{target} is at revision {history.revision}, not {expected} any more; nothing was changed")
    refusal = f"cannot roll back {target} to revision {revision}"
    wanted = history.find(revision)
    if wanted is None:
        numbers = ", ".join(str(kept.number) for kept in history.kept) or "none"
        raise Permanent(f"{refusal}: it is not kept (kept: {numbers})")
    if (workload.get("spec") or {}).get("paused"):
        raise Permanent(f"{refusal}: its rollouts are paused (resume them first)")
    if has_manual_updates(workload):
        raise Permanent(
            f"{refusal}: its update strategy is OnDelete, so nothing would roll "
            "(set RollingUpdate, or roll back by hand)"
        )
    return wanted


def _template_patch(workload: Json, wanted: Kept) -> list[Json]:
    operations = [
        *unmoved(workload),
        {"op": "replace", "path": "/spec/template", "value": raw_template(wanted.template)},
    ]
    if wanted.cause:
        operations.append(set_annotation(workload, CHANGE_CAUSE, wanted.cause))
    elif CHANGE_CAUSE in annotations_of(workload):
        # The controller copies it onto the ReplicaSet that it reuses, and history would tell the wrong story.
        operations.append({"op": "remove", "path": pointer("metadata", "annotations", CHANGE_CAUSE)})
    return operations


def _data_patch(workload: Json, wanted: Kept, history: History) -> Json:
    metadata = {
        "resourceVersion": metadata_of(workload).get("resourceVersion"),
        "annotations": {RETURNED: returned_note(workload, wanted, history)},
    }
    return {**wanted.patch, "metadata": metadata}


def _cleared(transport: Transport, target: Target, workload: Json, current: Kept) -> Receipt:
    """Return what is left in the way of a template that is back, after taking one pod away.

    An ordered statefulset waits for a broken pod of the newer revision to become ready, for ever.
    """
    receipt: dict[str, Value] = {
        "generation": count_of(metadata_of(workload), "generation"),
        "failureMark": failure_mark(workload),
        "revision": current.number,
    }
    with before_touching():
        stuck = _stuck(transport, workload, current) if target.kind == "statefulset" else []
    if not stuck:
        return {**receipt, "unchanged": True}
    status = workload.get("status") or {}
    if not is_observed(workload) or status.get("updateRevision") != current.name or any(map(is_deleting, stuck)):
        return {**receipt, "stuck": len(stuck)}
    _take_away(transport, stuck[0])
    return {**receipt, "stuck": len(stuck) - 1, "removed": name_of(stuck[0])}


def _count_stuck(transport: Transport, workload: Json, wanted: Kept) -> int:
    """The template is written, so a look that fails now says: ask again."""
    try:
        return len(_stuck(transport, workload, wanted))
    except Unreadable:
        return 1


def _stuck(transport: Transport, workload: Json, wanted: Kept) -> Items:
    """Return the pods of other revisions that are not ready, the highest ordinal first."""
    if (workload.get("spec") or {}).get("podManagementPolicy") == "Parallel":
        return []
    lowest = partition_of(workload) + count_of((workload.get("spec") or {}).get("ordinals") or {}, "start")
    pods = owned_by(pods_of(transport, workload), uid_of(workload))
    stuck = [
        pod
        for pod in pods
        if labels_of(pod).get(CONTROLLER_HASH) != wanted.name and not is_ready(pod) and _ordinal(pod) >= lowest
    ]
    return sorted(stuck, key=_ordinal, reverse=True)


def _take_away(transport: Transport, pod: Json) -> None:
    path = path_to("pod", metadata_of(pod).get("namespace", ""), name_of(pod))
    try:
        transport.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid_of(pod)}})
    except (NotFound, WriteConflict):
        return  # it is gone, or another one has its name already


def _ordinal(pod: Json) -> int:
    last = name_of(pod).rpartition("-")[2]
    return int(last) if last.isascii() and last.isdigit() else -1
