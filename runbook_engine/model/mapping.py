"""A mapping: where a sender's own JSON says what an alert must say, as pointers and lists of words.

It holds no expressions, because what reads hostile text must not compute with it: a pointer finds a value or none, and
a word stands for another word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

TimeFormat = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "utc", "rfc1123"]

WHOLE = "body:"  # before a pointer: it is read from the whole body, not from one of its alerts
POINTER_PATTERN = r"^(body:)?(/([^/~]|~0|~1)*)*$"
IGNORE = "ignore"  # what a status may mean besides: this is no alert, and nothing is wanted of it
LINKS = ("runbook", "dashboard", "generator", "silence", "source")
_POINTER = re.compile(POINTER_PATTERN)
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")


class InvalidPointer(ValueError):
    """The text is no JSON Pointer."""


class Pointer(msgspec.Struct, frozen=True):
    """A way through JSON, key by key, as RFC 6901 writes it; `whole` begins at the body."""

    parts: tuple[str, ...] = ()
    whole: bool = False

    def __str__(self) -> str:
        """Return it as it is written."""
        escaped = (part.replace("~", "~0").replace("/", "~1") for part in self.parts)
        return (WHOLE if self.whole else "") + "".join(f"/{part}" for part in escaped)

    def find(self, alert: Any, body: Any) -> Any:
        """Return what is there; None when nothing is."""
        found = body if self.whole else alert
        for part in self.parts:
            if isinstance(found, dict):
                found = found.get(part)
            elif isinstance(found, list) and _INDEX.fullmatch(part) and int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        return found


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Where one text comes from: the first place that has it, in other words where it has some, else a constant."""

    places: tuple[Pointer, ...] = ()
    words: Mapping[str, str] = {}  # in lower case -> what they stand for
    otherwise: str = ""  # when no place has it, or no word stands for what is there
    required: bool = False

    def __str__(self) -> str:
        """Return the places, as a sentence names them."""
        return " or ".join(map(str, self.places))


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A map of the payload, or a list of tags, of which every entry is a label."""

    place: Pointer
    prefix: str = ""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert says at a place, as one of these words; in lower case."""

    place: Pointer
    words: tuple[str, ...]


class AlertMapping(msgspec.Struct, frozen=True, kw_only=True):
    """How one sender's JSON becomes alerts."""

    name: str
    alerts: Pointer  # of a list of alerts, or of the one alert
    alert_name: Choice
    status: Choice
    expect: tuple[Condition, ...] = ()  # what holds of every alert; another body is not of this sender
    ignore: tuple[Condition, ...] = ()  # any of these: it is no alert, and nothing is wanted of it
    kind: Literal["alert", "event"] = "alert"
    identity: tuple[Choice, ...] = ()  # empty = the labels
    cycle: Choice | None = None
    severity: Choice | None = None  # None = the label `severity`
    labels: Mapping[str, Choice] = {}
    spreads: tuple[Spread, ...] = ()
    annotations: Mapping[str, Choice] = {}
    links: Mapping[str, Choice] = {}
    values: Mapping[str, Pointer] = {}
    starts_at: tuple[Pointer, ...] = ()
    ends_at: tuple[Pointer, ...] = ()
    observed_at: tuple[Pointer, ...] = ()
    times: TimeFormat = "auto"


def parse_pointer(text: str) -> Pointer:
    """Return the pointer that a text is. Raises InvalidPointer."""
    if not _POINTER.fullmatch(text):
        raise InvalidPointer(f'"{text}" is no JSON Pointer')
    whole = text.startswith(WHOLE)
    parts = text.removeprefix(WHOLE).split("/")[1:]
    return Pointer(tuple(part.replace("~1", "/").replace("~0", "~") for part in parts), whole)
