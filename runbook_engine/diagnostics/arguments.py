"""What collectors' arguments are made of: the frozen model they share, and the spans that authors write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.quantity import DURATION_PATTERN, duration_text, parse_duration

LONGEST = timedelta(days=30)


class CollectorArguments(BaseModel):
    """The arguments of one collector: frozen, camelCase in YAML, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


def parse_span(value: object) -> timedelta:
    """Return how far back an author wants to look. Raises ValueError with the remedy."""
    span = value if isinstance(value, timedelta) else parse_duration(value)
    if not timedelta(0) < span <= LONGEST:
        raise ValueError(f"evidence goes back by more than 0s and by 30d at most, not by {duration_text(span)}")
    return span


Span = Annotated[
    timedelta,
    PlainValidator(parse_span),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]


class MetricArguments(CollectorArguments):
    """A metric of a service that knows no query language, as in a check."""

    source: str = Field(min_length=1, description="The adapter that is asked, by its name or its place.")
    namespace: str = Field(description="The namespace, as in AWS/Lambda.")
    name: str = Field(description="The metric's name, as in Errors.")
    statistic: str = Field(description="Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p99.")
    period: Span = Field(timedelta(minutes=1), description="Over which time each value is summed up.")
    dimensions: Mapping[str, str] = Field({}, description="All its dimensions; `where` may add to them.")

    @model_validator(mode="after")
    def _is_a_metric(self) -> Self:
        if self.query.fault:
            raise ValueError(self.query.fault)
        return self

    @property
    def query(self) -> MetricQuery:
        """The metric as a reader is asked for it."""
        return MetricQuery(
            namespace=self.namespace,
            metric=self.name,
            stat=self.statistic,
            period=int(self.period.total_seconds()),
            dimensions=dict(self.dimensions),
        )
