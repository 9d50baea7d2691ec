"""Scaling: the count of a workload through its `/scale`, or the minimum of the autoscaler that sets the count.

`/scale` cannot touch a template, so the permission to scale is not the permission to release.
"""

from __future__ import annotations

from collections.abc import Mapping

from runbook_adapters.kubernetes.autoscalers import Found, SeveralAutoscalers, find_autoscaler, paused_because
from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import (
    count_of,
    metadata_of,
    name_of,
    path_to,
    uid_of,
    workload_path,
)
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.rollout import failure_mark
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_adapters.kubernetes.trouble import standing_with_pods
from runbook_adapters.kubernetes.writes import check_same
from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

Receipt = Mapping[str, Value]


def scale(
    transport: Transport, target: Target, replicas: int, *, expected: int, minimum: bool = False, clock: Clock
) -> Receipt:
    """Set the count, or the minimum of the autoscaler that sets it, if it is `expected`."""
    if target.kind == "daemonset":
        raise Permanent(f"cannot scale {target}: a daemonset has a pod on every node that fits (add or remove nodes)")
    with before_touching():
        workload = get_workload(transport, target)
        check_same(target, workload)
        autoscaler = _autoscaler(transport, target)
    live = count_of(workload.get("spec") or {}, "replicas")
    if not minimum:
        _refuse_autoscaled(target, autoscaler, live, replicas)
        changed = _set_count(transport, target, workload, replicas, expected)
    elif autoscaler is None:
        raise Conflict(f"no autoscaler sets the replicas of {target} any more; nothing was changed")
    elif live == 0:
        raise Permanent(
            f"cannot scale {target}: {paused_because(autoscaler, 0) or 'it is scaled to 0'} (start it by hand)"
        )
    else:
        changed = _set_minimum(transport, target, autoscaler, replicas, expected)
    if not changed:
        return {**_receipt(workload), "unchanged": True}
    return _after(transport, target, workload, clock)


def _autoscaler(transport: Transport, target: Target) -> Found | None:
    try:
        return find_autoscaler(transport, target)
    except SeveralAutoscalers as error:
        raise Permanent(str(error)) from error


def _refuse_autoscaled(target: Target, autoscaler: Found | None, live: int, replicas: int) -> None:
    """Raise when an autoscaler has come since: it would set another count, and its minimum is not ours to write."""
    if autoscaler is not None and live != replicas:
        raise Conflict(f"{autoscaler} sets the replicas of {target} now; nothing was changed")


def _set_count(transport: Transport, target: Target, workload: Json, replicas: int, expected: int) -> bool:
    live = count_of(workload.get("spec") or {}, "replicas")
    if live == replicas:
        return False
    if live != expected:
        raise Conflict(f"{target} has {live} replicas, not {expected} any more; nothing was changed")
    if 0 in (live, replicas):
        raise Permanent(f"cannot scale {target} from {live} to {replicas}: starting or stopping it is for a person")
    transport.patch(
        workload_path(target, "scale"),
        [
            {"op": "test", "path": "/metadata/uid", "value": uid_of(workload)},
            {"op": "test", "path": "/spec/replicas", "value": expected},
            {"op": "replace", "path": "/spec/replicas", "value": replicas},
        ],
        kind="json",
    )
    return True


def _set_minimum(transport: Transport, target: Target, found: Found, minimum: int, expected: int) -> bool:
    if found.minimum == minimum:
        return False
    if found.minimum != expected:
        raise Conflict(
            f"{found} of {target} has a minimum of {found.minimum}, not {expected} any more; nothing was changed"
        )
    paused = paused_because(found, expected)
    if paused:
        raise Permanent(f"cannot scale {target}: {paused} (resume it first)")
    if minimum > found.maximum:
        raise Permanent(
            f"cannot raise the minimum of {found} to {minimum}: its maximum is {found.maximum} (raise that by hand)"
        )
    transport.patch(path_to(found.kind, target.namespace, name_of(found.scaler)), _minimum(found, minimum), kind="json")
    return True


def _minimum(found: Found, minimum: int) -> list[Json]:
    """An absent minimum cannot be tested, so there the whole object must be the one that was read."""
    path = f"/spec/{found.field}"
    tests: list[Json] = [{"op": "test", "path": "/metadata/uid", "value": uid_of(found.scaler)}]
    if found.written is None:
        version = metadata_of(found.scaler).get("resourceVersion")
        tests.append({"op": "test", "path": "/metadata/resourceVersion", "value": version})
    else:
        tests.append({"op": "test", "path": path, "value": found.written})
    return [*tests, {"op": "add", "path": path, "value": minimum}]


def _after(transport: Transport, target: Target, before: Json, clock: Clock) -> Receipt:
    """A Scale has no generation, so the workload is read again; the template is the same, and so are its failures."""
    try:
        after = get_workload(transport, target)
        standing = standing_with_pods(transport, target.kind, after, clock.now())
    except (NotFound, InvalidTarget, Unreadable):
        return {"failureMark": failure_mark(before)}  # it is written; observing says what became of it
    return {**_receipt(after), "failureMark": standing.mark or failure_mark(after)}


def _receipt(workload: Json) -> dict[str, Value]:
    return {"generation": count_of(metadata_of(workload), "generation"), "failureMark": failure_mark(workload)}
