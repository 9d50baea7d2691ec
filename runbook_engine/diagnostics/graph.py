"""Graph: how a metric went, as points for a chart and a line of text for a pager."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from runbook_engine.diagnostics.arguments import CollectorArguments, MetricArguments, Span
from runbook_engine.diagnostics.redaction import escape_controls, redact
from runbook_engine.diagnostics.sparkline import sparkline
from runbook_engine.model.metric import say_query
from runbook_engine.model.observation import Series
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced, World

POINTS = 60
MOST_SERIES = 10
SHORTEST_STEP = timedelta(seconds=1)


class GraphArguments(CollectorArguments):
    """Which metric, and how far back."""

    query: str = Field("", description="The query, as in a check; its text is never a template.")
    metric: MetricArguments | None = Field(None, description="Instead of a query: a metric, as in a check.")
    title: str = Field("", description="The heading; empty: the query itself.")
    range: Span = Field(timedelta(hours=1), description="How far back, as in 1h.")
    where: Mapping[str, str] = Field({}, description="Labels that the series must carry, or dimensions of the metric.")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if bool(self.query) == (self.metric is not None):
            raise ValueError("a graph shows one thing (write query or metric)")
        return self

    @property
    def asked(self) -> str:
        """What a reader is asked."""
        return self.query if self.metric is None else self.metric.query.text

    @property
    def shortest_step(self) -> timedelta:
        """How far apart points are at least: a metric has one a period."""
        return SHORTEST_STEP if self.metric is None else self.metric.period


def collect(arguments: GraphArguments, target: Target, now: datetime, world: World) -> Evidenced:
    """Return the metric's way until now; the points are those of the series that ended highest."""
    start = now - arguments.range
    step = max(arguments.shortest_step, arguments.range / POINTS)
    reader = world.metric_reader("" if arguments.metric is None else arguments.metric.source)
    found = (_finite(series) for series in reader.history(arguments.asked, arguments.where, start, now, step))
    series = sorted((one for one in found if one.points), key=lambda one: one.points[-1][1], reverse=True)
    title = arguments.title or say_query(arguments.asked)
    if not series:
        return Evidenced(title=title, text=f"no data in the last {duration_text(arguments.range)}")
    lines = [_line(one) for one in series[:MOST_SERIES]]
    if len(series) > MOST_SERIES:
        lines.append(f"and {len(series) - MOST_SERIES} more series")
    return Evidenced(title=title, text="\n".join(lines), points=series[0].points)


def _finite(series: Series) -> Series:
    return Series(labels=series.labels, points=tuple(point for point in series.points if math.isfinite(point[1])))


def _line(series: Series) -> str:
    values = [value for _, value in series.points]
    summary = f"{sparkline(values)}  min {min(values):.4g}, max {max(values):.4g}, last {values[-1]:.4g}"
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(series.labels.items()) if name != "__name__")
    return escape_controls(redact(f"{summary}  {{{labels}}}")) if labels else summary


COLLECTOR = CollectorSpec(
    name="graph", summary="How a metric went until now.", arguments=GraphArguments, collect=collect
)
