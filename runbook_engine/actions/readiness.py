"""Readiness: what the workloads of leaving pods had ready before, so that a look can tell when they have it again.

Kept in a change's guard, because no approval binds a count that flickers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.node import Pod
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import World

READY = "ready:"


def ready_counts(pods: Iterable[Pod], world: World) -> Mapping[str, Value]:
    """Return how many replicas are ready of each workload that the pods belong to; a job has none to return to."""
    one_each = {pod.owner.uid: pod for pod in pods if pod.owner is not None}
    counts: dict[str, Value] = {}
    for pod in one_each.values():
        try:
            target = world.nodes.workload_of(pod.target)
            counts[f"{READY}{target.kind}/{target.namespace}/{target.name}"] = world.cluster.glance(target).ready
        except InvalidTarget:
            continue
    return counts


def workloads_of(guard: Mapping[str, Value], place: str) -> tuple[Target, ...]:
    """Return the workloads whose ready replicas were counted."""
    return tuple(Target(*_read(key, place)) for key in guard if key.startswith(READY))


def first_short(guard: Mapping[str, Value], place: str, world: World) -> str:
    """Return which workload has fewer ready than before, as a sentence; empty when every one has them again."""
    for key, before in guard.items():
        if not key.startswith(READY) or not isinstance(before, int):
            continue
        target = Target(*_read(key, place))
        try:
            workload = world.cluster.glance(target)
        except InvalidTarget:
            continue  # removed meanwhile: nothing of it comes back
        wanted = min(before, workload.replicas)
        if workload.ready < wanted:
            return f"{target} has {workload.ready} of {wanted} replicas ready"
    return ""


def _read(key: str, place: str) -> tuple[str, str, str, str]:
    kind, namespace, name = key.removeprefix(READY).split("/")
    return kind, place, namespace, name
