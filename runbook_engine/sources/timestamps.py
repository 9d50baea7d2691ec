"""Read a sender's instant: RFC 3339 with any offset, or an epoch number in the unit that its size betrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = "0001-01-01T00:00:00Z"  # Go's zero time: what Alertmanager sends as the end of an alert that fires

_UNITS = ((10**11, 1_000_000), (10**14, 1000), (10**17, 1))  # below this magnitude: so many microseconds each


class BadTimestamp(ValueError):
    """The value names no instant."""


def parse_timestamp(value: object) -> datetime | None:
    """Return the instant in UTC, None for absent and for anything up to 1970; raise BadTimestamp otherwise."""
    if value is None or value == ZERO or value == "":
        return None
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    raise BadTimestamp


def _from_text(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _from_lower_case(text)
    if moment.tzinfo is None:
        raise BadTimestamp
    if moment.year < 1970:  # before any conversion: year 1 in another zone has no UTC form in Python
        return None
    if moment.tzinfo is not UTC:
        moment = _in_utc(moment)
    return moment if moment > EPOCH else None


def _from_lower_case(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise BadTimestamp from error


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise BadTimestamp from error


def _from_number(number: int | float) -> datetime | None:
    if not isfinite(number):
        raise BadTimestamp
    size = abs(number)
    for limit, microseconds in _UNITS:
        if size < limit:
            count = int(number * microseconds)
            break
    else:
        count = int(number) // 1000
    if count <= 0:
        return None
    try:
        return EPOCH + timedelta(microseconds=count)
    except OverflowError as error:
        raise BadTimestamp from error
