"""Room on the disk for the files that this process counts in, taken before they are mapped into its memory.

The client library makes them with holes. Whoever counts into a hole while the disk is full is killed by a signal
(SIGBUS, mmap(2)), and the process after it as well, so that nobody is answered any more.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import values

ROOM = {"counter": 64 * 1024, "histogram": 256 * 1024}  # bytes: some 300 and 1,200 numbers; beyond, a file has holes


def take_room(folder: Path) -> str:
    """Make this process's files as large as they are likely to get. Returns why it counts for itself instead.

    Its numbers are then in no sum: that is better than an end in the middle of an alert.
    """
    try:
        for kind, size in ROOM.items():
            _fill(folder / f"{kind}_{os.getpid()}.db", size)
    except OSError as error:
        values.ValueClass = values.MutexValue  # for what is counted from now on
        return f"{folder} cannot be written: {error.strerror} (start the runner again when it can)"
    return ""


def _fill(path: Path, size: int) -> None:
    """Make a file of zeros, which says that nothing was counted yet. Raises OSError, and leaves no part of it."""
    try:
        path.write_bytes(bytes(size))
    except OSError:
        path.unlink(missing_ok=True)
        raise
