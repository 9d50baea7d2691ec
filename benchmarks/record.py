"""The head of a record: when, of which commit, on what machine and with which versions the figures were measured.

It names no host, no user and no folder, so that `make bench > file` can be published as it is.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("msgspec", "pydantic", "google-re2", "jinja2")
UNKNOWN = "unknown"


def head(*, quick: bool) -> str:
    """Return what is known of this run, a line each."""
    lines = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "form": "quick" if quick else "long",
        "machine": ", ".join(_machine()),
        "load before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "versions": ", ".join(_versions()),
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items())


def _commit() -> str:
    """Return the commit, and whether what is measured differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit is None:
        return UNKNOWN
    return f"{commit}, with changes that are not committed" if _git("status", "--porcelain") else commit


def _git(*arguments: str) -> str | None:
    if shutil.which("git") is None:
        return None
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else None


def _machine() -> Iterator[str]:
    yield f"{os.cpu_count()} cores"
    yield _field(Path("/proc/cpuinfo"), "model name") or platform.machine()
    yield f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    yield f"{platform.system()} {platform.machine()}"
    yield f"files on {_file_system(Path(tempfile.gettempdir()))}"


def _field(path: Path, name: str) -> str | None:
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _file_system(folder: Path) -> str:
    """Return the kind of file system that measurements write to: a flush costs what it makes of it."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return UNKNOWN
    kinds = {Path(line.split()[1]): line.split()[2] for line in mounts.read_text().splitlines()}
    place = folder.resolve()
    return next((kinds[each] for each in (place, *place.parents) if each in kinds), UNKNOWN)


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"SQLite {sqlite3.sqlite_version}"
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
