"""The files under some paths, and what cannot be looked at: a rule that nobody has seen must not count as covered."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

SUFFIXES: Final = (".yaml", ".yml")


class Listed(NamedTuple):
    """One file; `named` when a person named it, and not the folder that it lies in; `error` when it is unreadable."""

    path: Path
    named: bool
    error: str = ""


def list_files(paths: Sequence[Path]) -> tuple[Listed, ...]:
    """Return the files under the paths, each once, folders in order of names; what is hidden is left out."""
    listed = [each for path in paths for each in (_under(path) if path.is_dir() else [Listed(path, True)])]
    return tuple({os.path.realpath(each.path): each for each in listed}.values())


def _under(folder: Path) -> list[Listed]:
    errors: list[OSError] = []
    found = sorted(_names(folder, errors))
    refused = [Listed(Path(error.filename), False, said_of(error)) for error in errors]
    return [*(Listed(path, False, _special(path)) for path in found), *refused]


def _names(folder: Path, errors: list[OSError]) -> Iterator[Path]:
    for here, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in names if name.endswith(SUFFIXES) and not name.startswith("."))


def _special(path: Path) -> str:
    """Return why a file must not be opened: it would be waited for, or never end."""
    try:
        return "" if stat.S_ISREG(path.stat().st_mode) else "it is no regular file"
    except OSError as error:
        return said_of(error)


def said_of(error: OSError) -> str:
    """Return the reason as people read it."""
    return error.strerror or str(error)
