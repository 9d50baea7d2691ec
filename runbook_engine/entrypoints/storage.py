"""Storage: whether a folder still takes what is written to it, and what a person does where it does not.

A journal that has nothing to write does not notice that its disk is full. So a page is written, and removed again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096  # bytes: what the smallest write of a journal needs
PROBE = ".storage.probe"
NO_LONGER = "so no change is made, and deliveries are kept only while the journal has room"

OF_THE_DISK: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free space there: df -h {folder}"),
    errno.EDQUOT: ("the disk quota is used up", "free space there, or raise the quota of the user who runs this"),
    errno.EROFS: ("the file system is read-only", "see in dmesg why, and mount it for writing again"),
    errno.EIO: ("the disk reports an error", "see in dmesg which, and move the folder to another disk"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A folder that takes nothing. `of_the_disk`: nobody can write there, whoever asks."""

    folder: Path
    why: str
    remedy: str
    of_the_disk: bool

    def __str__(self) -> str:
        return f"{self.why}: nothing can be written in {self.folder}, {NO_LONGER} ({self.remedy})"


def try_folder(folder: Path) -> Refusal | None:
    """Return why a folder takes nothing; None = it does, or it is not there, for nothing is made by looking."""
    file = folder / PROBE
    try:
        file.write_bytes(bytes(PAGE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        with suppress(OSError):
            file.unlink()  # left behind, it would refuse another user
        return _refusal(folder, error)
    file.unlink(missing_ok=True)  # another process may have tried at the same time
    return None


def find_full_disk(folders: Iterable[Path]) -> Refusal | None:
    """Return the first of some folders whose disk takes nothing more; who may write there is another question."""
    for folder in dict.fromkeys(folders):
        found = try_folder(folder)
        if found is not None and found.of_the_disk:
            return found
    return None


def _refusal(folder: Path, error: OSError) -> Refusal:
    known = OF_THE_DISK.get(error.errno or 0)
    if known is None:
        why, remedy = str(error.strerror), "let this user write there, or choose another with --state"
        return Refusal(folder=folder, why=why, remedy=remedy, of_the_disk=False)
    why, remedy = known
    return Refusal(folder=folder, why=why, remedy=remedy.format(folder=folder), of_the_disk=True)
