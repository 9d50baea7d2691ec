"""Revisions: runbooks as they are in a commit, read out of the git repository that holds them.

Nothing is checked out and nothing is fetched: the objects are read as they lie, into a folder that is gone afterwards.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec.structs import replace

from runbook_engine.entrypoints.settings import CONFIG_NAME, InvalidSettings
from runbook_engine.errors import InvalidRunbook
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.diagnostic import Diagnostic
from runbook_engine.registry import Registry

SUFFIXES = (".yaml", ".yml")
FILE_MODES = ("100644", "100755")
LONGEST_NAME = 256
SECONDS = 60
HERE = "."
OF_A_HOOK = frozenset(("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"))  # git finds out by itself
ASK_NOBODY = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


class InvalidRevision(InvalidSettings):
    """What was named is neither a commit nor a folder, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """The runbooks of one place, at any of its revisions. `config`: one installation for all, else each has its own."""

    runbooks: Path
    config: Path | None
    registry: Registry
    environment: Mapping[str, str]

    def load(self, revision: str) -> Bundle:
        """Return the runbooks of a commit, of a folder, or (`.`) of the working tree. Raises InvalidRevision, or
        InvalidRunbook with every error.
        """
        if revision == HERE:
            return self._load(self.runbooks, self.runbooks)
        commit = "" if _is_path(revision) else self._commit(revision)
        if commit:
            return self._load_commit(revision, commit)
        if Path(revision).is_dir():
            return self._load(Path(revision), Path(revision))
        raise InvalidRevision(
            f"{revision!r} is neither a commit of the repository of {self.runbooks} nor a folder (name a commit, a "
            "branch, a tag, a folder, or . for the working tree)"
        )

    def _load(self, place: Path, folder: Path) -> Bundle:
        from runbook_engine.loading.files import load_valid_files  # yaml and pydantic

        own = (folder if folder.is_dir() else folder.parent) / CONFIG_NAME
        return load_valid_files([place], self.registry, self.config or (own if own.is_file() else None)).bundle

    def _load_commit(self, revision: str, commit: str) -> Bundle:
        top = Path(self._git("rev-parse", "--show-toplevel").decode(errors="surrogateescape").strip())
        place = Path(os.path.normpath(self.runbooks.absolute().resolve()))
        if not place.is_relative_to(top.resolve()):
            raise InvalidRevision(f"{self.runbooks} is not in the repository {top} (name its folder with --runbooks)")
        within = PurePosixPath(place.relative_to(top.resolve()).as_posix())
        with tempfile.TemporaryDirectory(prefix="runbook-diff-") as folder:
            written = self._write(commit, within, Path(folder))
            if not written:
                return self._without(revision)
            try:
                return self._load(Path(folder) / within, Path(folder) / within)
            except InvalidRunbook as error:
                raise InvalidRunbook([_renamed(found, folder, revision) for found in error.diagnostics]) from error

    def _without(self, revision: str) -> Bundle:
        """Return no runbook: the folder was not there yet, or is there no more."""
        if self.config is None:
            return Bundle()
        from runbook_engine.loading.files import load_valid_files  # yaml and pydantic

        return load_valid_files([], self.registry, self.config).bundle

    def _write(self, commit: str, within: PurePosixPath, folder: Path) -> int:
        """Write the YAML files of a commit under a folder, and those they may use; return how many are their own."""
        own = list(_files(self._listed(commit, within), within))
        files = [*own, *self._usable(commit, within)] if own else []
        for (path, _), content in zip(files, self._contents(files), strict=True):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return len(own)

    def _usable(self, commit: str, within: PurePosixPath) -> Iterator[tuple[str, str]]:
        """Return the YAML files beside a folder that lie in its installation: parts that its runbooks may use."""
        places = [str(above / CONFIG_NAME) for above in (within, *within.parents)]
        holding = [PurePosixPath(path).parent for path, _, _ in _entries(self._listed(commit, *places))]
        if holding:
            nearest = max(holding, key=lambda above: len(above.parts))
            for path, mode, identity in _entries(self._listed(commit, nearest)):
                if _is_yaml(path, mode) and not path.is_relative_to(within):
                    yield str(path), identity

    def _listed(self, commit: str, *places: PurePosixPath | str) -> bytes:
        """Return what a commit has under some places; the top of the repository has no name there."""
        named = [str(place) for place in places if str(place) != HERE]
        return self._git("ls-tree", "-r", "-z", "--full-tree", commit, *(("--", *named) if named else ()))

    def _contents(self, files: Iterable[tuple[str, str]]) -> Iterator[bytes]:
        """Return the content of each file, all asked for at once."""
        asked = "".join(f"{name}\n" for _, name in files)
        answer, start = self._git("cat-file", "--batch", told=asked.encode()) if asked else b"", 0
        while start < len(answer):
            head, _, _ = answer[start:].partition(b"\n")
            words = head.split()
            if len(words) != 3:
                raise InvalidRevision(f"git does not have what it lists: {head.decode(errors='replace')}")
            begin = start + len(head) + 1
            yield answer[begin : begin + int(words[2])]
            start = begin + int(words[2]) + 1

    def _commit(self, revision: str) -> str:
        """Return the id of the commit that is meant; empty = git knows none."""
        if revision.startswith("-") or len(revision) > LONGEST_NAME or not revision.isprintable() or not revision:
            raise InvalidRevision(
                f"{revision[:LONGEST_NAME]!r} is no name of a commit (name a commit, a branch or a tag)"
            )
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
        except _GitSaysNo as error:
            if error.said and not Path(revision).is_dir():
                raise
            return ""

    def _git(self, *words: str, told: bytes = b"") -> bytes:
        """Return what git answers about the repository that holds the runbooks. Raises InvalidRevision."""
        near = next(
            folder for folder in (self.runbooks.absolute(), *self.runbooks.absolute().parents) if folder.is_dir()
        )
        command = ["git", "-c", "protocol.allow=never", "-c", "core.fsmonitor=false", "--no-pager", *words]
        try:
            done = subprocess.run(
                command,
                cwd=near,
                env={name: text for name, text in self.environment.items() if name not in OF_A_HOOK} | ASK_NOBODY,
                input=told,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except OSError as error:
            raise InvalidRevision(
                "git cannot be started, and commits are read with it (install git, or name folders instead)"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InvalidRevision(f"git {words[0]} took longer than {SECONDS}s") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
            raise _GitSaysNo(words[0], said)
        return done.stdout


class _GitSaysNo(InvalidRevision):
    """Git ended with an error, or with a plain no."""

    def __init__(self, word: str, said: str) -> None:
        self.said = said
        why = said or "it knows of no such thing"
        super().__init__(f"git {word} cannot answer: {why} (name folders instead, or fetch what is missing)")


def _files(listed: bytes, within: PurePosixPath) -> Iterator[tuple[str, str]]:
    """Return path and object of every YAML file in a listing; nothing hidden."""
    for path, mode, identity in _entries(listed):
        hidden = any(part.startswith(".") for part in path.relative_to(within).parts)
        if _is_yaml(path, mode) and not hidden:
            yield str(path), identity


def _entries(listed: bytes) -> Iterator[tuple[PurePosixPath, str, str]]:
    """Return path, mode and object of everything in a listing."""
    for entry in filter(None, listed.split(b"\0")):
        head, _, name = entry.partition(b"\t")
        mode, _, identity = head.decode().split()
        yield PurePosixPath(os.fsdecode(name)), mode, identity


def _is_yaml(path: PurePosixPath, mode: str) -> bool:
    """Whether an entry is a YAML file; no link, no submodule."""
    return mode in FILE_MODES and path.suffix in SUFFIXES


def _is_path(revision: str) -> bool:
    """Whether only a folder can be meant."""
    return revision.startswith((".", "/", "~")) or Path(revision).is_absolute()


def _renamed(found: Diagnostic, folder: str, revision: str) -> Diagnostic:
    """Return a finding in the words of whoever asked: its file as it is called in the commit."""
    file = Path(found.file)
    return replace(found, file=f"{revision}:{file.relative_to(folder)}") if file.is_relative_to(folder) else found
