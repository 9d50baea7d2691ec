"""Preparing: is a step wanted now, and what exactly would it change?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runbook_engine.checks import Subject, judge_checks
from runbook_engine.errors import Permanent, Retryable, RunbookError, Unhelpful, Unreadable
from runbook_engine.machine.events import Prepared, PrepareFailed, Skipped, Unchanged
from runbook_engine.model.check import Reading
from runbook_engine.model.execution import Execution
from runbook_engine.model.plan import Change, hash_change
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import Target
from runbook_engine.planning.sight import Sight, filler, variables_of
from runbook_engine.ports import ActionSpec
from runbook_engine.resolution import placed

StepEvent = Prepared | Skipped | Unchanged | PrepareFailed


class _Objection(RunbookError):
    """What an action sees in the world forbids its change."""


def prepare_step(execution: Execution, runbook: Runbook, index: int, sight: Sight, now: datetime) -> StepEvent:
    """Look at one step: is it wanted now, and what exactly would it change?"""
    step = runbook.steps[index]
    try:
        spec = sight.registry.action(step.action)
        target = _target_of(step, execution, sight)
        reason = _why_skipped(step, execution, target, sight)
        if reason:
            return Skipped(step=index, reason=reason, at=now)
        change = _prepare_change(step, spec, execution, target, sight)
    except Unhelpful as error:
        if _others_may_help(execution, runbook, index):
            return Unchanged(step=index, reason=str(error), at=now)
        return PrepareFailed(step=index, reason=str(error), objection=True, at=now)
    except (Unreadable, Retryable) as error:
        return PrepareFailed(step=index, reason=str(error), passing=True, at=now)
    except _Objection as error:
        return PrepareFailed(step=index, reason=str(error), objection=True, at=now)
    except RunbookError as error:
        return PrepareFailed(step=index, reason=str(error), at=now)
    if change is None:
        return Unchanged(step=index, reason="already as wanted", at=now)
    return Prepared(
        step=index,
        change=change,
        change_hash=hash_change(execution.runbook_digest, step.name, change),
        message_only=spec.message_only,
        hands_over=spec.hands_over,
        before=() if spec.message_only else _verification_now(execution, runbook, sight),
        at=now,
    )


def parse_params(spec: ActionSpec, arguments: Mapping[str, Any]) -> Any:
    """Return an action's parameters from what its templates became. Raises Permanent with what is wrong."""
    try:
        return spec.params.model_validate(dict(arguments))
    except ValueError as error:
        first = str(error).splitlines()
        said = "; ".join(line.strip() for line in first[1:3]) or str(error)
        raise Permanent(f"parameters of {spec.name} are not valid: {said}") from error


def _others_may_help(execution: Execution, runbook: Runbook, index: int) -> bool:
    """Whether an escalation has more: a step to come, or a change that was made. A sequence needs every step."""
    return runbook.strategy == "escalate" and (index + 1 < len(runbook.steps) or execution.changed)


def _target_of(step: Step, execution: Execution, sight: Sight) -> Target:
    if step.target is None:
        return execution.target
    told = (execution.inputs, execution.alert, sight.configuration, sight.templates)
    return placed(step.target, *told, sight.world)


def _why_skipped(step: Step, execution: Execution, target: Target, sight: Sight) -> str:
    """Return why the step's `when` does not hold; what cannot be read does not hold."""
    subject = Subject.of(execution, target, filler(execution, sight))
    readings = judge_checks(step.when, subject, sight.world)
    return "; ".join(reading.says for reading in readings if not reading.ok)


def _prepare_change(step: Step, spec: ActionSpec, execution: Execution, target: Target, sight: Sight) -> Change | None:
    if spec.target_kinds and target.kind not in spec.target_kinds:
        kinds = ", ".join(spec.target_kinds)
        raise Permanent(f"action {spec.name} works on {kinds}, and the target is {target}")
    rendered = sight.templates.render_values(step.arguments, variables_of(execution))
    params = parse_params(spec, rendered)
    try:
        return spec.prepare(params, target, sight.world)
    except Permanent as error:
        raise _Objection(str(error)) from error


def _verification_now(execution: Execution, runbook: Runbook, sight: Sight) -> tuple[Reading, ...]:
    subject = Subject.of(execution, execution.target, filler(execution, sight))
    return judge_checks(runbook.verify, subject, sight.world)
