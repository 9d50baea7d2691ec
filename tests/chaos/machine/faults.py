"""What a machine does to a runner: each fault is on inside its `with`, and gone after it.

What works depends on where the tests run: to mount, and to make a file immutable, needs rights that a plain container
does not have. Where they are missing another way is taken, and the row says which.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

SIZE = 96  # MiB of the small disk
STEP = 256 * 1024
Fault = Callable[[], object]


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Make a folder a small disk of its own. Yields whether that is allowed here."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=0700", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Let nothing more fit on the disk of a folder."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as stream, suppress(OSError):
            size = STEP
            while size:
                try:
                    stream.write(bytes(size))
                except OSError:
                    size //= 8
        yield
    finally:
        filler.unlink()


@contextmanager
def limited(processes: Sequence[int], kind: int, most: int) -> Iterator[None]:
    """Let some processes have only so much of something. One that has ended meanwhile has nothing to be freed of."""
    before = {process: resource.prlimit(process, kind) for process in processes}
    for process, (_, hard) in before.items():
        with suppress(ProcessLookupError):
            resource.prlimit(process, kind, (most, hard))
    try:
        yield
    finally:
        for process, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(process, kind, limits)


@contextmanager
def immutable(files: Sequence[Path]) -> Iterator[None]:
    """Let nobody write some files, not even who has them open."""
    names = [str(file) for file in files]
    subprocess.run(["chattr", "+i", *names], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *names], check=True, capture_output=True)


def can_be_immutable(folder: Path) -> bool:
    """Whether files may be made immutable here."""
    probe = folder / "probe"
    probe.touch()
    try:
        with immutable([probe]):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    finally:
        probe.unlink()


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """Take away the right to write a folder and the files in it; who has them open keeps it, and so does root."""
    names = [folder, *(path for path in folder.iterdir() if path.is_file())]
    before = {path: path.stat().st_mode for path in names}
    for path in names:
        path.chmod(before[path] & 0o555)
    try:
        yield
    finally:
        for path, mode in before.items():
            with suppress(FileNotFoundError):
                path.chmod(mode)


@contextmanager
def locked(journal: Path) -> Iterator[None]:
    """Hold the journal as another program does that writes for long."""
    with closing(sqlite3.connect(journal, isolation_level=None, timeout=20)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def open_files(process: int) -> int:
    """Return how many descriptors a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
