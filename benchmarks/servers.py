"""Servers for measurements: started on a free port of this machine, awaited, and ended with the block."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def serving(
    command: Sequence[str], port: int, log: Path, more: Mapping[str, str] | None = None, patience: float = PATIENCE
) -> Iterator[None]:
    """Run a server as a service manager does; what fails while it runs is told with the end of what it wrote."""
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(more or {})})
    try:
        await_port(port, patience)
        yield
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{log.read_text()[-2000:]}") from error
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def await_port(port: int, patience: float = PATIENCE) -> None:
    """Wait until somebody listens."""
    limit = time.monotonic() + patience
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
