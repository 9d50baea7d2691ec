"""Removal: one pod evicted, or deleted, while it is the very pod that was judged. One that is gone is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from runbook_adapters.kubernetes.asking import ask_to_leave, deletion_of, still_there
from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import controller_of, is_deleting, pod_path, uid_of
from runbook_adapters.kubernetes.pods import OURS, Ourselves
from runbook_adapters.kubernetes.problems import LostAnswer, NotFound, WriteConflict
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_engine.errors import Permanent, Retryable, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target


def remove_pod(
    transport: Transport, pod: Target, ourselves: Ourselves, *, evict: bool, grace: timedelta | None
) -> Mapping[str, Value]:
    """Take one pod away. Raises Retryable when its budget says not now, Permanent, EffectUnknown."""
    with before_touching():
        found = still_there(transport, pod)
    if found is None:
        return _gone(pod)
    this = msgspec.structs.replace(pod, uid=uid_of(found))
    if is_deleting(found):
        return {"uid": this.uid, "unchanged": True}
    if ourselves.are(pod.namespace, pod.name):
        raise Permanent(f"{pod} {OURS}")
    _check_grace(this, found, grace)
    return _evicted(transport, this, grace) if evict else _deleted(transport, this, grace)


def _check_grace(pod: Target, found: Json, grace: timedelta | None) -> None:
    owner = controller_of(found)
    if grace == timedelta(0) and owner is not None and owner.kind == "StatefulSet":
        raise Permanent(
            f"{pod} is of StatefulSet {owner.name}: without a grace period it could run twice at once "
            "(set gracePeriod to 1s or more)"
        )


def _evicted(transport: Transport, pod: Target, grace: timedelta | None) -> Mapping[str, Value]:
    answer = ask_to_leave(transport, pod, grace)
    match answer.verb:
        case "leaving":
            return {"uid": pod.uid}
        case "gone":
            return _gone(pod)
        case "never":
            raise Permanent(answer.says) from answer.problem
        case "wait":
            if isinstance(answer.problem, LostAnswer):
                raise answer.problem
            raise Retryable(answer.says, answer.after) from answer.problem


def _deleted(transport: Transport, pod: Target, grace: timedelta | None) -> Mapping[str, Value]:
    options = {"apiVersion": "v1", "kind": "DeleteOptions", **deletion_of(pod, grace)}
    try:
        transport.delete(pod_path(pod), options)
    except NotFound as problem:
        if not problem.served:
            raise
        return _gone(pod)
    except (LostAnswer, WriteConflict) as problem:
        return _looked_again(transport, pod, problem)
    return {"uid": pod.uid}


def _looked_again(transport: Transport, pod: Target, problem: LostAnswer | WriteConflict) -> Mapping[str, Value]:
    """Return what has become of a pod whose deletion is in doubt, or else raise the doubt."""
    try:
        found = still_there(transport, pod)
    except Unreadable:
        raise problem from None
    if found is None and isinstance(problem, WriteConflict):
        return _gone(pod)
    if found is None or is_deleting(found):
        return {"uid": pod.uid}
    raise problem


def _gone(pod: Target) -> Mapping[str, Value]:
    return {"uid": pod.uid, "unchanged": True, "gone": True}
