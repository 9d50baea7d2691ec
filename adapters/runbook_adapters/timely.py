"""Connections whose answers begin in time: a head that drips is cut, however often a byte of it arrives.

The HTTP library's own time limit is one for each byte. Whoever sends a byte now and then holds a worker for ever.
Imported inside `build()`: it brings the HTTP library with it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse


class TimelyConnection(HTTPConnection):
    """A connection whose time limit is one for the whole head of an answer."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in the library itself
        """Return the answer when its head has arrived. Raises TimeoutError."""
        with in_time(self):
            return super().getresponse()


class TimelySecureConnection(HTTPSConnection):
    """The same, encrypted."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in the library itself
        """Return the answer when its head has arrived. Raises TimeoutError."""
        with in_time(self):
            return super().getresponse()


class TimelyPool(HTTPConnectionPool):
    """Keeps timely connections."""

    ConnectionCls = TimelyConnection


class TimelySecurePool(HTTPSConnectionPool):
    """Keeps timely connections, encrypted."""

    ConnectionCls = TimelySecureConnection


POOLS: Mapping[str, Any] = {"http": TimelyPool, "https": TimelySecurePool}


@contextmanager
def in_time(connection: HTTPConnection) -> Iterator[None]:
    """Cut a connection at the end of its time limit. Raises TimeoutError when it was cut."""
    limit, late = connection.timeout, threading.Event()
    if connection.sock is None or not isinstance(limit, int | float):
        yield
        return
    timer = threading.Timer(limit, _cut, args=(connection.sock, late))
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError("timed out") from error
        raise
    finally:
        timer.cancel()
    if late.is_set():  # cut in the middle of a header, what there is of it may look whole
        raise TimeoutError("timed out")


def _cut(connected: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):  # it has ended by itself
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # beneath the encryption, which another thread reads
