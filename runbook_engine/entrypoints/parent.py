"""The parent: how a child process notices that whoever started it is gone, on Linux and macOS alike."""

from __future__ import annotations

import os
import signal
from types import FrameType

LOOK = 0.5  # seconds


def is_alive(parent: int) -> bool:
    """Whether the process that started this one still is its parent; 0 stands for nobody to look at."""
    return parent == 0 or os.getppid() == parent


def stop_with(parent: int) -> None:
    """Send this process SIGTERM when its parent dies.

    By a timer of the main thread, so that a process which forks later (gunicorn) has no second thread; timers
    are not inherited.
    """

    def look(number: int, frame: FrameType | None) -> None:
        if not is_alive(parent):
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)
