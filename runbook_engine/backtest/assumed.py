"""Assumed changes: what each step would have changed as far as its author's words say, and which guardrails can tell.

A guardrail is judged by its own code. Of one that looks at what was never written down, or at a value that nobody
knows now, the answer is dropped and its name is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from runbook_engine.backtest.past import Watch
from runbook_engine.errors import RunbookError
from runbook_engine.guardrails import GUARDRAILS, claims_of
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Claim, Verdict
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import Target
from runbook_engine.planning import Sight, case_of
from runbook_engine.planning.preparing import parse_params
from runbook_engine.planning.sight import variables_of
from runbook_engine.ports import ActionSpec
from runbook_engine.resolution import resolve_target

OF_VALUES = frozenset(("stepCap", "blastRadius"))  # they judge how much is changed, and that is not known
OF_THE_TARGET = frozenset(("targets", "bounds", "gitops", "lock", "cooldown", "budget", "blastRadius"))
NO_LIMIT = "no limit set"


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """The change that a step is assumed to make. `bare`: its target is known, and nothing else of it."""

    step: Step
    change: Change
    bare: bool
    unplaced: bool  # what it acts on is not known, nor what that had been through


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the guardrails that can be judged now say of one change, and the others."""

    refused: tuple[Verdict, ...] = ()
    unknown: tuple[str, ...] = ()


def changing_steps(runbook: Runbook, sight: Sight) -> tuple[Step, ...]:
    """Return the steps that change something, and do not only tell somebody. Raises UnknownAction."""
    return tuple(step for step in runbook.steps if not sight.registry.action(step.action).message_only)


def assume(step: Step, execution: Execution, sight: Sight) -> Assumed:
    """Return the change that a step is assumed to make. Raises RunbookError when it could not have been prepared."""
    spec = sight.registry.action(step.action)
    template = step.target
    target, unplaced = execution.target, not execution.placed
    if template is not None:
        told = (execution.inputs, execution.alert, sight.configuration, sight.templates)
        target = resolve_target(template, *told)
        unplaced = template.provisional(target)
    params = parse_params(spec, sight.templates.render_values(step.arguments, variables_of(execution)))
    change = _prepared(spec, params, target, sight)
    known = change is not None
    unplaced = unplaced or (not known and target.kind == "none")
    return Assumed(
        step=step,
        change=change or Change(target=target, field="", before=None, after=None),
        bare=not known,
        unplaced=unplaced and (change is None or change.target == target),
    )


def judge_assumed(assumed: Assumed, execution: Execution, runbook: Runbook, sight: Sight, watch: Watch) -> Judged:
    """Return what every guardrail says of an assumed change at this instant of the past."""
    now = sight.world.clock.now()
    refused: list[Verdict] = []
    unknown: list[str] = []
    for guardrail in GUARDRAILS:
        watch.looked = False
        verdict = guardrail(case_of(assumed.change, execution, runbook, sight, now))
        if assumed.unplaced and verdict.guardrail in OF_THE_TARGET:
            continue  # that the target is not known says it all
        if watch.looked or _is_of_value(verdict, assumed):
            unknown.append(verdict.guardrail)
        elif not verdict.ok:
            refused.append(verdict)
    return Judged(refused=tuple(refused), unknown=tuple(unknown))


def claims_for(
    changes: Sequence[tuple[Assumed, Judged]], execution: Execution, runbook: Runbook, sight: Sight, now: datetime
) -> tuple[Claim, ...]:
    """Return what acting would have taken: locks and cooldowns, and the budget where its key is known."""
    found: list[Claim] = []
    for assumed, judged in changes:
        if assumed.unplaced:
            continue
        counted = runbook
        if "budget" in judged.unknown:
            counted = replace(runbook, guardrails=replace(runbook.guardrails, budget=None))
        found += claims_of(case_of(assumed.change, execution, counted, sight, now))
    return tuple(dict.fromkeys(found))


def _prepared(spec: ActionSpec, params: object, target: Target, sight: Sight) -> Change | None:
    """Return the change where the author's words alone say what it is of."""
    try:
        return spec.prepare(params, target, sight.world)
    except RunbookError:
        return None


def _is_of_value(verdict: Verdict, assumed: Assumed) -> bool:
    """Whether an answer is about a value that nobody knows."""
    return assumed.bare and verdict.guardrail in OF_VALUES and verdict.says != NO_LIMIT
