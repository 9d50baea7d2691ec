"""What was read lately, by the bytes that it was read from: senders repeat themselves word for word.

Bounded by the bytes that are kept, in two generations: when the younger one is full, the older one is forgotten.
What is in it is only ever found again by exactly the same bytes, so forgetting costs time and nothing else.
"""

from __future__ import annotations

from typing import Generic, TypeVar

MEBIBYTE = 1024 * 1024

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """A bounded map from bytes to what they meant. Threads may share one."""

    __slots__ = ("_most", "_old", "_room", "_young")

    def __init__(self, most: int = 16 * MEBIBYTE) -> None:
        self._most = most // 2
        self._room = self._most
        self._young: dict[bytes, Value] = {}
        self._old: dict[bytes, Value] = {}

    def get(self, content: bytes) -> Value | None:
        """Return what these bytes meant, if that is still known."""
        found = self._young.get(content)
        if found is None and (found := self._old.get(content)) is not None:
            self.keep(content, found)
        return found

    def keep(self, content: bytes, value: Value) -> None:
        """Remember what these bytes mean."""
        if len(content) > self._room:
            self._old, self._young, self._room = self._young, {}, self._most
        if len(content) <= self._room:
            self._young[content] = value
            self._room -= len(content)
