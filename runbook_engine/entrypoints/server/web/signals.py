"""Signals: how what a run is verified by went around an incident, with what was changed meanwhile, as charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.server.web.figures import Figure, Moment, Points, draw
from runbook_engine.errors import RunbookError
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, IncidentReport
from runbook_engine.model.metric import say_query
from runbook_engine.planning import filler
from runbook_engine.render.wording import movement, subject_of

BEFORE, AFTER, MARGIN = timedelta(minutes=10), timedelta(minutes=10), timedelta(minutes=2)
LONGEST = timedelta(days=2)  # an incident that lasts longer is shown by its beginning
POINTS = 120
SHORTEST_STEP = timedelta(seconds=5)
MOST_FIGURES = 4  # are asked for: a storm has hundreds
LETTERS = "abcdefghij"
DONE = {"do": "", "undo": "undone: ", "redo": "made again: "}


def draw_signals(engine: Engine, report: IncidentReport, now: datetime) -> tuple[Figure, ...]:
    """Return a chart for each signal that a run of an incident is verified by, as far as it can be read now."""
    begun = min(report.started_at or report.incident.opened_at, report.incident.opened_at)
    start = min([begun - BEFORE, *(each.event.at - MARGIN for each in report.changes)])
    over = max([report.incident.last_firing_at, *_ends(report)])
    end = min(now, over + AFTER if report.status == "resolved" else now, start + LONGEST)
    moments = list_moments(report)
    distinct = {(check.query, str(run.target)): (run, check) for run, check in _checks(report.executions)}
    figures = (
        draw(f"signal-{at}", check, _read(engine, run, check, start, end) or _recorded(run, check), moments)
        for at, (run, check) in enumerate(list(distinct.values())[:MOST_FIGURES], start=1)
    )
    return tuple(figure for figure in figures if figure is not None)


def list_moments(report: IncidentReport) -> tuple[Moment, ...]:
    """Return what happened that may move a signal, each with a sign of its own, in its order."""
    ours = sorted(
        (
            (effect.begun_at, f"{DONE[effect.direction]}{subject_of(step.change)} {movement(step.change)}")
            for each in report.executions
            for step in each.execution.steps
            for effect in step.effects
            if step.change is not None and not step.message_only
        ),
    )
    theirs = sorted((each.event.at, f"{each.target}: {each.event.what} by {each.event.who}") for each in report.changes)
    fired = report.started_at or report.incident.opened_at
    moments = [Moment(fired, "!", "alert", f"{report.incident.title} began to fire")]
    moments += [Moment(at, str(index), "ours", says) for index, (at, says) in enumerate(ours, start=1)]
    moments += [Moment(at, sign, "others", says) for sign, (at, says) in zip(LETTERS, theirs, strict=False)]
    return tuple(sorted(moments, key=lambda moment: moment.at))


def _ends(report: IncidentReport) -> Iterator[datetime]:
    for each in report.executions:
        yield each.execution.ended_at or each.execution.opened_at


def _checks(reports: Sequence[ExecutionReport]) -> Iterator[tuple[Execution, QueryCheck]]:
    for report in reports:
        for check in report.runbook.verify:
            if isinstance(check, QueryCheck):
                yield report.execution, check


def _read(engine: Engine, run: Execution, check: QueryCheck, start: datetime, end: datetime) -> Points:
    fill = filler(run, engine.sight)
    step = max(SHORTEST_STEP, (end - start) / POINTS)
    try:
        where = {name: fill(value) for name, value in check.where.items()}
        series = engine.world.metric_reader(check.source).history(check.query, where, start, end, step)
    except RunbookError:
        return ()
    return _worst(check, [each.points for each in series if each.points])


def _worst(check: QueryCheck, several: Sequence[Points]) -> Points:
    """Return the series that is furthest from the goal: a check passes when every one does."""
    if check.comparison == "above":
        return min(several, key=lambda points: min(value for _, value in points), default=())
    return max(several, key=lambda points: max(value for _, value in points), default=())


def _recorded(run: Execution, check: QueryCheck) -> Points:
    """Return what verification itself read, where the signal's own past can no longer be read."""
    made = [step for step in run.steps if step.effects]
    points: list[tuple[datetime, float]] = []
    for step, later in zip(made, [*made[1:], None], strict=True):
        judged_at = run.ended_at if later is None else later.effects[0].begun_at
        for at, readings in ((step.effects[0].begun_at, step.before), (judged_at, step.after)):
            values = [each.value for each in readings if each.says.startswith(f"{say_query(check.query)} ")]
            if at is not None and values and isinstance(values[0], int | float):
                points.append((at, float(values[0])))
    return points
