"""The library: parts of runbooks, each read and judged once, from files that lie in the folder of the runbooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

import msgspec

from runbook_engine.loading.diagnostics import Source, did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_source import parse_yaml
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Place, Scalar
from runbook_engine.model.diagnostic import Diagnostic

SUFFIXES = (".yaml", ".yml")
CONFIG = "engine.yaml"
PART = "RunbookPart"


class Part(msgspec.Struct, frozen=True):
    """One part: where it was written, and its tree, every place in which names that file."""

    source: Source
    root: Entries


class NoPart(ValueError):
    """No part can be used by that name; the sentence says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Library:
    """Reads parts on first use. `judge` returns what is found in a document that stands by itself."""

    def __init__(self, folders: Sequence[FilePath], judge: Callable[[Source, Node], Findings]) -> None:
        self._folders = tuple(folders)
        self._judge = judge
        self._read: dict[FilePath, Part | NoPart] = {}
        self.diagnostics: list[Diagnostic] = []

    @property
    def used(self) -> frozenset[FilePath]:
        """The files of all parts that somebody used."""
        return frozenset(self._read)

    def holds(self, file: FilePath, user: FilePath) -> bool:
        """Whether a file lies in the folder that a runbook may read from."""
        return _really(file).is_relative_to(self._root(user))

    def shows(self, file: FilePath, user: FilePath) -> bool:
        """Whether a test may name a file: one of its folder, or YAML of the checkout that somebody works in."""
        in_checkout = self.reaches(file, user) and _really(file).suffix in SUFFIXES
        return in_checkout or self.holds(file, user)

    def reaches(self, file: FilePath, user: FilePath) -> bool:
        """Whether a file, and the test that names it, lie in the checkout that somebody works in."""
        work = _checkout(FilePath.cwd())
        return _really(file).is_relative_to(work) and _really(user).is_relative_to(work)

    def part(self, named: str, by: str) -> Part:
        """Return the part that the runbook in the file `by` names. Raises NoPart."""
        user = FilePath(by)
        file = self._inside(named, user)
        if file.resolve() not in self._read:
            self._read[file.resolve()] = self._load(file, named)
        found = self._read[file.resolve()]
        if isinstance(found, NoPart):
            raise found
        return found

    def _inside(self, named: str, user: FilePath) -> FilePath:
        """Return the file that is named, which must lie in the folder of the runbooks. Raises NoPart."""
        if not named or named.startswith(("/", "~")) or "\\" in named or "\0" in named:
            raise NoPart(f'"{named}" is no path from this file', "write it as in lib/shed-then-scale.yaml")
        file = FilePath(os.path.normpath(user.parent / named))
        if not self.holds(file, user):
            raise NoPart(f'"{named}" leads out of the folder of the runbooks', "move the part there, as to lib/")
        if not file.is_file():
            near = did_you_mean(named, self._parts_from(user))
            raise NoPart(f'there is no file "{named}"', near if near.startswith("did") else "")
        return file

    def _parts_from(self, user: FilePath) -> list[str]:
        """Return every part that a runbook may use, each as it is written in that file."""
        folder = user.resolve().parent
        files = [each for each in self._root(user).rglob("*") if each.suffix in SUFFIXES and each.is_file()]
        return [FilePath(os.path.relpath(each, folder)).as_posix() for each in files if _may_hold_part(each)]

    def _root(self, user: FilePath) -> FilePath:
        """Return the folder that parts of a runbook may lie in: what was loaded, or what holds an engine.yaml."""
        above = user.resolve().parents
        roots = [folder.resolve() for folder in self._folders if folder.resolve() in above]
        roots += [folder for folder in above if (folder / CONFIG).is_file()][:1]
        return min(roots, key=lambda folder: len(folder.parts), default=user.resolve().parent)

    def _load(self, file: FilePath, named: str) -> Part | NoPart:
        try:
            content = file.read_bytes()
        except OSError as error:
            return NoPart(f'"{named}" cannot be read: {error.strerror or error}')
        parsed = parse_yaml(content, str(file))
        self.diagnostics.extend(parsed.diagnostics)
        parts = [root for root in parsed.documents if _kind(root) == PART]
        if len(parts) != 1 and not parsed.diagnostics:
            found = "none" if not parts else str(len(parts))
            return NoPart(f'"{named}" must hold one {PART}, it holds {found}', f"write kind: {PART}")
        found_in = [self._judge(parsed.source, root) for root in parts]
        self.diagnostics.extend(each for findings in found_in for each in findings.diagnostics)
        broken = any(each.severity == "error" for each in parsed.diagnostics) or any(each.failed for each in found_in)
        if broken or not isinstance(parts[0], Entries):
            return NoPart(f'the part "{named}" has errors of its own', "mend it first")
        placed = located(parts[0], str(file))
        assert isinstance(placed, Entries)  # located keeps what a node is
        return Part(parsed.source, placed)


def located(node: Node, file: str) -> Node:
    """Return a tree every place in which names its file."""
    match node:
        case Entries():
            entries = {key: located(value, file) for key, value in node.entries.items()}
            keys = {key: _in(place, file) for key, place in node.keys.items()}
            return Entries(entries, keys, _in(node.place, file), node.style)
        case Items():
            return Items(tuple(located(item, file) for item in node.items), _in(node.place, file), node.style)
        case Scalar():
            return Scalar(node.value, node.text, _in(node.place, file), node.style)


def _may_hold_part(file: FilePath) -> bool:
    try:
        return PART.encode() in file.read_bytes()
    except OSError:
        return False


def _in(place: Place, file: str) -> Place:
    return Place(place.line, place.column, place.width, file)


def _kind(root: Node) -> object:
    kind = root.entries.get("kind") if isinstance(root, Entries) else None
    return kind.value if isinstance(kind, Scalar) else None


def _checkout(folder: FilePath) -> FilePath:
    """Return the git checkout that a folder is in, or the folder itself; in a worktree `.git` is a file."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def _really(file: FilePath) -> FilePath:
    """Return where a file is, behind all links; a ring of them is no error there."""
    return FilePath(os.path.realpath(file))
