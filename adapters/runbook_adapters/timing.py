"""Timing: connections whose time limit is one for the whole of an answer, however its bytes arrive.

The HTTP library's own limit is one for each read: whoever sends a byte now and then holds a worker for ever. So each
read gets the time that is left. (A timer that cuts the connection would be a thread for each request, and costs as much
as the rest of a call.) Connecting, a handshake and sending need nothing of the kind: the interpreter takes a socket's
limit as one for all of each. Imported inside `build()`: it brings the HTTP library with it.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Arriving(io.RawIOBase):
    """What arrives over a connection, within the limit that its socket has now. Reading raises TimeoutError."""

    def __init__(self, arriving: io.RawIOBase, connected: socket.socket) -> None:
        self._arriving = arriving
        self._connected = connected
        self._limit = connected.gettimeout()
        self._ends = time.monotonic() + self._limit if self._limit is not None else None

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or wait for it as long as there is time."""
        if self._ends is None:
            return self._arriving.readinto(buffer)
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connected.settimeout(left)
        try:
            return self._arriving.readinto(buffer)
        finally:
            self._connected.settimeout(self._limit)  # whoever sends over it next has the whole time

    def close(self) -> None:
        """Let go of the connection."""
        self._arriving.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, connected: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(connected, *arguments, **named)
        self.fp = io.BufferedReader(_Arriving(self.fp.detach(), connected))


class TimedConnection(HTTPConnection):
    """A connection with one time limit for a whole answer."""

    response_class = _Answer


class TimedSecureConnection(HTTPSConnection):
    """The same, encrypted."""

    response_class = _Answer


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = TimedConnection


class _TimedSecurePool(HTTPSConnectionPool):
    ConnectionCls = TimedSecureConnection


POOLS: Final[Mapping[str, Any]] = {"http": _TimedPool, "https": _TimedSecurePool}
