"""A metric query of a service that knows its metrics by namespace, name and dimensions, and no query language.

In a check it travels as text, as every query does: one JSON object, which a reader parses and people read otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from runbook_engine.model.decoding import from_json

STATISTIC = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p[0-9]{1,2}(\.[0-9]{1,2})?")
NAMESPACE = re.compile(r"[A-Za-z0-9._/#:-]{1,255}")
NAME = re.compile(r"[!-~][ -~]{0,254}")
MOST_DIMENSIONS = 30
LONGEST_PERIOD = 3600


class MetricQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric of one set of dimensions, summed up over one period after the other."""

    namespace: str
    metric: str
    stat: str
    period: int = 60  # seconds
    dimensions: Mapping[str, str] = {}

    @property
    def text(self) -> str:
        """The query as a check holds it."""
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def says(self) -> str:
        """The query as people read it: `AWS/Lambda Errors Sum 1m {FunctionName="orders"}`."""
        labels = ", ".join(f'{name}="{value}"' for name, value in sorted(self.dimensions.items()))
        span = f"{self.period // 60}m" if self.period % 60 == 0 else f"{self.period}s"
        return f"{self.namespace} {self.metric} {self.stat} {span}{f' {{{labels}}}' if labels else ''}"

    @property
    def span(self) -> timedelta:
        """The period: how much older than the present its newest value may be, whoever looks."""
        return timedelta(seconds=self.period)

    @property
    def fault(self) -> str:
        """What is wrong with it, with the remedy; empty = nothing."""
        if not NAMESPACE.fullmatch(self.namespace):
            return f"{self.namespace!r} is no namespace of metrics (write one such as AWS/Lambda)"
        if not NAME.fullmatch(self.metric):
            return f"{self.metric!r} is no name of a metric (write one such as Errors)"
        if not STATISTIC.fullmatch(self.stat):
            return f"{self.stat!r} is no statistic (write Sum, Average, Minimum, Maximum, SampleCount, or p99)"
        if not (self.period in (10, 30) or (60 <= self.period <= LONGEST_PERIOD and self.period % 60 == 0)):
            return f"a period is 10s, 30s or whole minutes up to 1h, not {self.period}s"
        if len(self.dimensions) > MOST_DIMENSIONS:
            return f"a metric has at most {MOST_DIMENSIONS} dimensions, not {len(self.dimensions)}"
        for name, value in self.dimensions.items():
            if not NAME.fullmatch(name) or name.startswith(":"):
                return f"{name!r} is no name of a dimension (write one such as FunctionName)"
            if not NAME.fullmatch(value):
                return f"{value!r} is no value of dimension {name} (at most 255 printable ASCII characters)"
        return ""


def parse_metric(text: str) -> MetricQuery | None:
    """Return the metric query that a text is, None when it is another kind of query, or a wrong one."""
    if not text.startswith("{"):
        return None
    try:
        query = from_json(text, MetricQuery)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
    return None if query.fault else query


def say_query(text: str) -> str:
    """Return a query of any kind as people read it."""
    metric = parse_metric(text)
    return text if metric is None else metric.says
