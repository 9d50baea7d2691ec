"""What went wrong with the file, as this library's errors: a sentence with its remedy, never a raw SQLite error."""

from __future__ import annotations

import errno
import sqlite3
from datetime import timedelta
from pathlib import Path

from runbook_adapters import disk
from runbook_adapters.sqlite.mark import log_lost, spoiled
from runbook_engine.errors import Overloaded, RunbookError, Unreadable

DISK_PAUSE = timedelta(minutes=1)  # a full disk is not freed within seconds
# Bytes: a disk that has fewer is full. Before they are counted, whoever failed has given back what it took (a new
# journal: 208 KiB), and file systems refuse earlier than at zero, for what they keep for themselves.
NO_ROOM = 1024 * 1024

REMEDIES = {
    sqlite3.SQLITE_READONLY: "is read-only (let the user of this process write to the file and to its folder)",
    sqlite3.SQLITE_PERM: "may not be used (let the user of this process write to the file and to its folder)",
    sqlite3.SQLITE_AUTH: "may not be used (let the user of this process write to the file and to its folder)",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened (check that the file is there and that this process may write to it)",
    sqlite3.SQLITE_CORRUPT: "is damaged (stop every process that uses it, keep a copy, restore it from a backup)",
    sqlite3.SQLITE_NOTADB: "is not a SQLite file (set another path, or move the file away)",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error (check the disk and its mount)",
}


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether an error says that what the file holds is not what was written."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return isinstance(error, UnicodeDecodeError) or code == sqlite3.SQLITE_CORRUPT


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path, busy_timeout: timedelta) -> RunbookError:
    """Return what an error of SQLite means for the caller: come again later, or a person must look."""
    if isinstance(error, UnicodeDecodeError):  # the sentence for it quotes a damaged byte of the schema
        return spoiled(path, REMEDIES[sqlite3.SQLITE_CORRUPT])
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the rest of the number is detail
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return busy(path, busy_timeout)
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ:  # only of a log, never of the file
        return log_lost(path)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _has_no_room(path.parent):
        return _full(path)  # SQLite says FULL of the file and its log only, not of the log's index or of a new name
    if code == sqlite3.SQLITE_CORRUPT:
        return spoiled(path, REMEDIES[code])
    return Unreadable(f"journal {path} {REMEDIES.get(code, f'failed: {error}')}")


def busy(path: Path, busy_timeout: timedelta) -> Overloaded:
    """Return what it means that others wrote for so long."""
    waited = f"{busy_timeout.total_seconds():g} s"
    return Overloaded(f"journal {path} was busy for {waited}: others keep writing (raise busyTimeout)")


def explain_folder(error: OSError, path: Path) -> RunbookError:
    """Return what it means that a new journal could not be made."""
    if error.errno == errno.ENOSPC:
        return _full(path)
    return Unreadable(f"journal {path} cannot be made: {error.strerror} (check the folder and who may write to it)")


def _full(path: Path) -> Overloaded:
    return Overloaded(f"journal {path} cannot grow: the disk is full (free space in {path.parent})", DISK_PAUSE)


def _has_no_room(folder: Path) -> bool:
    """Whether the disk of a folder is known to have no room."""
    try:
        free = disk.free_bytes(folder)
    except OSError:
        return False
    return free is not None and free < NO_ROOM
