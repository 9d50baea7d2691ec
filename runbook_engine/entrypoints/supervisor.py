"""The supervisor: keeps child processes running, and leaves none behind.

A child that dies is started again, later each time it dies young; one that lives and hangs is killed first. Each
child leads a session of its own, so a stop reaches it by us alone, in order, and a kill reaches everything that it
started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.pulse import Pulse

FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 30.0
LONG_LIFE = 30.0  # seconds after which a death is no longer held against a child


@dataclass(slots=True)
class Child:
    """One process that is to be running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    log: EventLog = field(default_factory=EventLog)
    pulse: Pulse | None = None  # of a child that has a heartbeat
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = 0.0
    start_again_at: float = 0.0

    def start(self) -> None:
        """Start it."""
        self.started_at = time.monotonic()
        if self.pulse is not None:
            self.pulse.begin(self.started_at)
        self.process = subprocess.Popen(
            list(self.command),
            env=dict(self.environment),
            pass_fds=self.descriptors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.log.event("child.started", child=self.name, child_pid=self.process.pid)

    def tend(self) -> None:
        """Notice that it died or hangs, and start it again when its time has come."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_again_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            self._kill_when_hung(self.process, now)
            return
        self._kill_group()
        self.deaths = 1 if now - self.started_at > LONG_LIFE else self.deaths + 1
        wait = min(FIRST_BACKOFF * 2 ** (self.deaths - 1), LONGEST_BACKOFF)
        self.log.event("child.died", "error", child=self.name, child_pid=self.process.pid, code=code, again_in=wait)
        self.process, self.start_again_at = None, now + wait

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, by: float) -> bool:
        """Wait until then (monotonic), kill what is left. Returns whether it went by itself."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.05, by - time.monotonic()))
            went = True
        except subprocess.TimeoutExpired:
            self.log.event("child.killed", "warning", child=self.name, child_pid=self.process.pid)
            went = False
        self._kill_group()
        self.process.wait()
        return went

    def _kill_when_hung(self, process: subprocess.Popen[bytes], now: float) -> None:
        """Kill it when its pulse is lost: what it had in hand is taken over when its leases expire."""
        if self.pulse is not None and self.pulse.is_lost(now):
            self.log.event("child.hung", "error", child=self.name, child_pid=process.pid, silent_for=self.pulse.limit)
            self._kill_group()
            self.pulse.begin(now)

    def _kill_group(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies may not be signalled
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass(slots=True)
class Errand:
    """One process that runs once, and of which nothing depends."""

    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; a thread waits for its end, so that nothing of it is left."""
        process = subprocess.Popen(
            list(self.command), env=dict(self.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )
        threading.Thread(target=process.wait, name="errand", daemon=True).start()
        self.process = process

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def supervise(children: Sequence[Child], stopping: Callable[[], bool], *, grace: float, look: float = 0.1) -> None:
    """Keep the children running until told to stop, then stop them; returns when none is left."""
    try:
        while not stopping():
            for child in children:
                child.tend()
            time.sleep(look)
    finally:
        stop_all(children, grace)


def stop_all(children: Sequence[Child], grace: float) -> None:
    """Ask every child to stop, and kill those that do not within the grace."""
    for child in children:
        child.ask_to_stop()
    limit = time.monotonic() + grace
    for child in children:
        child.end(limit)
