"""Looks: moves that read the world and change nothing in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from runbook_engine.checks import Subject, judge_checks, judge_harm, number, read_harm
from runbook_engine.errors import NoAdapter, Retryable, RunbookError, Unreadable
from runbook_engine.executor.tools import Tools
from runbook_engine.machine.events import (
    BaselineRead,
    Collected,
    Event,
    Observed,
    Planned,
    Prepared,
    PrepareFailed,
    Required,
    Verified,
)
from runbook_engine.machine.moves import Collect, Observe, Prepare, Propose, ReadBaseline, Require, Verify
from runbook_engine.machine.verification import checks_of
from runbook_engine.model.check import Check, Reading
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Evidence
from runbook_engine.model.metric import say_query
from runbook_engine.model.plan import Progress
from runbook_engine.model.runbook import Collector, Runbook
from runbook_engine.planning import filler, foresee, make_plan, prepare_step
from runbook_engine.planning.sight import variables_of

Look = Require | Collect | ReadBaseline | Propose | Prepare | Observe | Verify
LOOK_AGAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw: the event, and evidence to keep with it."""

    event: Event
    evidence: tuple[Evidence, ...] = ()


def look(move: Look, execution: Execution, runbook: Runbook, tools: Tools, now: datetime) -> Seen:
    """Return what one look saw."""
    match move:
        case Require():
            return Seen(Required(readings=_judge(runbook.require, execution, tools), at=tools.now()))
        case Collect():
            return _collect(execution, runbook, tools, now)
        case ReadBaseline():
            return Seen(_read_baseline(execution, runbook, tools))
        case Propose():
            return Seen(Planned(plan=make_plan(execution, runbook, tools.sight, now), at=now))
        case Prepare():
            return Seen(_prepare(execution, runbook, move.step, tools, now))
        case Observe():
            progress = observe(execution, runbook, move.step, tools)
            return Seen(Observed(step=move.step, progress=progress, at=tools.now()))
        case Verify():
            return Seen(_verify(execution, runbook, tools))
        case _:
            assert_never(move)


def _prepare(execution: Execution, runbook: Runbook, index: int, tools: Tools, now: datetime) -> Event:
    """Look at one step, and before the first change of a sequence at all that follow it."""
    event = prepare_step(execution, runbook, index, tools.sight, now)
    if not isinstance(event, Prepared) or event.message_only:
        return event
    obstacle = foresee(execution, runbook, index, tools.sight, now)
    return PrepareFailed(step=index, reason=obstacle, at=now) if obstacle else event


def observe(execution: Execution, runbook: Runbook, index: int, tools: Tools) -> Progress:
    """Take one look at a change that was applied; what cannot be read is looked at again."""
    effect = execution.steps[index].effect
    assert effect is not None, "only an applied change is observed"
    try:
        return tools.spec(runbook, index).observe(effect.change, effect.receipt, tools.sight.world)
    except (Unreadable, NoAdapter, Retryable) as error:
        return Progress.progressing(f"cannot be looked at: {error}", LOOK_AGAIN)
    except RunbookError as error:
        return Progress.failed(str(error))


def _judge(checks: tuple[Check, ...], execution: Execution, tools: Tools) -> tuple[Reading, ...]:
    subject = Subject.of(execution, execution.target, filler(execution, tools.sight))
    return judge_checks(checks, subject, tools.sight.world)


def _collect(execution: Execution, runbook: Runbook, tools: Tools, now: datetime) -> Seen:
    """Capture every diagnostic that can be captured; one that fails blocks nothing."""
    kept: list[Evidence] = []
    failures: list[str] = []
    for index, collector in enumerate(runbook.diagnostics):
        try:
            kept.append(_capture(collector, index, execution, tools, now))
        except (RunbookError, ValueError) as error:
            failures.append(f"{collector.name}: {error}")
    event = Collected(evidence=tuple(piece.id for piece in kept), failures=tuple(failures), at=tools.now())
    return Seen(event, tuple(kept))


def _capture(collector: Collector, index: int, execution: Execution, tools: Tools, now: datetime) -> Evidence:
    spec = tools.sight.registry.collector(collector.name)
    filled = tools.sight.templates.render_values(collector.arguments, variables_of(execution))
    arguments = spec.arguments.model_validate(dict(filled))
    seen = spec.collect(arguments, execution.target, now, tools.sight.world)
    return Evidence(
        id=f"{execution.id}-{index}",
        execution_id=execution.id,
        collector=collector.name,
        title=seen.title,
        at=now,
        text=seen.text,
        points=seen.points,
    )


def _read_baseline(execution: Execution, runbook: Runbook, tools: Tools) -> Event:
    rule = runbook.do_no_harm
    assert rule is not None, "only a runbook with doNoHarm reads a baseline"
    value, problem = read_harm(rule, filler(execution, tools.sight), tools.sight.world)
    signal = say_query(rule.query)
    says = f"{signal} {number(value)}" if value is not None else f"{signal} cannot be read: {problem}"
    return BaselineRead(value=value, says=says, at=tools.now())


def _verify(execution: Execution, runbook: Runbook, tools: Tools) -> Event:
    readings = _judge(checks_of(execution, runbook), execution, tools)
    rule, baseline, harm = runbook.do_no_harm, execution.baseline, None
    if rule is not None and baseline is not None and not execution.ended:
        harm = judge_harm(rule, baseline, filler(execution, tools.sight), tools.sight.world)
    return Verified(readings=readings, harm=harm, at=tools.now())
