"""Needs: what each part of a runbook declares that it needs, of which kind of target, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runbook_engine.model.check import (
    ChangedWithinCheck,
    Check,
    EvictablePodsCheck,
    GitopsCheck,
    NodeReadyCheck,
    QueryCheck,
    ReadyCheck,
)
from runbook_engine.model.looking import LISTING_PODS, METRIC_LOOKS, looking, tracing
from runbook_engine.model.metric import parse_metric
from runbook_engine.model.runbook import MODES, Collector, Mode, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Permissions that one part of a runbook needs of one kind of target."""

    permissions: tuple[str, ...]
    kind: str
    target: TargetTemplate
    because: str
    step: Step | None = None  # whose arguments may name what it is about instead


def needs_of(runbook: Runbook, registry: Registry) -> Iterator[Need]:
    """Yield what every part of a runbook needs."""
    for kind in kinds_of(runbook.target):
        for permissions, because in _of_run(runbook, kind, registry):
            yield Need(permissions=permissions, kind=kind, target=runbook.target, because=because)
    for step in runbook.steps:
        yield from _of_step(step, runbook, registry)


def may_write(runbook: Runbook, mode: Mode | None) -> bool:
    """Whether a runbook may ever change something; with a mode, as if it could go no further than that."""
    highest = max((rule.mode for rule in runbook.mode), key=MODES.index, default="observe")
    return "observe" not in (highest, mode)


def kinds_of(template: TargetTemplate) -> tuple[str, ...]:
    """Return each kind that a target may turn out to be."""
    return tuple(sorted(template.finds)) or (template.kind,)


def _of_run(runbook: Runbook, kind: str, registry: Registry) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is needed besides the steps, and for what."""
    for check in (*runbook.require, *runbook.verify):
        yield _check_needs(check, kind), f"{runbook.name}: a check"
    if runbook.do_no_harm is not None:
        yield _query_needs(runbook.do_no_harm.query), f"{runbook.name}: doNoHarm"
    for collector in runbook.diagnostics:
        yield _collector_needs(collector, kind, registry), f"{runbook.name}: diagnostics {collector.name}"
    if runbook.guardrails.budget is not None and runbook.guardrails.budget.per in ("service", "zone"):
        yield looking(kind), f"{runbook.name}: its budget"


def _of_step(step: Step, runbook: Runbook, registry: Registry) -> Iterator[Need]:
    because = f"{runbook.name}: step {step.name}"
    target = step.target if step.target is not None else runbook.target
    spec = registry.action(step.action)
    for kind in kinds_of(target):
        if spec.target_kinds and kind not in spec.target_kinds:
            continue  # of the kinds that may be found, not all will do
        for check in (*step.when, *step.verify):
            yield Need(permissions=_check_needs(check, kind), kind=kind, target=target, because=because)
        wanted = spec.permissions if spec.needs is None else spec.needs(step.arguments, kind)
        yield Need(permissions=wanted, kind=kind, target=target, because=because, step=step)


def _check_needs(check: Check, kind: str) -> tuple[str, ...]:
    match check:
        case ReadyCheck() | GitopsCheck():
            return looking(kind)
        case ChangedWithinCheck():
            return tracing(kind)
        case NodeReadyCheck():
            return ("core/nodes:get",)
        case EvictablePodsCheck():
            return ("core/nodes:get", *LISTING_PODS)
        case QueryCheck():
            return _query_needs(check.query)
        case _:
            return ()


def _query_needs(query: str) -> tuple[str, ...]:
    return METRIC_LOOKS if parse_metric(query) is not None else ()


def _collector_needs(collector: Collector, kind: str, registry: Registry) -> tuple[str, ...]:
    metrics = METRIC_LOOKS if "metric" in collector.arguments else ()
    return (*registry.collector(collector.name).needs(kind), *metrics)
