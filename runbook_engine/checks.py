"""Checks, judged on readers: the one grammar of `verify`, `when` and `require`.

A reading is yes, no, or cannot tell; empty, NaN, unreachable and stale are `cannot tell`, never yes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.model.check import (
    AlertCheck,
    ChangedWithinCheck,
    Check,
    DoNoHarm,
    EvictablePodsCheck,
    GitopsCheck,
    NodeReadyCheck,
    QueryCheck,
    Reading,
    ReadyCheck,
)
from runbook_engine.model.duration import say_duration
from runbook_engine.model.eviction import EvictionRules, name_of, remaining
from runbook_engine.model.execution import Execution
from runbook_engine.model.metric import parse_metric, say_query
from runbook_engine.model.observation import Sample
from runbook_engine.model.target import Target
from runbook_engine.ports import World

STALE_AFTER = timedelta(minutes=5)
MOST_NAMED = 3
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "below": lambda actual, wanted: actual < wanted,
    "above": lambda actual, wanted: actual > wanted,
    "equals": lambda actual, wanted: math.isclose(actual, wanted, rel_tol=1e-9, abs_tol=1e-12),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What checks are judged on: the target, the alerts, and how `where` values are filled."""

    target: Target
    started_at: datetime  # the alert's start: `changedWithin` counts back from it
    all_resolved: bool
    firing: bool
    fill: Callable[[str], str]

    @classmethod
    def of(cls, execution: Execution, target: Target, fill: Callable[[str], str]) -> Subject:
        """Return the subject of one execution's checks on a target."""
        started = execution.alert.starts_at or execution.alert.received_at
        return cls(
            target=target,
            started_at=started,
            all_resolved=execution.all_resolved,
            firing=execution.firing,
            fill=fill,
        )


def judge_checks(checks: tuple[Check, ...], subject: Subject, world: World) -> tuple[Reading, ...]:
    """Return one reading for each check; a reader's failure is a reading, not an exception."""
    return tuple(judge_check(check, subject, world) for check in checks)


def judge_check(check: Check, subject: Subject, world: World) -> Reading:
    """Return whether one check passes now, or that it cannot be told."""
    try:
        return _judge(check, subject, world)
    except RunbookError as error:  # a reader's no, or a `where` that the alert cannot fill
        return Reading(ok=None, says=f"{describe_check(check)}: cannot be read: {error}")


def judge_harm(rule: DoNoHarm, baseline: float, fill: Callable[[str], str], world: World) -> Reading:
    """Return whether the do-no-harm signal is still near its baseline; None when it cannot be read."""
    signal = say_query(rule.query)
    value, problem = read_harm(rule, fill, world)
    if value is None:
        return Reading(ok=None, says=f"{signal} cannot be read: {problem}")
    limit = max(baseline * (1 + rule.rises_by), rule.floor)
    if value > limit:
        says = f"{signal} rose to {number(value)} from {number(baseline)} (at most {number(limit)})"
        return Reading(ok=False, says=says, value=value)
    return Reading(ok=True, says=f"{signal} {number(value)}, baseline {number(baseline)}", value=value)


def read_harm(rule: DoNoHarm, fill: Callable[[str], str], world: World) -> tuple[float | None, str]:
    """Return the worst present value of the do-no-harm signal, or None and why."""
    try:
        samples = _query(rule.query, rule.where, rule.source, fill, world)
    except RunbookError as error:
        return None, str(error)
    values = [sample.value for sample in samples]
    if not values or not all(math.isfinite(value) for value in values):
        return None, "no data"
    return max(values), ""


def describe_check(check: Check) -> str:
    """Return a check as an author would say it."""
    match check:
        case QueryCheck():
            held = f" for {say_duration(check.hold_for)}" if check.hold_for else ""
            return f"{say_query(check.query)} {check.comparison} {number(check.value)}{held}"
        case AlertCheck():
            return f"every alert {check.state}"
        case ReadyCheck():
            return f"ready {check.share:.0%}"
        case ChangedWithinCheck():
            return f"changed within {say_duration(check.period)}"
        case NodeReadyCheck():
            return f"node {'ready' if check.ready else 'not ready'}"
        case EvictablePodsCheck():
            return f"at most {check.at_most} evictable pods"
        case GitopsCheck():
            return f"gitops {'managed' if check.managed else 'unmanaged'}"
        case _:
            assert_never(check)


def number(value: float) -> str:
    """Return a number as people read it: at most four significant digits."""
    return f"{value:.4g}"


def _judge(check: Check, subject: Subject, world: World) -> Reading:
    match check:
        case QueryCheck():
            return _judge_query(check, subject, world)
        case AlertCheck():
            ok = subject.all_resolved if check.state == "resolved" else subject.firing
            return Reading(ok=ok, says=f"every alert {check.state}: {'yes' if ok else 'no'}", value=ok)
        case ReadyCheck():
            return _judge_ready(check, subject, world)
        case ChangedWithinCheck():
            return _judge_changed(check, subject, world)
        case NodeReadyCheck():
            return _judge_node(check, subject, world)
        case EvictablePodsCheck():
            return _judge_pods(check, subject, world)
        case GitopsCheck():
            return _judge_gitops(check, subject, world)
        case _:
            assert_never(check)


