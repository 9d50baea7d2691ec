"""Eviction: which pods of a node leave, which stay, which are waited for, and which forbid the whole.

Judged on facts alone, so that a plan, a simulated node and a real one agree. The first rule that applies decides,
in the order of `kubectl drain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from runbook_engine.model.node import Pod


class EvictionRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an author allows. `grace` None = each pod's own; `skip_terminating_after` None = always waited for.

    `cordoned_at` is the node's: a pod that tolerates a cordon and is younger has come straight back, and stays.
    """

    cordoned_at: datetime | None = None
    grace: timedelta | None = None
    empty_dir: Literal["block", "delete"] = "block"
    unmanaged_pods: Literal["block", "evict"] = "block"
    skip_terminating_after: timedelta | None = None


class Disposition(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one pod: it stays, it goes, it is going already, or it forbids the drain; and why."""

    verb: Literal["stay", "evict", "wait", "block"]
    why: str = ""


class EvictionBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What one call came to. Names are `namespace/pod`; sentences are for people."""

    evicted: tuple[str, ...] = ()  # asked to leave in this call
    left: int = 0  # pods that still have to go, those just asked included
    waiting: tuple[str, ...] = ()  # why some have not gone yet
    blocked: tuple[str, ...] = ()  # what forbids to go on at all
    warnings: tuple[str, ...] = ()  # what stays although one might think it goes
    after: timedelta = timedelta(seconds=2)  # when the next call may go


def dispose(pod: Pod, rules: EvictionRules, now: datetime) -> Disposition:
    """Return what becomes of one pod when its node is drained."""
    if pod.mirror:
        return Disposition(verb="stay", why="static: its kubelet would bring it back")
    if pod.deleted_at is not None:
        after = rules.skip_terminating_after
        if after is not None and now - pod.deleted_at > after:
            return Disposition(verb="stay", why=f"terminating since {pod.deleted_at:%H:%M:%S}, no longer waited for")
        held = f", held by {', '.join(pod.finalizers)}" if pod.finalizers else ""
        return Disposition(verb="wait", why=f"terminating{held}")
    if pod.terminal:
        return Disposition(verb="evict", why="has run to its end")
    if pod.owner is not None and pod.owner.kind == "DaemonSet" and pod.owner_exists:
        return Disposition(verb="stay", why="of a DaemonSet, which would bring it back to this node")
    if _came_back(pod, rules):
        return Disposition(verb="stay", why="tolerates the cordon, and was put straight back")
    objection = _objection(pod, rules)
    if objection:
        return Disposition(verb="block", why=objection)
    return Disposition(verb="evict")


def objections(pods: Iterable[Pod], rules: EvictionRules, now: datetime) -> tuple[str, ...]:
    """Return a sentence for every pod that forbids the drain."""
    found = ((pod, dispose(pod, rules, now)) for pod in pods)
    return tuple(f"pod {name_of(pod)} {said.why}" for pod, said in found if said.verb == "block")


def to_go(pods: Iterable[Pod], rules: EvictionRules, now: datetime) -> tuple[Pod, ...]:
    """Return the pods that have to leave: those to evict and those on their way."""
    return tuple(pod for pod in pods if dispose(pod, rules, now).verb in ("evict", "wait"))


def next_batch(pods: Iterable[Pod], rules: EvictionRules, now: datetime, limit: int) -> tuple[Pod, ...]:
    """Return which pods to ask now: one of each owner at a time, so that its replicas never all leave at once.

    Those already on their way count against their owner and against the limit.
    """
    going = to_go(pods, rules, now)
    underway = [pod for pod in going if pod.deleted_at is not None]
    busy = {pod.owner.uid for pod in underway if pod.owner is not None}
    chosen: list[Pod] = []
    for pod in sorted((pod for pod in going if pod.deleted_at is None), key=_order):
        if len(underway) + len(chosen) >= limit:
            break
        if pod.owner is not None:
            if pod.owner.uid in busy:
                continue
            busy.add(pod.owner.uid)
        chosen.append(pod)
    return tuple(chosen)


def name_of(pod: Pod) -> str:
    """Return a pod as people write it."""
    return f"{pod.target.namespace}/{pod.target.name}"


def _came_back(pod: Pod, rules: EvictionRules) -> bool:
    if not pod.tolerates_cordon or pod.created_at is None or rules.cordoned_at is None:
        return False
    return pod.created_at > rules.cordoned_at


def _objection(pod: Pod, rules: EvictionRules) -> str:
    if pod.ignored:
        return pod.ignored
    if pod.owner is not None and pod.owner.kind == "DaemonSet" and rules.unmanaged_pods == "block":
        return (
            f"is left over from DaemonSet {pod.owner.name}, which is gone: nothing brings it back "
            "(set unmanagedPods: evict to lose it)"
        )
    if pod.empty_dirs and rules.empty_dir == "block":
        return f"keeps data in an emptyDir ({', '.join(pod.empty_dirs)}; set emptyDir: delete to lose it)"
    if pod.owner is None and rules.unmanaged_pods == "block":
        return "has no controller: nothing brings it back (set unmanagedPods: evict to lose it)"
    return ""


def _order(pod: Pod) -> tuple[bool, bool, str]:
    """Those that have ended first, then those that are not ready: they serve nobody."""
    return (not pod.terminal, pod.ready, name_of(pod))
