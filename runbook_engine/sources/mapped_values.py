"""Values of one alert, found by pointers: texts, times, numbers and labels, each bounded and each as its type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import isfinite
from typing import Any

import msgspec

from runbook_engine.model.mapping import Choice, Pointer, Spread, TimeFormat
from runbook_engine.sources.labels import MAX_NAME_BYTES, MAX_VALUE_BYTES, RefusedAlert, read_labels
from runbook_engine.sources.timestamps import EPOCH
from runbook_engine.sources.values import map_of

MOST_TAGS = 256
LONGEST_TAG = MAX_NAME_BYTES + MAX_VALUE_BYTES
LONGEST_WORD = 256  # characters of what is compared with the words of a mapping
LONGEST_NUMBER = 64  # characters of a number or a time that is written as a text
NO_INSTANT = "no instant"  # what no reader of times takes for one
NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
NAIVE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)")
CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
RFC_1123 = re.compile(rf"(?:[A-Z][a-z]{{2}}, )?([0-9]{{1,2}}) ([A-Z][a-z]{{2}}) ([0-9]{{4}}) ({CLOCK}) (\S{{3,5}})")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MICROSECONDS: Mapping[TimeFormat, float] = {
    "seconds": 1_000_000,
    "milliseconds": 1000,
    "microseconds": 1,
    "nanoseconds": 0.001,
}
TAG_NAMES, TAG_VALUES = ("tag", "key", "name", "Key", "Name"), ("value", "Value")


class Entry(msgspec.Struct, frozen=True):
    """One alert of a body, and the body."""

    alert: Any
    body: Any

    def text(self, choice: Choice, wanted: str) -> str:
        """Return the text that a choice makes; empty when there is none. Raises RefusedAlert."""
        for place in choice.places:
            found = self._find(place)
            if isinstance(found, dict | list):
                kind = "an object" if isinstance(found, dict) else "a list"
                raise RefusedAlert(f"{place} holds {kind}, and a text, a number or a truth is wanted as {wanted}")
            if text := _text(found):
                return _translated(text, choice)
        if choice.required:
            raise RefusedAlert(f"nothing stands at {choice}, and it is needed as {wanted}")
        return choice.otherwise

    def word(self, place: Pointer) -> str:
        """Return a text as words are compared; empty when there is none."""
        return _comparable(_text(self._find(place)))

    def prose(self, choices: Mapping[str, Choice], warnings: list[str], dropped: str) -> dict[str, str]:
        """Return texts that decide nothing, without those that cannot be had."""
        found: dict[str, str] = {}
        for name, choice in choices.items():
            try:
                found[name] = self.text(choice, name)
            except RefusedAlert:
                if choice.required:
                    raise
                if dropped not in warnings:
                    warnings.append(dropped)
        return {name: text for name, text in found.items() if text}

    def time(self, places: Iterable[Pointer], written: TimeFormat) -> object:
        """Return the first instant that is there, as the reader of times takes it; None when there is none."""
        told = next((value for value in map(self._find, places) if value not in (None, "", 0)), None)
        return None if told is None else _instant(told, written)

    def numbers(self, places: Mapping[str, Pointer]) -> dict[str, float]:
        """Return the numbers that are there, also those that are written as texts."""
        found = {name: _number(self._find(place)) for name, place in places.items()}
        return {name: number for name, number in found.items() if number is not None}

    def spread(self, spread: Spread, warnings: list[str]) -> dict[str, str]:
        """Return labels from a map or from a list of tags. Raises RefusedAlert."""
        found = self._find(spread.place)
        if found is None or found == "":
            return {}
        if isinstance(found, list):
            labels = _tags(found, spread.place)
        elif isinstance(found, dict) and len(found) > MOST_TAGS:
            raise RefusedAlert(f"more than {MOST_TAGS} labels at {spread.place}")
        elif isinstance(found, dict):
            labels = {name: text for name, text in read_labels(found, warnings).items() if name}
        else:
            raise RefusedAlert(f"{spread.place} holds neither a map nor a list of tags, and labels are wanted from it")
        return {spread.prefix + name: text for name, text in labels.items()}

    def _find(self, place: Pointer) -> Any:
        return place.find(self.alert, self.body)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


def _comparable(text: str) -> str:
    """Return a text as words are compared. What is too long for a word is not looked at: each alert may point to it."""
    return text.strip().lower() if len(text) <= LONGEST_WORD else text


def _translated(text: str, choice: Choice) -> str:
    """Return what a text stands for. A choice with words that lacks this one falls back on its last word, if any."""
    meant = choice.words.get(_comparable(text))
    if meant is not None:
        return meant
    return choice.otherwise if choice.words and choice.otherwise else text


def _number(value: object) -> float | None:
    if isinstance(value, str) and len(value) <= LONGEST_NUMBER and NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def _instant(told: object, written: TimeFormat) -> object:
    if isinstance(told, str) and len(told) > LONGEST_NUMBER:
        return NO_INSTANT
    number = _number(told)
    if written in MICROSECONDS:
        return NO_INSTANT if number is None else _since_1970(number * MICROSECONDS[written])
    if written == "auto":
        return number if isinstance(told, str) and number is not None else told
    if not isinstance(told, str):
        return NO_INSTANT
    return _in_utc(told) if written == "utc" else _from_rfc_1123(told)


def _since_1970(microseconds: float) -> str:
    try:
        return (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    except OverflowError:
        return NO_INSTANT


def _in_utc(text: str) -> str:
    """Return a time without a zone as one of UTC; one that names its zone means what it says."""
    found = NAIVE.fullmatch(text.strip())
    return f"{found[1]}T{found[2]}+00:00" if found else text.strip()


def _from_rfc_1123(text: str) -> str:
    found = RFC_1123.fullmatch(text.strip())
    if found is None or found[2] not in MONTHS:
        return NO_INSTANT
    zone = "+00:00" if found[5] in ("GMT", "UTC") else found[5]
    return f"{found[3]}-{MONTHS.index(found[2]) + 1:02}-{int(found[1]):02}T{found[4]}{zone}"


def _tags(tags: list[Any], place: Pointer) -> dict[str, str]:
    """Read `key:value`, a bare tag as `true`, or objects with a name and a value; equal names are joined in order."""
    if len(tags) > MOST_TAGS:
        raise RefusedAlert(f"more than {MOST_TAGS} tags at {place}")
    found: dict[str, set[str]] = {}
    for tag in tags:
        name, value = _tag(tag, place)
        if name:
            found.setdefault(name, set()).add(value)
    return {name: ",".join(sorted(values)) for name, values in found.items()}


def _tag(tag: Any, place: Pointer) -> tuple[str, str]:
    if isinstance(tag, str) and len(tag) <= LONGEST_TAG:
        name, colon, value = tag.partition(":")
        return name.strip(), value.strip() if colon else "true"
    told = map_of(tag)
    named = next((told[key] for key in TAG_NAMES if key in told), None)
    valued = next((told[key] for key in TAG_VALUES if key in told), "")
    if not isinstance(named, str) or len(named) > LONGEST_TAG or isinstance(valued, dict | list):
        raise RefusedAlert(f"a tag at {place} is neither a text nor a name with a value")
    return named.strip(), _text(valued) or "true"
