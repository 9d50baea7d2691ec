"""The lock of a state folder: one runner at a time holds it, and whoever else comes can see that one does."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from runbook_engine.entrypoints.settings import InvalidSettings

FOLDER = "serve"  # in the state folder: where the processes of one runner meet
LOCK = "lock"
PATIENCE = 0.5  # seconds: who only looks holds it too, for an instant


@contextmanager
def hold_lock(state: Path) -> Iterator[None]:
    """Hold the state folder for one runner. Raises InvalidSettings when another one has it."""
    folder = state / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK).open("a") as file:
        limit = time.monotonic() + PATIENCE
        while not _lock(file, fcntl.LOCK_EX):
            if time.monotonic() > limit:
                raise InvalidSettings(
                    f"another runbook serve uses {state} (stop it, or give this one its own with --state)"
                )
            time.sleep(PATIENCE / 10)
        yield


def is_held(state: Path) -> bool:
    """Whether a runner holds the state folder now; nothing is made by looking."""
    with suppress(OSError), (state / FOLDER / LOCK).open() as file:
        return not _lock(file, fcntl.LOCK_SH)
    return False


def _lock(file: TextIO, kind: int) -> bool:
    """Try to take it until the file is closed. Raises OSError when nobody could."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
