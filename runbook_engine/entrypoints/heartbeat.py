"""The worker's heartbeat: a small file that says when the worker last went round, and what it had in hand."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.model.decoding import from_json

FRESH = timedelta(seconds=15)
AHEAD = timedelta(seconds=5)  # two looks at a clock that is corrected meanwhile; more, and it was set back


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One beat."""

    at: datetime
    pid: int
    owner: str
    driving: int = 0
    backing_off: int = 0
    problem: str = ""  # why the worker cannot see its work


def write_heartbeat(path: Path, beat: Heartbeat) -> None:
    """Replace the file whole. Raises OSError, and leaves no part of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(msgspec.json.encode(beat))
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        says = f"{path} cannot be written: {error.strerror} (until it can be, the worker looks dead)"
        raise type(error)(says) from error


@dataclass(slots=True)
class Beating:
    """Writes the beats of a worker, and says why one cannot be written: once, until it can or the reason changes."""

    file: Path
    log: EventLog
    _said: str = ""

    def beat(self, beat: Heartbeat) -> None:
        """Write one; a worker goes on without."""
        says = ""
        try:
            write_heartbeat(self.file, beat)
        except OSError as error:
            says = str(error)
            if says != self._said:
                self.log.event("worker.cannot_see_its_work", "error", **say_error(error))
        self._said = says


def read_heartbeat(path: Path) -> Heartbeat | None:
    """Return the last beat, None when there is none that can be read."""
    try:
        return from_json(path.read_bytes(), Heartbeat)
    except (OSError, msgspec.MsgspecError):
        return None


def is_fresh(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the worker still goes round. A beat from the future says nothing: the clock was set back since."""
    return beat is not None and -AHEAD <= now - beat.at < FRESH
