"""A running gunicorn master: who it is, what it has taken in, which workers live, and how it is told to reload."""

from __future__ import annotations

import fcntl
import http.client
import os
import signal
import time
from pathlib import Path

import msgspec

from runbook_adapters.process.deployment import Server
from runbook_engine.errors import EffectUnknown, Permanent, Unreadable

TAKES_IN_WITHIN = 3.0  # seconds that a reload may take to be noticed; 0.02 to 0.1 were measured
READY_TIME_LIMIT = 2.0


class Worker(msgspec.Struct, frozen=True):
    """One live worker, and the generation whose configuration it was started with."""

    pid: int
    generation: int


def master_pid(folder: Path) -> int | None:
    """Return the pid of the live master, None when there is none.

    Only the lock on the pid file tells: the number in it may be somebody else's by now.
    """
    try:
        descriptor = os.open(folder / "master.pid", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"{folder / 'master.pid'} cannot be read: {error.strerror}") from error
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(descriptor, 32, 0).decode(errors="replace")
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)


def observed_generation(folder: Path) -> int:
    """Return the generation that the master has taken in, 0 when it has said nothing yet."""
    try:
        text = (folder / "observed").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Unreadable(f"{folder / 'observed'} cannot be read: {error.strerror}") from error
    return int(text) if text.isdigit() else 0


def live_workers(folder: Path) -> tuple[Worker, ...]:
    """Return the workers whose application is loaded and whose process lives."""
    try:
        names = sorted(mark.name for mark in (folder / "workers").iterdir())
    except OSError as error:
        raise Unreadable(f"the workers in {folder / 'workers'} cannot be listed: {error.strerror}") from error
    pairs = [name.split("-") for name in names]
    return tuple(Worker(int(pid), int(generation)) for generation, pid in pairs if _lives(int(pid)))


def reload(folder: Path, pid: int, generation: int) -> None:
    """Send HUP, and wait a moment until the master has read its configuration. Raises EffectUnknown, Permanent."""
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError as error:
        raise EffectUnknown(
            f"{folder} says what is wanted, but its gunicorn master (pid {pid}) has just ended; start it again"
        ) from error
    except PermissionError as error:
        raise Permanent(
            f"{folder} says what is wanted, but its gunicorn master (pid {pid}) runs as another user; "
            "run the engine as that user, or send it HUP yourself"
        ) from error
    deadline = time.monotonic() + TAKES_IN_WITHIN
    while observed_generation(folder) < generation and time.monotonic() < deadline:
        time.sleep(0.02)


def answers(server: Server) -> bool:
    """Whether the service answers its ready path with 200; True when it has none."""
    if not server.ready_path:
        return True
    host, _, port = server.bind.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=READY_TIME_LIMIT)
    try:
        connection.request("GET", server.ready_path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it runs as another user
    return True
