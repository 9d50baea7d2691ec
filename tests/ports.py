"""Ports for servers that are started later: none that this machine gives to anybody else in between."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import count

FIRST, EACH, MOST = 10_000, 300, 16  # below those that are given to connections, and to who asks for any port
_TURNS = count(os.getpid())


def free_port() -> int:
    """Return a port of the loopback that nobody has, that no other process of the tests picks, and nobody is given.

    One that the system gives to any asker (port 0) is anybody's again as soon as it is let go.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST
    for _ in range(EACH):
        port = FIRST + worker * EACH + next(_TURNS) % EACH
        with suppress(OSError), socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all of the {EACH} ports from {FIRST + worker * EACH} are in use")


def free_ports(number: int) -> list[int]:
    """Return so many of them."""
    return [free_port() for _ in range(number)]
