"""Freezes and maintenance windows: when nothing is changed, and when alone something is."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Name, Span, Text, refuse

MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
INSTANT = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?Z$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def _fits(pattern: str, meaning: str, example: str) -> AfterValidator:
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise refuse("calendar", f'"{text}" is no {meaning}', f"write it as in {example}")
        return text

    return AfterValidator(check)


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value) if re.fullmatch(INSTANT, str(value)) else "")
    except ValueError as error:
        raise refuse(
            "instant", f'"{value}" is no instant of these years', "write it in UTC, as in 2026-11-27T10:00:00Z"
        ) from error


Moment = Annotated[
    str,
    _fits(MOMENT, "date with a time of day", "2026-11-27T00:00"),
    Field(json_schema_extra={"pattern": MOMENT}),
]
TimeOfDay = Annotated[
    str, _fits(TIME_OF_DAY, "time of day", '"22:00"'), Field(json_schema_extra={"pattern": TIME_OF_DAY})
]
Day = Annotated[str, _fits(DATE, "date", "2026-01-05"), Field(json_schema_extra={"pattern": DATE})]

Instant = Annotated[
    datetime,
    BeforeValidator(_instant, json_schema_input_type=Annotated[str, Field(json_schema_extra={"pattern": INSTANT})]),
]

_ONCE: JsonDict = {"required": ["from", "to"]}
_AGAIN: JsonDict = {"required": ["every", "at", "for"]}


class CalendarDocument(Document):
    """One freeze or one window: once (from, to), or again and again (every, at, for)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_ONCE, _AGAIN]})

    name: Name
    """Its name, as people hear it."""
    time_zone: Text
    """The zone of its times, as in UTC or Europe/Berlin."""
    says: str = ""
    """Why, in a few words."""
    begins: Moment | None = Field(default=None, alias="from")
    """When it begins, by the clocks of its zone, as in 2026-11-27T00:00."""
    ends: Moment | None = Field(default=None, alias="to")
    """When it ends."""
    every: Text | None = None
    """On which days it begins, as a recurrence rule: FREQ=WEEKLY;BYDAY=MO,TU or FREQ=MONTHLY;BYMONTHDAY=25."""
    at: TimeOfDay | None = None
    """At which time of these days, in quotes, as in "22:00"."""
    lasts: Span | None = Field(default=None, alias="for")
    """How long it lasts each time, in hours that pass; 31d at most."""
    starting: Day | None = None
    """With INTERVAL: a day of a turn that counts."""
    matchers: tuple[str, ...] = ()
    """Only for alerts of which all of these hold; none = for all."""
    exempt: tuple[str, ...] = Field(default=(), alias="except")
    """Not for alerts of which all of these hold; none = for all."""
    targets: tuple[Text, ...] = ()
    """Only for changes of these, as in deployment=batch/*; none = of anything."""
    runbooks: tuple[Text, ...] = ()
    """Only for these runbooks, by name; * stands for anything; none = for all."""

    @model_validator(mode="after")
    def _is_once_or_again(self) -> Self:
        once = {"from": self.begins, "to": self.ends}
        again = {"every": self.every, "at": self.at, "for": self.lasts}
        written = [name for name, value in (once | again).items() if value is not None]
        hint = "write from and to for once, or every, at and for"
        if set(written) & set(once) and set(written) & set(again):
            stray = next(name for name in written if name in again)
            raise refuse("calendar", f'"{stray}" does not go with "from" and "to"', hint, stray)
        missing = [name for name in (again if set(written) & set(again) else once) if name not in written]
        if missing:
            raise refuse("calendar", f'"{missing[0]}" is missing: it says when', hint)
        if self.starting is not None and self.every is None:
            raise refuse("calendar", '"starting" belongs to "every"', "remove it", "starting")
        return self
