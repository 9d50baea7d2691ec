"""Eviction: which pods of a node leave, which stay, which are waited for, and which forbid the whole.

Judged on facts alone, so that a plan, a simulated node and a real one agree. The first rule that applies decides,
in the order of `kubectl drain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from runbook_engine.model.node import DisruptionBudget, Pod


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
    surprising: bool = False  # it stays although one might think that it goes


class EvictionBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What one call came to. Names are `namespace/pod`; sentences are for people."""

    evicted: tuple[str, ...] = ()  # asked to leave in this call
    left: int = 0  # pods that still have to go, those just asked included
    waiting: tuple[str, ...] = ()  # why some have not gone yet
    blocked: tuple[str, ...] = ()  # what forbids to go on at all
    warnings: tuple[str, ...] = ()  # what stays although one might think it goes, and what leaving does to a job
    after: timedelta = timedelta(seconds=2)  # when the next call may go


def dispose(pod: Pod, rules: EvictionRules, now: datetime) -> Disposition:
    """Return what becomes of one pod when its node is drained."""
    if pod.mirror:
        return Disposition(verb="stay", why="static: its kubelet would bring it back")
    if pod.deleted_at is not None:
        after = rules.skip_terminating_after
        if after is not None and now - pod.deleted_at > after:
            since = f"is terminating since {pod.deleted_at:%H:%M:%S} and is no longer waited for"
            return Disposition(verb="stay", why=since, surprising=True)
        held = f", held by {', '.join(pod.finalizers)}" if pod.finalizers else ""
        return Disposition(verb="wait", why=f"is terminating{held}")
    if pod.terminal:
        return Disposition(verb="evict", why="has run to its end")
    if pod.owner is not None and pod.owner.kind == "DaemonSet" and pod.owner_exists:
        return Disposition(verb="stay", why="of a DaemonSet, which would bring it back to this node")
    if _came_back(pod, rules):
        return Disposition(verb="stay", why="tolerates the cordon and was put straight back", surprising=True)
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


def remaining(pods: Iterable[Pod], rules: EvictionRules, now: datetime) -> tuple[Pod, ...]:
    """Return the pods without which the node would be drained: those to go, and those that forbid it."""
    return tuple(pod for pod in pods if dispose(pod, rules, now).verb != "stay")


def next_batch(pods: Iterable[Pod], rules: EvictionRules, now: datetime, limit: int) -> tuple[Pod, ...]:
    """Return which pods to ask now: one of each owner at a time, and never more than their budgets have left.

    Those already on their way count against their owner and against the limit. A budget that has not been counted
    yet is left to the server.
    """
    going = to_go(pods, rules, now)
    underway = [pod for pod in going if pod.deleted_at is not None]
    busy = {pod.owner.uid for pod in underway if pod.owner is not None}
    taken: dict[tuple[str, str], int] = {}
    chosen: list[Pod] = []
    for pod in sorted((pod for pod in going if pod.deleted_at is None), key=_order):
        if len(underway) + len(chosen) >= limit:
            break
        if pod.owner is not None and pod.owner.uid in busy:
            continue
        budget = guarding(pod)
        if budget is not None and budget.observed:
            key = (pod.target.namespace, budget.name)
            if taken.get(key, 0) >= budget.allowed:
                continue
            taken[key] = taken.get(key, 0) + 1
        if pod.owner is not None:
            busy.add(pod.owner.uid)
        chosen.append(pod)
    return tuple(chosen)


def delays(pods: Iterable[Pod], rules: EvictionRules, now: datetime) -> tuple[str, ...]:
    """Return a sentence for every pod that cannot leave yet: it is on its way, or its disruption budget is used up."""
    found = []
    for pod in to_go(pods, rules, now):
        budget = guarding(pod)
        if pod.deleted_at is not None:
            found.append(f"pod {name_of(pod)} {dispose(pod, rules, now).why}")
        elif budget is not None and budget.observed and budget.allowed <= 0:
            found.append(f"pod {name_of(pod)} {_waits_for(pod, budget)}")
    return tuple(found)


def remarks(pods: Iterable[Pod], rules: EvictionRules, now: datetime) -> tuple[str, ...]:
    """Return what people should know: what stays although one might think it goes, and what counts against a job."""
    found = []
    for pod in pods:
        said = dispose(pod, rules, now)
        if said.surprising:
            found.append(f"pod {name_of(pod)} {said.why}: it stays")
        elif said.verb == "evict" and pod.owner is not None and pod.owner.kind == "Job" and not pod.terminal:
            found.append(
                f"pod {name_of(pod)} counts as a failure of Job {pod.owner.name}, "
                "unless its podFailurePolicy ignores DisruptionTarget"
            )
    return tuple(found)


def guarding(pod: Pod) -> DisruptionBudget | None:
    """Return the budget that an eviction of the pod would take from; what does not serve yet, or any more, has none."""
    if not pod.budgets or pod.phase == "Pending" or pod.terminal or pod.deleted_at is not None:
        return None
    first = pod.budgets[0]
    return None if len(pod.budgets) == 1 and first.spares(pod.ready) else first


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
    if rules.grace == timedelta(0) and pod.owner is not None and pod.owner.kind == "StatefulSet":
        return (
            f"is of StatefulSet {pod.owner.name}: without a grace period it could run twice at once "
            "(set gracePeriod to 1s or more)"
        )
    return _budget_objection(pod)


def _budget_objection(pod: Pod) -> str:
    budget = guarding(pod)
    if budget is None:
        return ""
    if len(pod.budgets) > 1:
        names = ", ".join(sorted(each.name for each in pod.budgets))
        return f"is covered by {len(pod.budgets)} disruption budgets ({names}), and no eviction can obey more than one"
    if budget.problem:
        return f"cannot leave: disruption budget {budget.name} does not work ({budget.problem})"
    if budget.impossible:
        return (
            f"can never leave: disruption budget {budget.name} wants {budget.wanted} healthy pods "
            f"and there are meant to be {budget.expected} (lower it, or add replicas)"
        )
    return ""


def _waits_for(pod: Pod, budget: DisruptionBudget) -> str:
    numbers = f"it needs {budget.wanted} healthy pods and has {budget.healthy}"
    said = f"waits for disruption budget {budget.name}: {numbers}"
    if pod.ready:
        return said
    reason = f" ({pod.waiting})" if pod.waiting else ""
    return (
        f"{said}; the pod is not ready itself{reason}, which the budget protects by design "
        "(repair it, or set unhealthyPodEvictionPolicy: AlwaysAllow)"
    )


def _order(pod: Pod) -> tuple[bool, bool, str]:
    """Those that have ended first, then those that are not ready: they serve nobody."""
    return (not pod.terminal, pod.ready, name_of(pod))
