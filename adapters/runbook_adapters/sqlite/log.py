"""The log beside the file: whether all that was committed to it can still be read.

SQLite takes the first frame whose sum is wrong for the end of the log: right after a crash, which tears the last
transaction, but what was damaged in the middle takes everything committed after it away without a word. A journal that
fell back in time acts twice. So whoever opens it first looks for whole transactions behind the one that is broken.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path

from runbook_adapters.sqlite.mark import log_lost, spoiled

HEADER, FRAME = 32, 24  # bytes
ALL = 0xFFFFFFFF
LOOKS, PAUSE = 4, 0.02  # seconds: another process may be writing it, or closing it, one file after the other

Sums = tuple[int, int]


def refuse_damaged(path: Path) -> None:
    """Refuse a journal whose log lost what was committed to it. Raises Spoiled."""
    if _is_lost(path):
        raise spoiled(
            path,
            f"has lost its log, {path.name}-wal: what was committed last is gone (put it back; "
            f"or pause, remove {path.name}-shm, and go on without what the log held)",
        )
    log = path.with_name(f"{path.name}-wal")
    if all(_looks_damaged(log, number) for number in range(LOOKS)):
        raise spoiled(
            path,
            f"is damaged: its log, {log.name}, cannot be read to its end "
            "(stop every process that uses it, keep a copy of its files, restore it from a backup)",
        )


def refuse_lost(path: Path) -> None:
    """Refuse a journal that another process has open, and whose log was removed under it. Raises Spoiled."""
    if _is_lost(path):
        raise log_lost(path)


def is_damaged(log: bytes) -> bool:
    """Whether a log holds transactions that were committed, and that SQLite would leave out."""
    if len(log) < HEADER + FRAME:
        return False
    magic, _, page = struct.unpack_from(">III", log)
    order = ">" if magic & 1 else "<"
    sums = _summed(log[:24], (0, 0), order)
    if sums != struct.unpack_from(">II", log, 24):
        return True  # it is one sector, and written before anything else
    return any(_unread_ends(log, page, sums, order)[1:])  # a crash tears one, the last


def _summed(content: bytes, sums: Sums, order: str) -> Sums:
    """Return SQLite's sums after some more content: 30 ms a MiB, and a log that is tidied has four."""
    first, second = sums
    for one, other in struct.iter_unpack(f"{order}II", content):
        first = (first + one + second) & ALL
        second = (second + other + first) & ALL
    return first, second


def _unread_ends(log: bytes, page: int, sums: Sums, order: str) -> list[bool]:
    """Return of every transaction that ends behind the last good frame whether its end is whole.

    What a crash has torn lies over what an earlier one tore, and that has an end, too: it is not whole. A sum goes on
    from the one before it, as it is told there, or as it was before somebody damaged it; no crash takes that one away.
    """
    salt, size = log[16:24], FRAME + page
    before: tuple[Sums, ...] = (sums,)
    ends: list[bool] = []
    is_read = True
    for at in range(HEADER, len(log) - size + 1, size):
        head = log[at : at + FRAME]
        is_ours, commits, told = head[8:16] == salt, head[4:8] != bytes(4), struct.unpack_from(">II", head, 16)
        if is_read:
            sums = _summed(head[:8] + log[at + FRAME : at + size], before[0], order)
            is_read = is_ours and sums == told
            before = (sums,) if is_read else (told, sums) if is_ours else ()
            if not is_read and is_ours and commits:
                ends.append(False)
        elif is_ours:
            if commits:
                content = head[:8] + log[at + FRAME : at + size]
                ends.append(not before or any(_summed(content, each, order) == told for each in before))
            before = (told,)
        else:
            before = ()
    return ends


def _looks_damaged(log: Path, looked: int) -> bool:
    """Whether a log seems to be damaged: one that is written meanwhile may, for a moment."""
    if looked:
        time.sleep(PAUSE)
    try:
        content = log.read_bytes()
        return is_damaged(content) and log.read_bytes()[:HEADER] == content[:HEADER]  # else it was begun anew
    except FileNotFoundError:
        return False


def _is_lost(path: Path) -> bool:
    """Whether the log is gone and its index is there: it comes first, and goes first."""
    log, index = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    for _ in range(LOOKS):
        if log.exists() or not index.exists():
            return False
        time.sleep(PAUSE)
    return True
