"""Walking: the files under some paths, and whatever lies among them that cannot be read as one.

What is passed over in silence is a runbook that nobody misses until its alert fires. So all that is named as YAML, and
every folder, is either read or told of; and nothing is opened that would have to be waited for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Final, NamedTuple

from runbook_engine.loading.diagnostics import Source
from runbook_engine.loading.yaml_tree import Place
from runbook_engine.model.diagnostic import Diagnostic, Severity

SUFFIXES: Final = (".yaml", ".yml")
_SPECIAL: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Walked(NamedTuple):
    """The files, each once, and what was found of the rest."""

    files: tuple[FilePath, ...]
    diagnostics: tuple[Diagnostic, ...]


def walk(paths: Sequence[FilePath], config: FilePath | None) -> Walked:
    """Return the files under the paths: the configuration first, folders in order of names; what is hidden is not."""
    found: list[Diagnostic] = []
    listed = [config] if config is not None else []
    for path in paths:
        listed.extend(sorted(_Folder(path, found).files()) if path.is_dir() else [path])
    unique = {os.path.realpath(path): path for path in reversed(listed)}
    return Walked(tuple(reversed(unique.values())), tuple(found))


def read_file(file: FilePath) -> bytes | Diagnostic:
    """Return what a file holds, or why it cannot be read."""
    try:
        what = _SPECIAL.get(stat.S_IFMT(file.stat().st_mode))
        if what is None:
            return file.read_bytes()
    except OSError as error:
        return _unfollowed(file, error) if file.is_symlink() else _unreadable(file, error, "unreadable-file")
    return _finding(file, "special-file", f"it is {what}, which is not read", "put a file in its place, or remove it")


class _Folder:
    """One folder that somebody named. No link to a folder is followed, so that whatever is reached lies in it."""

    def __init__(self, folder: FilePath, found: list[Diagnostic]) -> None:
        self._folder = folder
        self._root = FilePath(os.path.realpath(folder))
        self._found = found

    def files(self) -> Iterator[FilePath]:
        folders = [self._folder]
        while folders:
            for entry in self._entries(folders.pop()):
                path = FilePath(entry.path)
                if entry.is_symlink():
                    yield from self._linked(path)
                elif entry.is_dir():
                    folders.append(path)
                elif path.suffix in SUFFIXES:
                    yield path

    def _entries(self, folder: FilePath) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            self._found.append(_unreadable(folder, error, "unreadable-folder"))
            return []

    def _linked(self, link: FilePath) -> Iterator[FilePath]:
        """Yield a link to a file of the folder; of one that leads out, not a line of what is there is shown."""
        try:
            is_folder = stat.S_ISDIR(link.stat().st_mode)
        except OSError as error:
            self._found.append(_unfollowed(link, error))
            return
        real = FilePath(os.path.realpath(link))
        if is_folder:
            self._found.append(self._linked_folder(link, real))
        elif link.suffix in SUFFIXES and real.is_relative_to(self._root):
            yield link
        elif link.suffix in SUFFIXES:
            message = "the file is a link that leads out of the folder"
            self._found.append(_finding(link, "leads-out", message, "put the file itself here"))

    def _linked_folder(self, link: FilePath, real: FilePath) -> Diagnostic:
        remedy = "put the folder itself here"
        if not real.is_relative_to(self._root):
            message = "the folder is a link that leads out of the folder of the runbooks"
            return _finding(link, "leads-out", message, remedy)
        is_read = not any(part.startswith(".") for part in real.relative_to(self._root).parts)  # as itself
        message = "the folder is a link, and nothing is read through it"
        return _finding(link, "linked-folder", message, remedy, "warning" if is_read else "error")


def _unfollowed(link: FilePath, error: OSError) -> Diagnostic:
    """Return the finding of a link to nothing: one that is not named as YAML may have stood for a folder."""
    severity: Severity = "error" if link.suffix in SUFFIXES else "warning"
    message = f"the link cannot be followed: {error.strerror or error}"
    return _finding(link, "broken-link", message, "correct where it leads, or remove it", severity)


def _unreadable(path: FilePath, error: OSError, code: str) -> Diagnostic:
    return _finding(path, code, f"cannot be read: {error.strerror or error}")


def _finding(path: FilePath, code: str, message: str, hint: str = "", severity: Severity = "error") -> Diagnostic:
    return Source(str(path), ()).diagnostic(Place(1, 1), code, message, hint, severity=severity)
