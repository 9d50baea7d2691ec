"""The types of an author's fields: durations, percentages, names, checked by one sentence each."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, Strict
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from runbook_engine.model.quantity import (
    DURATION_PATTERN,
    PERCENT_PATTERN,
    SIZE_PATTERN,
    InvalidQuantity,
    parse_duration,
    parse_percent,
    parse_size,
)

NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_NAME = re.compile(NAME_PATTERN)
_UNITLESS = re.compile(r"[0-9]+")
MAY_BE_ABSENT: Final = "null says that nothing is there"  # marks a field; of any other, a null is a lost value


def refuse(code: str, message: str, hint: str = "", field: str = "") -> PydanticCustomError:
    """Return an error whose sentence is ours; `field` moves the caret to a field of the model."""
    # Pydantic fills in {names}: our sentences may hold braces, so the text itself travels as a value.
    return PydanticCustomError(code, "{sentence}", {"sentence": message, "hint": hint, "field": field})


def _quantity(parse: Callable[[object], Any], unit: str) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if isinstance(value, timedelta):
            return value
        try:
            return parse(value)
        except InvalidQuantity as error:
            number = isinstance(value, int) and not isinstance(value, bool)
            bare = number or (isinstance(value, str) and _UNITLESS.fullmatch(value))
            raise refuse("quantity", str(error), f'did you mean "{value}{unit}"?' if bare else "") from error

    return read


def _signed(value: object) -> timedelta:
    if isinstance(value, str) and value.startswith("-"):
        return -parse_duration(value[1:])
    return parse_duration(value)


def _longer_than_nothing(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise refuse("span", "this must be longer than 0s")
    return value


def _name(value: str) -> str:
    if _NAME.fullmatch(value):
        return value
    fixed = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", value).lower()).strip("-")[:63]
    hint = f'did you mean "{fixed}"?' if fixed else ""
    raise refuse("name", f'a name has lower-case letters, digits and dashes, at most 63: not "{value}"', hint)


def _text(value: str) -> str:
    if not value.strip():
        raise refuse("empty", "this must not be empty")
    return value


def _url(value: str) -> str:
    if not re.match(r"https?://[^\s]+\Z", value):
        raise refuse("url", f'a link begins with http:// or https://, not "{value}"')
    return value


def _pattern(pattern: str) -> Any:
    return Annotated[str, Field(pattern=pattern)]


Duration = Annotated[
    timedelta,
    BeforeValidator(_quantity(parse_duration, "s"), json_schema_input_type=_pattern(DURATION_PATTERN)),
]
Offset = Annotated[
    timedelta,
    BeforeValidator(_quantity(_signed, "s"), json_schema_input_type=_pattern(DURATION_PATTERN.replace("^", "^-?", 1))),
]
Span = Annotated[Duration, AfterValidator(_longer_than_nothing)]
Percent = Annotated[
    float,
    BeforeValidator(_quantity(parse_percent, "%"), json_schema_input_type=_pattern(PERCENT_PATTERN)),
]
Size = Annotated[int, BeforeValidator(_quantity(parse_size, "B"), json_schema_input_type=_pattern(SIZE_PATTERN))]
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
Text = Annotated[str, AfterValidator(_text), Field(json_schema_extra={"minLength": 1})]
Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"pattern": "^https?://[^ ]+$"})]
Count = Annotated[int, Strict(), Field(ge=0)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