def _judge_query(check: QueryCheck, subject: Subject, world: World) -> Reading:
    samples = _query(check.query, check.where, check.source, subject.fill, world)
    asked = say_query(check.query)
    if not samples:
        return Reading(ok=None, says=f"{asked} has no data")
    if not all(math.isfinite(sample.value) for sample in samples):
        return Reading(ok=None, says=f"{asked} is not a number")
    compare = COMPARISONS[check.comparison]
    failing = [sample for sample in samples if not compare(sample.value, check.value)]
    shown = _worst(check, failing or list(samples))
    ok = not failing
    says = f"{asked} {number(shown)} {_verb(check, ok=ok)} {number(check.value)}"
    return Reading(ok=ok, says=says, value=shown)


def _verb(check: QueryCheck, *, ok: bool) -> str:
    if check.comparison == "equals":
        return "equals" if ok else "does not equal"
    return f"{'is' if ok else 'is not'} {check.comparison}"


def _worst(check: QueryCheck, samples: list[Sample]) -> float:
    values = [sample.value for sample in samples]
    return min(values) if check.comparison == "above" else max(values)


def _query(
    query: str, where: Mapping[str, str], source: str, fill: Callable[[str], str], world: World
) -> tuple[Sample, ...]:
    now = world.clock.now()
    filled = {name: fill(value) for name, value in where.items()}
    samples = world.metric_reader(source).query(query, filled, now)
    metric = parse_metric(query)
    oldest = STALE_AFTER if metric is None else STALE_AFTER + metric.span  # a period is told of when it is over
    if any(now - sample.at > oldest for sample in samples):
        raise Unreadable(f"{say_query(query)} is older than {say_duration(oldest)}")
    return samples


def _judge_ready(check: ReadyCheck, subject: Subject, world: World) -> Reading:
    workload = world.cluster.workload(subject.target)
    ready = workload.ready
    old = ""
    if workload.rollout != "complete" and not workload.manual_updates and workload.updated < ready:
        ready, old = workload.updated, f" of the newest release ({workload.ready} with the older one)"
    ok = workload.replicas > 0 and ready >= check.share * workload.replicas
    says = f"{subject.target} has {ready} of {workload.replicas} ready{old}, wanted {check.share:.0%}"
    return Reading(ok=ok, says=says, value=ready)


def _judge_changed(check: ChangedWithinCheck, subject: Subject, world: World) -> Reading:
    since = subject.started_at - check.period
    changes = [
        change
        for change in world.changes.changes(subject.target, since)
        if change.kind == "change" and not change.ours and since <= change.at <= subject.started_at
    ]
    wanted = f"wanted within {say_duration(check.period)}"
    if not changes:
        return Reading(ok=False, says=f"no change by others before the alert, {wanted}")
    newest = max(changes, key=lambda change: change.at)
    age = say_duration(subject.started_at - newest.at)
    return Reading(ok=True, says=f"{newest.what} by {newest.who}, {age} before the alert", value=newest.what)


def _judge_node(check: NodeReadyCheck, subject: Subject, world: World) -> Reading:
    node = world.nodes.node(_node_target(subject))
    why = f" ({node.ready_reason})" if node.ready_reason and not node.ready else ""
    says = f"{subject.target} is {'ready' if node.ready else 'not ready'}{why}"
    if node.ready != check.ready:
        says += f", wanted {'ready' if check.ready else 'not ready'}"
    return Reading(ok=node.ready == check.ready, says=says, value=node.ready)


def _judge_pods(check: EvictablePodsCheck, subject: Subject, world: World) -> Reading:
    target = _node_target(subject)
    rules = EvictionRules(cordoned_at=world.nodes.node(target).cordoned_at)
    left = remaining(world.nodes.pods(target), rules, world.clock.now())
    named = f" ({', '.join(name_of(pod) for pod in left[:MOST_NAMED])}{', ...' if left[MOST_NAMED:] else ''})"
    says = f"evictable pods on {target}: {len(left)}{named if left else ''}, wanted at most {check.at_most}"
    return Reading(ok=len(left) <= check.at_most, says=says, value=len(left))


def _node_target(subject: Subject) -> Target:
    if subject.target.kind != "node":
        raise Unreadable(f"{subject.target} is no node (this check needs a target such as {{node: NAME}})")
    return subject.target


def _judge_gitops(check: GitopsCheck, subject: Subject, world: World) -> Reading:
    owner = _owner(subject.target, world)
    says = f"{subject.target} is managed by {owner}" if owner else f"nothing in git is known to manage {subject.target}"
    return Reading(ok=bool(owner) == check.managed, says=says, value=owner)


def _owner(target: Target, world: World) -> str:
    if target.kind == "function":
        return world.functions.function(target).managed
    return world.cluster.workload(target).gitops
