"""The crowd before the web process: when threads run short, who is waited for longest is let go.

A thread that reads a request waits for its sender. Whoever begins many and ends none would hold every thread until the
read limit, and nobody else would be answered meanwhile. So while others stand in line, and half of the threads do
nothing but wait, the connections that have been waited for longest are cut, each after a short patience: their senders
see a broken connection, and send again. Who sends a request whole is never cut, and without a line nobody is.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE = 0.2  # seconds: longer than what a network needs to bring the rest of a small request


class Crowd:
    """Who stands in line for a thread, and for whom threads wait."""

    def __init__(self, threads: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = max(1, threads // 2)
        self._now = now
        self._lock = threading.Lock()
        self._in_line = 0
        self._since: dict[socket.socket, float] = {}  # when a thread took it up
        self._silent: set[socket.socket] = set()  # a thread waits for it just now

    @property
    def in_line(self) -> int:
        """How many requests wait for a thread."""
        return self._in_line

    def joins(self) -> None:
        """Note that one more stands in line."""
        with self._lock:
            self._in_line += 1

    @contextmanager
    def served(self, connection: socket.socket) -> Iterator[None]:
        """Note that a thread has taken one from the line, until it is done with it."""
        with self._lock:
            self._in_line -= 1
            self._since[connection] = self._now()
        try:
            yield
        finally:
            with self._lock:
                del self._since[connection]

    @contextmanager
    def awaited(self, connection: socket.socket) -> Iterator[None]:
        """Note that a thread does nothing but wait for what a sender says next."""
        with self._lock:
            self._silent.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._silent.discard(connection)

    def let_go(self) -> int:
        """Cut as many as stand in line, those that have been waited for longest; return how many were."""
        with self._lock:
            if not self._in_line or len(self._silent) < self._most:
                return 0
            limit = self._now() - PATIENCE
            found = [(since, each) for each in self._silent if (since := self._since.get(each, limit + 1)) <= limit]
            longest = [each for _, each in sorted(found, key=lambda one: one[0])[: self._in_line]]
        for connection in longest:
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        return len(longest)
