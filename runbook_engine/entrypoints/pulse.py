"""The pulse: whether a child that lives still goes round, felt at its heartbeat file.

What counts is that the file changes, not what time it says: a clock that jumps frightens nobody. And only time in
which the supervisor itself went round counts: both may have slept, and the child may wake up later.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runbook_engine.entrypoints.storage import try_folder

LONGEST_LOOK = 1.0  # seconds: between two looks that lie farther apart, the supervisor was asleep too


@dataclass(slots=True)
class Pulse:
    """The heartbeat of one child. Times are seconds of a monotonic clock."""

    file: Path
    limit: float  # seconds of silence after which it is hung
    _felt: tuple[int, int] | None = None
    _silent: float = 0.0
    _looked_at: float = 0.0

    def begin(self, now: float) -> None:
        """Begin anew: the child was just started."""
        self._felt, self._silent, self._looked_at = self._feel(), 0.0, now

    def is_lost(self, now: float) -> bool:
        """Whether it was silent for too long. A beat that cannot be written, as on a full disk, is not missed."""
        felt = self._feel()
        self._silent = 0.0 if felt != self._felt else self._silent + min(now - self._looked_at, LONGEST_LOOK)
        self._felt, self._looked_at = felt, now
        return self._silent > self.limit and self._can_be_written()

    def _feel(self) -> tuple[int, int] | None:
        try:
            found = self.file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _can_be_written(self) -> bool:
        folder = self.file.parent
        return folder.is_dir() and try_folder(folder) is None
