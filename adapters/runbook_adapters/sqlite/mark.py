"""The mark beside a journal that was found damaged: from then on nobody goes on with it.

Damage is met by whoever reads just there, and others would not notice. A run whose outcome cannot be stored would be
driven again, and its change be made again; so the first to see it speaks for all processes, until a person has looked.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from runbook_engine.errors import Spoiled


def mark_damaged(path: Path) -> None:
    """Say for every process, and for those to come, that a journal is damaged."""
    with suppress(OSError), _mark(path).open("x") as mark:  # said before, or the disk takes nothing any more
        mark.write(f"found damaged at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by process {os.getpid()}\n")


def refuse_marked(path: Path, name: str) -> None:
    """Raise Spoiled when somebody has found the journal damaged; `name` is its path as text."""
    if os.access(f"{name}.damaged", os.F_OK):
        raise spoiled(
            path,
            f"was found damaged, as {_mark(path).name} beside it says (stop every process that uses it, "
            "keep a copy of its files, restore it from a backup, then remove the mark)",
        )


def log_lost(path: Path) -> Spoiled:
    """Return what it means that the log of a journal was removed while somebody has it open."""
    return spoiled(
        path,
        f"has lost its log, {path.name}-wal, while in use (stop what uses it with SIGTERM, "
        "which moves what it still holds into the journal, then start again)",
    )


def spoiled(path: Path, says: str) -> Spoiled:
    """Return what is wrong with a journal, as a person is told where it is, and as a stranger is."""
    return Spoiled(f"journal {path} {says}", f"journal {path.name} {says}")


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")
