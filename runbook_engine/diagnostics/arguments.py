"""What collectors' arguments are made of: the frozen model they share, and the spans that authors write."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

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
