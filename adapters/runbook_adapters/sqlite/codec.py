"""How values become columns: times as integers that order, bodies as msgpack that loses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from runbook_engine.model.decoding import from_msgpack

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Body = TypeVar("Body")


def to_micros(moment: datetime) -> int:
    """Return a time as microseconds since 1970 UTC; exact."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the time that `to_micros` was given, in UTC."""
    return EPOCH + micros * MICROSECOND


def optional_micros(moment: datetime | None) -> int | None:
    """Return a time as microseconds, and no time as no value."""
    return None if moment is None else to_micros(moment)


def pack(value: object) -> bytes:
    """Return a value of the model as bytes. JSON would turn an infinite number into nothing."""
    return msgspec.msgpack.encode(value)


def unpack_all(rows: Iterable[tuple[bytes]], kind: type[Body]) -> tuple[Body, ...]:
    """Return what `pack` was given, of rows that hold a body only. Raises msgspec.MsgspecError."""
    return tuple(from_msgpack(body, kind) for (body,) in rows)


def json_list(values: Iterable[str]) -> str:
    """Return texts as one parameter for `json_each`, however many there are."""
    return msgspec.json.encode(list(values)).decode()
