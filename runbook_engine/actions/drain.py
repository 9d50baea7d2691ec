"""Drain: ask the pods of a node to leave, a few at a time, and wait until their workloads have their replicas again.

What forbids the drain is looked for before anything is touched, and all of it is told at once. That the node is
cordoned is not asked here but by whoever evicts: a plan prepares every step before the one that cordons has run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from runbook_engine.actions.cordoning import touchable_node
from runbook_engine.actions.params import ActionParams, Seconds
from runbook_engine.actions.readiness import first_short, ready_counts
from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.eviction import EvictionBatch, EvictionRules, name_of, objections, remaining, remarks
from runbook_engine.model.looking import NODE_LOOKS, judging_pods, together
from runbook_engine.model.node import Node, Pod
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.quantity import duration_text, parse_duration
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=5)
MOST_OBJECTIONS = 10
MOST_NAMED = 3


class DrainParams(ActionParams):
    """What may be lost, and how fast it goes."""

    grace_period: Seconds | None = Field(
        None, description="How long each pod may take to stop, as in 60s; its own when absent. Never 0s."
    )
    empty_dir: Literal["block", "delete"] = Field(
        "block", description="A pod with data in an emptyDir: block refuses the drain, delete loses the data."
    )
    unmanaged_pods: Literal["block", "evict"] = Field(
        "block", description="A pod that nothing brings back: block refuses the drain, evict loses the pod."
    )
    skip_terminating_after: Seconds | None = Field(
        None, description="On a node that is not ready: pods terminating for longer are no longer waited for."
    )
    parallel: int = Field(5, ge=1, le=50, description="How many pods may be on their way at once, one of each owner.")


def prepare(params: DrainParams, target: Target, world: World) -> Change | None:
    """Return the change, or None when nothing has to go. Raises Permanent with all that forbids it."""
    node, now = touchable_node("drain", target, world), world.clock.now()
    if node.holds_us:
        raise Permanent(f"cannot drain {target}: this engine runs on it (let it run elsewhere, or drain it by hand)")
    arguments = _arguments(params)
    guard = _guard(node, now)
    rules = _rules(arguments, guard, ready=node.ready)
    pods = world.nodes.pods(node.target)
    said = objections(pods, rules, now)
    if said:
        raise Permanent(f"cannot drain {target}: {_capped(said)}")
    going = remaining(pods, rules, now)
    if not going:
        return None
    headroom = world.nodes.headroom(node.target)
    if not headroom.fits:
        raise Permanent(f"cannot drain {target}: what it runs does not fit elsewhere: {headroom.says}")
    return Change(
        target=node.target,
        field="evictablePods",
        before=len(going),
        after=0,
        arguments=arguments,
        guard={**guard, **ready_counts(going, world)},
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Ask the next pods to leave; one bounded batch a call."""
    rules = _rules(change.arguments, change.guard, ready=change.guard.get("nodeReady") is not False)
    limit = change.arguments.get("parallel")
    try:
        batch = effects.nodes.evict(change.target, rules, limit=limit if isinstance(limit, int) else 1)
    except Conflict as error:
        return Outcome.conflict(str(error))
    if batch.blocked:
        return Outcome.failed(_capped(batch.blocked), code="blocked")
    if batch.left:
        after = batch.after if batch.evicted else max(batch.after, LOOK_AGAIN)
        return Outcome.partial(after, _say_left(change, batch), left=batch.left)
    if not batch.evicted:
        return Outcome.noop("no pod is left to go")
    return Outcome.done("every pod has left", left=0)


