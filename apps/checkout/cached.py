"""A value that is read again now and then, and outlives its source: the last good one stays when a read fails."""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Unreadable(Exception):
    """The source of a cached value cannot be read, or holds nonsense; the sentence says which."""


class Cached(Generic[Value]):
    """The last good value of `read`, asked again at most every `ttl` seconds."""

    def __init__(
        self,
        read: Callable[[], Value],
        *,
        initial: Value,
        ttl: float,
        clock: Callable[[], float],
        failed: Callable[[Unreadable, bool], None],
    ) -> None:
        self._read = read
        self._value = initial
        self._ttl = ttl
        self._clock = clock
        self._failed = failed
        self._due = clock()
        self.trouble: str | None = None

    def get(self) -> Value:
        """Return the value, after a new read when it is due; `failed` hears of every failing read."""
        now = self._clock()
        if now >= self._due:
            self._due = now + self._ttl  # first, so that other threads use the old value and do not read as well
            self._refresh()
        return self._value

    def _refresh(self) -> None:
        try:
            self._value = self._read()
            self.trouble = None
        except Unreadable as error:
            is_new = str(error) != self.trouble
            self.trouble = str(error)
            self._failed(error, is_new)
