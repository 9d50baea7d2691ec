"""The plan: every step prepared as if it were needed, judged by every guardrail, and what stands in the way."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.checks import Subject, judge_checks
from runbook_engine.guardrails import judge, refusals
from runbook_engine.machine.events import Prepared, PrepareFailed, Skipped, Unchanged
from runbook_engine.model.check import Reading
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change, Plan, PlannedStep, hash_plan
from runbook_engine.model.runbook import Compensate, Mode, Runbook
from runbook_engine.model.target import NO_TARGET
from runbook_engine.model.worst_case import worst_case
from runbook_engine.planning.foresight import may_be_mended
from runbook_engine.planning.preparing import prepare_step
from runbook_engine.planning.sight import Sight, case_of, filler

KEPT = "kept until a person undoes it"  # by hand: there is no alert whose resolve would


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
        slot=execution.slot,
    )


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


def judge_change(
    change: Change, execution: Execution, runbook: Runbook, sight: Sight, now: datetime
) -> tuple[Verdict, ...]:
    """Return every guardrail's verdict on one change of this execution, now."""
    return judge(case_of(change, execution, runbook, sight, now))


def say_compensation(compensate: Compensate) -> str:
    """Return when a step's change is undone, as a sentence."""
    match compensate.when:
        case "resolved":
            return f"undone {say_duration(compensate.hold_for)} after the alert resolves"
        case "onFailure":
            return "undone if the run fails"
        case "never":
            return "never undone"


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
            mendable = runbook.strategy == "sequence" and may_be_mended(event, runbook, first, sight)
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
                message_only=event.message_only,
            )


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


def _as_verdict(reading: Reading) -> Verdict:
    return Verdict(guardrail="require", ok=reading.ok is True, says=reading.says)