def rehearse(change: Change, effects: Effects) -> str:
    """Ask without effect whether the pods would be let go: rights and admission rules are known to the server alone."""
    rules = _rules(change.arguments, change.guard, ready=change.guard.get("nodeReady") is not False)
    return _capped(effects.nodes.rehearse(change.target, rules))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether the node is empty, and whether every workload has as many replicas ready as before."""
    node = _drained_node(change, world)
    if isinstance(node, Progress):
        return node
    now = world.clock.now()
    rules = _rules(change.arguments, change.guard, ready=node.ready)
    pods = world.nodes.pods(node.target)
    left = remaining(pods, rules, now)
    if left and not receipt and len(left) == change.before and all(pod.deleted_at is None for pod in left):
        return Progress.absent(f"nobody has been asked to leave {node.target}: {_named(left)}")
    if left and not node.cordoned:
        return Progress.superseded(f"{node.target} takes new pods: somebody else has uncordoned it")
    if left:
        return Progress.progressing(f"still on {node.target}: {_named(left)}", LOOK_AGAIN)
    short = first_short(change.guard, change.target.place, world)
    if short:
        return Progress.progressing(f"every pod has left {node.target}; {short}", LOOK_AGAIN)
    told = _capped((f"no evictable pod is left on {node.target}", *remarks(pods, rules, now)), MOST_NAMED)
    return Progress.done(f"{told}; what ran there is ready elsewhere")


def _drained_node(change: Change, world: World) -> Node | Progress:
    try:
        node = world.nodes.node(change.target)
    except InvalidTarget:
        return Progress.done(f"{change.target} is gone, and its pods with it")
    if change.target.uid and node.target.uid != change.target.uid:
        return Progress.done(f"{change.target} is gone, and its pods with it: another machine bears its name now")
    return node


def _arguments(params: DrainParams) -> Mapping[str, Value]:
    """Return what the author allows, as an approval binds it and as a person reads it."""
    spans = {"gracePeriod": params.grace_period, "skipTerminatingAfter": params.skip_terminating_after}
    return {
        "emptyDir": params.empty_dir,
        "unmanagedPods": params.unmanaged_pods,
        "parallel": params.parallel,
        **{name: duration_text(span) for name, span in spans.items() if span is not None},
    }


def _guard(node: Node, now: datetime) -> Mapping[str, Value]:
    """Return what the drain goes by besides: a pod that is younger than the cordon has come straight back."""
    if not node.cordoned:
        return {"nodeReady": node.ready}
    return {"nodeReady": node.ready, "cordonedAt": (node.cordoned_at or now).isoformat()}


def _rules(arguments: Mapping[str, Value], guard: Mapping[str, Value], *, ready: bool) -> EvictionRules:
    cordoned_at = guard.get("cordonedAt")
    return EvictionRules(
        cordoned_at=None if cordoned_at is None else datetime.fromisoformat(str(cordoned_at)),
        grace=_span(arguments, "gracePeriod"),
        empty_dir="delete" if arguments.get("emptyDir") == "delete" else "block",
        unmanaged_pods="evict" if arguments.get("unmanagedPods") == "evict" else "block",
        skip_terminating_after=None if ready else _span(arguments, "skipTerminatingAfter"),
    )


def _span(arguments: Mapping[str, Value], name: str) -> timedelta | None:
    text = arguments.get(name)
    return None if text is None else parse_duration(text)


def _say_left(change: Change, batch: EvictionBatch) -> str:
    before = change.before if isinstance(change.before, int) else 0
    total = max(before, batch.left)
    waiting = f"; {_capped(batch.waiting, MOST_NAMED)}" if batch.waiting else ""
    return f"{total - batch.left} of {total} pods have left{waiting}"


def _capped(sentences: tuple[str, ...], most: int = MOST_OBJECTIONS) -> str:
    more = len(sentences) - most
    return "; ".join((*sentences[:most], *((f"and {more} more",) if more > 0 else ())))


def _named(pods: tuple[Pod, ...]) -> str:
    return _capped(tuple(name_of(pod) for pod in pods), MOST_NAMED).replace(";", ",")


ACTION = ActionSpec(
    name="drain",
    summary="Evict the pods of a cordoned node, as disruption budgets allow. Cannot be undone.",
    params=DrainParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    rehearse=rehearse,
    example={"gracePeriod": "60s", "skipTerminatingAfter": "60s"},
    repeat="declarative",
    reversible=False,
    foreseeable=True,  # a cordon moves no pod
    time_limit=timedelta(minutes=25),  # 15m for the pods to leave, 10m for their workloads to be ready again
    permissions=together(NODE_LOOKS, ("core/pods/eviction:create",), judging_pods("node")),
    target_kinds=("node",),
)
