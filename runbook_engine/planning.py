"""Planning: what each step would change now, and what every guardrail says of it. Looks, never touches.

The executor prepares its steps with the same functions, so a plan is the run without `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbook_engine.checks import Subject, judge_checks
from runbook_engine.errors import (
    InvalidTarget,
    Permanent,
    Retryable,
    RunbookError,
    Unhelpful,
    UnknownAction,
    Unreadable,
)
from runbook_engine.guardrails import Case, judge, refusals
from runbook_engine.machine import evolve
from runbook_engine.machine.events import (
    Finished,
    Prepared,
    PrepareFailed,
    Resolved,
    ResolvePutOff,
    Skipped,
    Unchanged,
)
from runbook_engine.machine.opening import slot_of
from runbook_engine.model.alert import Alert
from runbook_engine.model.check import Reading
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change, Plan, PlannedStep, hash_change, hash_plan
from runbook_engine.model.runbook import Compensate, Mode, Runbook, Step
from runbook_engine.model.target import NO_TARGET, Target
from runbook_engine.model.worst_case import worst_case
from runbook_engine.ports import ActionSpec, Ledger, World
from runbook_engine.registry import Registry
from runbook_engine.resolution import alert_variables, find_target, placed, target_refusal
from runbook_engine.templating import Templates

KEPT = "kept until a person undoes it"  # by hand: there is no alert whose resolve would

StepEvent = Prepared | Skipped | Unchanged | PrepareFailed


class _Objection(RunbookError):
    """What an action sees in the world forbids its change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything that planning may look at. Nothing in it can write."""

    world: World
    ledger: Ledger
    registry: Registry
    configuration: Configuration
    templates: Templates
    ceiling: Callable[[Alert], Mode]  # how far the installation lets any runbook go for an alert, now


def make_plan(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Plan:
    """Return what the execution would do now, step by step, as if every step were needed."""
    subject = Subject.of(execution, execution.target, filler(execution, sight))
    required = tuple(_as_verdict(reading) for reading in judge_checks(runbook.require, subject, sight.world))
    steps = _plan_steps(execution, runbook, sight, now)
    first, later = _by_turn(steps, runbook)
    verification = judge_checks(runbook.verify, subject, sight.world)
    return Plan(
        plan_hash=hash_plan(tuple(step.change_hash for step in steps if step.change_hash)),
        runbook=runbook.name,
        runbook_digest=runbook.digest,
        target=execution.target,
        mode=execution.mode,
        steps=steps,
        verification=tuple(reading.says for reading in verification),
        measured=tuple(reading.value for reading in verification),
        verdicts=required,
        blocked=(*(f"require: {no.says}" for no in refusals(required)), *_obstacles(first, passing=False)),
        waiting=(*_group_to_come(execution, runbook), *_obstacles(first, passing=True)),
        later=(*_obstacles(later, passing=False), *_obstacles(later, passing=True)),
        worst_case=worst_case(runbook, sight.registry.time_limit),
    )


def place(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Execution:
    """Return the execution with what it acts on found, if that is still to be done, for a plan or a start by hand.

    Raises InvalidTarget when it is not allowed or leads nowhere, Unreadable when it cannot be told now.
    """
    if execution.stage != "resolve":
        return execution
    event = look_up(execution, runbook, sight, now)
    match event:
        case Resolved():
            return evolve(execution, event, runbook)
        case ResolvePutOff():
            raise Unreadable(f"what {execution.target} leads to cannot be told now: {event.reason}")
        case Finished():
            raise InvalidTarget(event.reason)


def refused_plan(runbook: Runbook, mode: Mode, reason: str) -> Plan:
    """Return the plan of a runbook that may not run for this alert: nothing, and why."""
    return Plan(
        plan_hash="",
        runbook=runbook.name,
        runbook_digest=runbook.digest,
        target=NO_TARGET,
        mode=mode,
        steps=(),
        blocked=(reason,),
    )


def look_up(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Resolved | ResolvePutOff | Finished:
    """Ask the cluster what a run acts on; what is not allowed, or leads nowhere, blocks it."""
    try:
        target = find_target(runbook.target, execution.target, sight.world)
    except (Unreadable, Retryable) as error:
        return ResolvePutOff(reason=str(error), at=now)
    except RunbookError as error:
        return Finished(status="blocked", reason=str(error), at=now)
    refused = target_refusal(sight.configuration, execution.scope, target)
    if refused:
        return Finished(status="blocked", reason=f"{execution.target} leads to {target}: {refused}", at=now)
    return Resolved(target=target, slot=slot_of(runbook.name, target), at=now)


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


def _others_may_help(execution: Execution, runbook: Runbook, index: int) -> bool:
    """Whether an escalation has more: a step to come, or a change that was made. A sequence needs every step."""
    return runbook.strategy == "escalate" and (index + 1 < len(runbook.steps) or execution.changed)


def foresee(execution: Execution, runbook: Runbook, index: int, sight: Sight, now: datetime) -> str:
    """Return which later step of a sequence could surely not be made, and why; empty when none is known.

    Looked at before the first change: a node is not cordoned for a drain that is forbidden. What a step in between may
    mend is no obstacle: a release that is rolled back first may have its replicas ready for the restart after it.
    """
    untouched = not any(state.effects for state in execution.steps)
    if runbook.strategy != "sequence" or not untouched:
        return ""
    for later in range(index + 1, len(runbook.steps)):
        event = prepare_step(execution, runbook, later, sight, now)
        if isinstance(event, PrepareFailed) and not event.passing and not _may_be_mended(event, runbook, index, sight):
            return f"{runbook.steps[later].name} could not follow: {event.reason}"
    return ""


def _may_be_mended(failed: PrepareFailed, runbook: Runbook, first: int, sight: Sight) -> bool:
    """Whether what forbids a step now may be gone when the steps from the first one on have been done.

    Of an action that is foreseeable it stays, unless one of them changes something else than the step's own target.
    """
    step = runbook.steps[failed.step]
    before = [(each, _spec_of(each, sight)) for each in runbook.steps[first : failed.step]]
    changing = [(each, spec) for each, spec in before if spec is not None and not spec.message_only]
    if not failed.objection or not changing:
        return False
    own = _spec_of(step, sight)
    foreseeable = own is not None and own.foreseeable
    return not foreseeable or any(each.target != step.target or not spec.target_kinds for each, spec in changing)


def _spec_of(step: Step, sight: Sight) -> ActionSpec | None:
    try:
        return sight.registry.action(step.action)
    except UnknownAction:
        return None


def judge_change(
    change: Change, execution: Execution, runbook: Runbook, sight: Sight, now: datetime
) -> tuple[Verdict, ...]:
    """Return every guardrail's verdict on one change of this execution, now."""
    return judge(case_of(change, execution, runbook, sight, now))


