"""The worker's heartbeat: a small file that says when the worker last went round, and what it had in hand."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

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
    """Replace the file whole. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(msgspec.json.encode(beat))
    beside.replace(path)


def read_heartbeat(path: Path) -> Heartbeat | None:
    """Return the last beat, None when there is none that can be read."""
    try:
        return from_json(path.read_bytes(), Heartbeat)
    except (OSError, msgspec.MsgspecError):
        return None


def is_fresh(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the worker still goes round. A beat from the future says nothing: the clock was set back since."""
    return beat is not None and -AHEAD <= now - beat.at < FRESH
