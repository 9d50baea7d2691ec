"""The kill switch in a file of its own, outside the journal: it works while the journal does not.

No file means no pause. A file that cannot be read counts as a pause, so half a write stops everything; so does a disk
without room for one: nothing is changed that nobody could stop.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from runbook_adapters import disk
from runbook_engine.errors import Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.observation import Pause

LEAST_ROOM = 64 * 1024  # bytes: the file, its lock, and what a file system takes to name them


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; a time without an offset is refused."""

    until: datetime
    by: str
    reason: str = ""


class PauseFileReader:
    """Looks at the kill switch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pause(self, now: datetime) -> Pause | None:
        """Return the pause in force, None when there is none or it has expired. Raises Unreadable."""
        remedy = "no change is made until it can be read: runbook resume removes it, runbook pause writes it anew"
        try:
            stored = from_json(self._path.read_bytes(), Stored)
        except FileNotFoundError as error:
            if not self._path.parent.is_dir():
                says = f"the folder of the pause file {self._path} does not exist (runbook resume creates it)"
                raise Unreadable(says) from error
            self._demand_room()
            return None
        except OSError as error:
            raise Unreadable(f"the pause file {self._path} cannot be read: {error.strerror} ({remedy})") from error
        except msgspec.MsgspecError as error:
            raise Unreadable(f"the pause file {self._path} is corrupt: {error} ({remedy})") from error
        if stored.until.tzinfo is None:
            raise Unreadable(f"the pause file {self._path} is corrupt: until has no offset from UTC ({remedy})")
        if stored.until <= now:
            self._demand_room()
            return None
        return Pause(until=stored.until, by=stored.by, reason=stored.reason)

    def _demand_room(self) -> None:
        """Raise Unreadable where no pause could be thrown."""
        if not _has_room(self._path.parent):
            raise Unreadable(
                f"no pause could be written to {self._path}, whose disk is full or read-only "
                "(no change is made until it has room: free space there)"
            )


class PauseFileWriter:
    """Throws and lifts the kill switch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def throw(self, pause: Pause) -> None:
        """Pause every change until then; a pause in force is replaced."""
        stored = Stored(pause.until, pause.by, pause.reason)
        disk.make_folder(self._path)
        with disk.locked(self._path):
            disk.replace(self._path, msgspec.json.encode(stored) + b"\n")

    def lift(self) -> None:
        """End the pause; nothing happens when there is none."""
        disk.make_folder(self._path)
        with disk.locked(self._path):
            disk.remove(self._path)


def _has_room(folder: Path) -> bool:
    """Whether this user may still write there, as far as the file system says; one that counts nothing has room."""
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return False
        free = disk.free_bytes(folder)
    except OSError:
        return False
    return free is None or free >= LEAST_ROOM