def case_of(change: Change, execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> Case:
    """Return what guardrails judge by."""
    return Case(
        execution=execution,
        runbook=runbook,
        configuration=sight.configuration,
        change=change,
        world=sight.world,
        ledger=sight.ledger,
        now=now,
        fill=filler(execution, sight),
        ceiling=sight.ceiling(execution.alert),
    )


def variables_of(execution: Execution) -> Mapping[str, Any]:
    """Return what a runbook's templates may see."""
    return {
        "inputs": execution.inputs,
        "alert": alert_variables(execution.alert),
        "run": {
            "execution": execution.id,
            "incident": execution.incident_id,
            "runbook": execution.runbook,
            "target": str(execution.target),
        },
    }


def filler(execution: Execution, sight: Sight) -> Callable[[str], str]:
    """Return the function that fills one `where` value."""
    variables = variables_of(execution)
    return lambda text: sight.templates.render(text, variables)


def _by_turn(
    steps: tuple[PlannedStep, ...], runbook: Runbook
) -> tuple[tuple[PlannedStep, ...], tuple[PlannedStep, ...]]:
    """Return the steps that decide whether the run can start, and those of which nobody can tell yet."""
    acting = tuple(step for step in steps if _acts(step))
    if runbook.strategy == "sequence":
        return tuple(step for step in acting if not step.mendable), tuple(step for step in acting if step.mendable)
    return acting[:1], acting[1:]


def _acts(step: PlannedStep) -> bool:
    return step.change is not None or bool(step.error)


def _group_to_come(execution: Execution, runbook: Runbook) -> tuple[str, ...]:
    """Return what a run that an alert would open waits for, before anything of the plan is done."""
    rule = runbook.group
    if rule is None or execution.group_id or execution.started_by:
        return ()
    targets = f"{rule.max_targets} target{'s' if rule.max_targets > 1 else ''}"
    return (f"its group, {say_duration(rule.wait)}: with more than {targets} nothing is changed",)


def _obstacles(steps: tuple[PlannedStep, ...], *, passing: bool) -> tuple[str, ...]:
    """Return what stands in the way of steps: what passes by itself, or what does not."""
    said: list[str] = []
    for step in steps:
        refused = [no for no in refusals(step.verdicts) if no.guardrail != "mode"]
        said += [f"{step.name}: {no.says}" for no in refused if (no.until is not None) == passing]
        said += [f"{step.name}: {step.error}"] if step.error and step.passing == passing else []
    return tuple(said)


def _plan_steps(execution: Execution, runbook: Runbook, sight: Sight, now: datetime) -> tuple[PlannedStep, ...]:
    planned: list[PlannedStep] = []
    for index in range(len(runbook.steps)):
        first = next((at for at, step in enumerate(planned) if _acts(step)), index)
        planned.append(_plan_step(execution, runbook, index, first, sight, now))
    return tuple(planned)


def _plan_step(
    execution: Execution, runbook: Runbook, index: int, first: int, sight: Sight, now: datetime
) -> PlannedStep:
    """Return what one step would do; `first` is the one that begins to act."""
    step = runbook.steps[index]
    approval = step.approval.by if step.approval is not None else ""
    undo = KEPT if execution.started_by and step.compensate.when == "resolved" else say_compensation(step.compensate)
    bare = PlannedStep(name=step.name, action=step.action, approval=approval, undo=undo)
    event = prepare_step(execution, runbook, index, sight, now)
    match event:
        case Skipped():
            return PlannedStep(name=step.name, action=step.action, skipped=event.reason)
        case Unchanged():
            return PlannedStep(name=step.name, action=step.action, unchanged=event.reason)
        case PrepareFailed():
            mendable = runbook.strategy == "sequence" and _may_be_mended(event, runbook, first, sight)
            return PlannedStep(
                name=step.name, action=step.action, error=event.reason, passing=event.passing, mendable=mendable
            )
        case Prepared():
            judged = () if event.message_only else judge_change(event.change, execution, runbook, sight, now)
            return PlannedStep(
                name=bare.name,
                action=bare.action,
                change=event.change,
                change_hash=event.change_hash,
                verdicts=judged,
                approval=bare.approval or (runbook.owner if event.change.asks else ""),
                undo=bare.undo,
            )


def say_compensation(compensate: Compensate) -> str:
    """Return when a step's change is undone, as a sentence."""
    match compensate.when:
        case "resolved":
            return f"undone {say_duration(compensate.hold_for)} after the alert resolves"
        case "onFailure":
            return "undone if the run fails"
        case "never":
            return "never undone"


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


def parse_params(spec: ActionSpec, arguments: Mapping[str, Any]) -> Any:
    """Return an action's parameters from what its templates became. Raises Permanent with what is wrong."""
    try:
        return spec.params.model_validate(dict(arguments))
    except ValueError as error:
        first = str(error).splitlines()
        said = "; ".join(line.strip() for line in first[1:3]) or str(error)
        raise Permanent(f"parameters of {spec.name} are not valid: {said}") from error


def _verification_now(execution: Execution, runbook: Runbook, sight: Sight) -> tuple[Reading, ...]:
    subject = Subject.of(execution, execution.target, filler(execution, sight))
    return judge_checks(runbook.verify, subject, sight.world)


def _as_verdict(reading: Reading) -> Verdict:
    return Verdict(guardrail="require", ok=reading.ok is True, says=reading.says)
