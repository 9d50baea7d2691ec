"""Children: the demo's processes, started together, stopped together, none left behind, even when we are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runbook_engine.entrypoints.demo import leash
from runbook_engine.errors import RunbookError

STOP_LIMIT = 15.0  # seconds


class DemoFailed(RunbookError):
    """The demo could not be set up, or its incident was not remediated."""


class Children:
    """Processes by name; each in its own group, so that what they started ends with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start one; what it prints goes to its own log file."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-I", leash.__file__, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def start_python(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a module of this very interpreter."""
        self.start(name, [sys.executable, "-P", "-m", *arguments], environment)

    def wait_until(self, what: str, holds: Callable[[], bool], limit: float, needs: str = "") -> None:
        """Wait for something to hold. Raises DemoFailed in time, or as soon as the process it needs has ended."""
        end = time.monotonic() + limit
        while not holds():
            process = self._processes.get(needs)
            if process is not None and process.poll() is not None:
                raise DemoFailed(f"{needs} ended early, its last words: {self.last_words(needs)}")
            if time.monotonic() > end:
                said = f"; {needs} says: {self.last_words(needs)}" if needs else ""
                raise DemoFailed(f"{what} did not happen within {limit:.0f} s{said}")
            time.sleep(0.1)

    def last_words(self, name: str) -> str:
        """Return the last line that a process printed."""
        lines = (self._folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "nothing"

    def stop(self) -> None:
        """Stop every process: asked first, killed after a while."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes.values():
                if process.poll() is None:
                    _signal_group(process, number)
            end = time.monotonic() + STOP_LIMIT
            for process in self._processes.values():
                try:
                    process.wait(max(0.1, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
        for process in self._processes.values():
            _signal_group(process, signal.SIGKILL)  # whatever it started and did not stop


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
