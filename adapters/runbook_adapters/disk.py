"""Small files that survive a crash and two writers at once.

A reader never needs the lock: a file is replaced whole, so what it opens is one state or the next.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from runbook_engine.errors import ActionFailed, EffectUnknown, Permanent, Retryable

LOCK_TIME_LIMIT = timedelta(seconds=5)
LOCK_LOOKS_EVERY = 0.02  # seconds


@contextmanager
def locked(path: Path, time_limit: timedelta = LOCK_TIME_LIMIT) -> Iterator[None]:
    """Hold the lock of a file, across threads and processes. Raises Retryable when it stays taken.

    The lock is a file of its own beside it, since the file itself is replaced by every write.
    """
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        _take(descriptor, path, time_limit)
        yield
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make the folder that a file will be in. Raises Retryable, Permanent."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error


def replace(path: Path, content: bytes) -> None:
    """Replace a file whole; when this returns the content is on disk. Raises Retryable, Permanent, EffectUnknown.

    Who may read it stays as it was; a new file is its owner's alone.
    """
    try:
        temporary = _write_beside(path, content)
        temporary.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    _sync_folder(path)


def free_bytes(folder: Path) -> int | None:
    """Return how much this user may still write to the disk of a folder; None = it does not count. Raises OSError."""
    found = os.statvfs(folder)
    if not found.f_blocks:
        return None
    return (found.f_bavail if os.geteuid() else found.f_bfree) * found.f_frsize  # some is kept for root


def remove(path: Path) -> None:
    """Remove a file for good; nothing happens when there is none. Raises Retryable, Permanent, EffectUnknown."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    _sync_folder(path)


def _write_beside(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if path.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(path.stat().st_mode))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(path: Path) -> None:
    """Make a rename or removal durable: it is in the folder, not in the file."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise EffectUnknown(f"{path} was written, but may not be on disk yet: {error.strerror}") from error


def _not_written(path: Path, error: OSError) -> ActionFailed:
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError | NotADirectoryError):
        return Permanent(f"{path} cannot be written: {error.strerror} (the engine must own its folder)")
    return Retryable(f"{path} cannot be written: {error.strerror}")


def _take(descriptor: int, path: Path, time_limit: timedelta) -> None:
    deadline = time.monotonic() + time_limit.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise Retryable(
                    f"{path.name} was being written by somebody else for {time_limit.total_seconds():g}s; "
                    "nothing was changed (see who holds it: fuser on its .lock file)",
                    after=time_limit,
                ) from error
            time.sleep(LOCK_LOOKS_EVERY)
        else:
            return
