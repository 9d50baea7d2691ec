"""A flag store in one JSON file: what an application polls, and what degrade flips.

    {"flags": {"/checkout/degraded_mode": {"value": "true", "version": 3}}, "removed": {"/checkout/promo": 2}}

A version rises with every write, also over a removal: `removed` keeps the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from runbook_adapters import disk
from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.observation import Flag
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One flag as stored."""

    value: str
    version: int


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole file."""

    flags: Mapping[str, Entry]
    removed: Mapping[str, int] = {}

    def version(self, name: str) -> int:
        """Return the newest version that a flag ever had, 0 when it never was."""
        return self.flags[name].version if name in self.flags else self.removed.get(name, 0)

    def written(self, name: str, value: str | None) -> Store:
        """Return the store with a flag set, or with None removed."""
        flags = {other: entry for other, entry in self.flags.items() if other != name}
        removed = {other: version for other, version in self.removed.items() if other != name}
        version = self.version(name) + 1
        if value is None:
            return Store(flags, {**removed, name: version})
        return Store({**flags, name: Entry(value, version)}, removed)


class FlagFileReader:
    """Looks at flags."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._create = create

    def flag(self, target: Target) -> Flag | None:
        """Return a flag's value and version, None when it is not set. Raises Unreadable."""
        if target.kind != "parameter":
            raise InvalidTarget(f"{target} is a {target.kind}; a flag store holds parameters only")
        entry = load_store(self._path, create=self._create).flags.get(target.name)
        return Flag(value=entry.value, version=entry.version) if entry else None


class FlagFileWriter:
    """Sets and removes flags, as a compare-and-set under the file's lock."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._create = create

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) a flag, if its value still is `expected`; writing the live value does nothing."""
        if target.kind != "parameter":
            raise Permanent(f"{target} is a {target.kind}; a flag store holds parameters only")
        if self._create:
            disk.make_folder(self._path)
        with disk.locked(self._path):
            try:
                store = load_store(self._path, create=self._create)
            except Unreadable as error:
                raise Permanent(f"{target} was not written: {error}") from error
            entry = store.flags.get(target.name)
            live = entry.value if entry else None
            if live == value:
                return {"version": store.version(target.name), "unchanged": True}
            if live != expected:
                raise Conflict(f"{target} is {_said(live)}, expected was {_said(expected)}; nothing was changed")
            wanted = store.written(target.name, value)
            disk.replace(self._path, msgspec.json.format(msgspec.json.encode(wanted)) + b"\n")
        return {"version": wanted.version(target.name)}


def load_store(path: Path, *, create: bool) -> Store:
    """Return the stored flags; a missing file is empty only where it may be created. Raises Unreadable."""
    try:
        return from_json(path.read_bytes(), Store)
    except FileNotFoundError as error:
        if create:
            return Store({})
        raise Unreadable(
            f'the flag store {path} does not exist (create it holding {{"flags": {{}}}}, or set create: true)'
        ) from error
    except OSError as error:
        raise Unreadable(f"the flag store {path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise Unreadable(f"the flag store {path} is corrupt: {error} (restore it from a good copy)") from error


def _said(value: str | None) -> str:
    return "not set" if value is None else f'"{value}"'
