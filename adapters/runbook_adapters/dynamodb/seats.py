"""Seats and first uses in the table: whose turn it is, and what may be used once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from runbook_adapters.dynamodb import keys
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.schema import TTL
from runbook_adapters.dynamodb.table import Table
from runbook_adapters.dynamodb.work import Work, settle
from runbook_engine.errors import Overloaded, Unreadable

DRIVER, WAKES = "driver", "wakes"
Answer = TypeVar("Answer")

KEPT = timedelta(days=30)  # of a driver that never got up; another one may always take the seat


class DynamoSeats:
    """The seats of drivers, and what may be used once, on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, execution_id: str, driver: str, now: datetime) -> None:
        """Sit down, whoever sat there; the token of who sat there is forgotten. Raises Unreadable."""

        def sit_down(work: Work) -> None:
            work.point(_seat(execution_id), {DRIVER: driver, TTL: _seconds(now + KEPT)})

        self._settled(sit_down)

    def holds(self, execution_id: str, driver: str) -> bool:
        """Whether this driver is the one that sits there. Raises Unreadable."""
        return self._column(execution_id, DRIVER) == driver

    def leave(self, execution_id: str, driver: str) -> None:
        """Get up, unless somebody else sits there by now. Raises Unreadable."""

        def get_up(work: Work) -> None:
            seat = work.get(_seat(execution_id))
            if seat is not None and seat[DRIVER] == driver:
                work.delete(_seat(execution_id))

        self._settled(get_up)

    def keep_token(self, execution_id: str, driver: str, token: str, until: datetime) -> bool:
        """Keep what wakes this driver, and say whether it sits there still. Raises Unreadable."""

        def keep(work: Work) -> bool:
            seat = work.get(_seat(execution_id))
            if seat is None or seat[DRIVER] != driver:
                return False
            work.put(_seat(execution_id), {DRIVER: driver, WAKES: token, TTL: _seconds(until + KEPT)})
            return True

        return self._settled(keep)

    def token(self, execution_id: str) -> str | None:
        """Return what wakes the driver that sits there, None when it needs no waking. Raises Unreadable."""
        return self._column(execution_id, WAKES)

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether nobody has used this key yet; it is remembered until then. Raises Unreadable, which means no."""
        place = keys.one("USED", key)

        def use(work: Work) -> bool:
            used = work.get(place)
            if used is not None and str(used["until"]) > keys.moment(now):
                return False
            work.put(place, {"until": keys.moment(until), TTL: _seconds(until) + 1})
            return True

        return self._settled(use)

    def forget(self, key: str) -> None:
        """Let the key be used once more: what it was used for has not been kept. Raises Unreadable."""
        self._settled(lambda work: work.point(keys.one("USED", key), None))

    def _column(self, execution_id: str, name: str) -> str | None:
        place = _seat(execution_id)
        with _unreadable():
            value = self._table.read([place]).get(place, {}).get(name)
        return None if value is None else str(value)

    def _settled(self, change: Callable[[Work], Answer]) -> Answer:
        with _unreadable():
            return settle(self._table, change)


@contextmanager
def _unreadable() -> Iterator[None]:
    """Say that a seat cannot be told, whatever the reason; who is told that sits nowhere."""
    try:
        yield
    except Overloaded as error:
        raise Unreadable(str(error)) from error


def _seat(execution_id: str) -> Key:
    return keys.one("SEAT", execution_id)


def _seconds(at: datetime) -> int:
    """Return a time as TTL wants it."""
    return int(at.timestamp())
