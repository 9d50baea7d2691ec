"""What an action's parameters are made of: the frozen model they share, and the amounts that authors write.

The same model serves the schema, the linter and the run, so a word means one thing in all three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

from runbook_engine.model.quantity import DURATION_PATTERN, duration_text, parse_duration

PERCENT = re.compile(r"([+-]?)([0-9]{1,4}(?:\.[0-9]{1,4})?)\s?%")
COUNT = re.compile(r"[+-]?[0-9]{1,6}")
REMEDY = 'write a share as in 50% or "-25%", or a number as in 2, "+2" or -1'


class ActionParams(BaseModel):
    """The parameters of one action: frozen, camelCase in YAML, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of what is there now, as in 50%. Negative means less."""

    percent: Decimal

    def of(self, before: int) -> int:
        """Return the difference: what is added is rounded up, what is taken away is rounded down."""
        # Towards more replicas both ways: -0.5 of a replica takes nothing away.
        return int((before * self.percent / 100).to_integral_value(ROUND_CEILING))

    def covers(self, part: int, whole: int) -> bool:
        """Whether a part is at least this share of the whole."""
        return part * 100 >= whole * self.percent

    def __str__(self) -> str:
        """Return the share as authors write it."""
        return f"{self.percent:f}%"


@dataclass(frozen=True, slots=True)
class Count:
    """A difference in whole things, as in +2. Negative means less."""

    number: int

    def of(self, before: int) -> int:
        """Return the difference; what is there now does not matter."""
        return self.number

    def __str__(self) -> str:
        """Return the number with its sign."""
        return f"{self.number:+d}"


def parse_amount(value: object) -> Percent | Count:
    """Return the amount that an author wrote. Raises ValueError with the remedy."""
    if isinstance(value, Percent | Count):
        amount: Percent | Count = value
    elif isinstance(value, int) and not isinstance(value, bool):
        amount = Count(value)
    elif isinstance(value, str) and (match := PERCENT.fullmatch(value.strip())):
        amount = Percent(Decimal(match[1] + match[2]))
    elif isinstance(value, str) and COUNT.fullmatch(value.strip()):
        amount = Count(int(value))
    else:
        raise ValueError(f"{value!r} is not an amount ({REMEDY})")
    if amount in (Percent(Decimal(0)), Count(0)):
        raise ValueError(f"{value!r} changes nothing ({REMEDY})")
    return amount


Amount = Annotated[
    Percent | Count,
    PlainValidator(parse_amount),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?\s?%$"},
                {"type": "string", "pattern": r"^[+-]?[0-9]+$"},
                {"type": "integer"},
            ]
        }
    ),
]


def parse_seconds(value: object) -> timedelta:
    """Return a time in whole seconds, at least one. Raises ValueError with the remedy."""
    period = value if isinstance(value, timedelta) else parse_duration(value)
    if period < timedelta(seconds=1) or period % timedelta(seconds=1):
        raise ValueError(f"{duration_text(period)} is not a time in whole seconds, 1s or more")
    return period


Seconds = Annotated[
    timedelta,
    PlainValidator(parse_seconds),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]


def parse_share(value: object) -> Percent:
    """Return the share of a whole that an author wrote. Raises ValueError with the remedy."""
    if isinstance(value, Percent):
        return value
    match = PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[1] or Decimal(match[2]) > 100:
        raise ValueError(f"{value!r} is not a share (write one from 0% to 100%, as in 70%)")
    return Percent(Decimal(match[2]))


Share = Annotated[
    Percent,
    PlainValidator(parse_share),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s?%$"}),
]
