"""Servers for measurements: started on a free port of this machine, awaited, and ended with the block."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PATIENCE = 20.0  # seconds


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[int]:
    """Run a server until the block ends; yields its process id."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            await_port(port)
            yield server.pid
        finally:
            server.terminate()


def await_port(port: int) -> None:
    """Wait until somebody listens."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
