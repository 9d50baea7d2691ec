"""A YAML document as values that remember where they were written, so that every error gets its caret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
Path = tuple[str | int, ...]
Style = Literal["plain", "quoted", "flow", "block"]


class Place(msgspec.Struct, frozen=True):
    """Where something stands in a file; line and column count from 1, width in characters of that line."""

    line: int
    column: int
    width: int = 1
    file: str = ""  # of a runbook's part; empty = the document's own


class Scalar(msgspec.Struct, frozen=True):
    """One value; `text` is how it was written."""

    value: str | int | float | bool | None
    text: str
    place: Place
    style: Style


class Items(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    place: Place
    style: Style


class Entries(msgspec.Struct, frozen=True):
    """A map, with the place of each key."""

    entries: Mapping[str, Node]
    keys: Mapping[str, Place]
    place: Place
    style: Style


Node = Scalar | Items | Entries


def plain(node: Node) -> Plain:
    """Return the node as plain Python values."""
    if isinstance(node, Scalar):  # twice as fast as a match, and every value of every file comes by here
        return node.value
    if isinstance(node, Entries):
        return {key: plain(value) for key, value in node.entries.items()}
    return [plain(item) for item in node.items]


def child(node: Node, part: str | int) -> Node | None:
    """Return what stands under a key or an index, or None."""
    if isinstance(node, Entries) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, Items) and isinstance(part, int) and -1 < part < len(node.items):
        return node.items[part]
    return None


def resolve(node: Node, path: Sequence[str | int]) -> tuple[Node, Path]:
    """Follow a path as far as it exists, skipping parts that are no step; return the node and the path taken."""
    taken: list[str | int] = []
    for part in path:
        found = child(node, part)
        if found is not None:
            node = found
            taken.append(part)
    return node, tuple(taken)


def key_place(root: Node, path: Sequence[str | int]) -> Place:
    """Return the place of the key (or of the list item) that a path ends in; of the value when it has no key."""
    if not path:
        return root.place
    parent, taken = resolve(root, path[:-1])
    if len(taken) == len(path) - 1 and isinstance(parent, Entries) and path[-1] in parent.keys:
        return parent.keys[str(path[-1])]
    return value_place(root, path)


def value_place(root: Node, path: Sequence[str | int]) -> Place:
    """Return the place of the value at a path, or of its key when the value is empty or a whole block."""
    node, taken = resolve(root, path)
    if taken and not (isinstance(node, Scalar) and node.text) and node.style in ("block", "plain"):
        parent, _ = resolve(root, taken[:-1])
        if isinstance(parent, Entries):
            return parent.keys[str(taken[-1])]
    return node.place


def scalars(node: Node, path: Path = ()) -> list[tuple[Path, Scalar]]:
    """Return every single value with its path, in the order in which they are written."""
    found: list[tuple[Path, Scalar]] = []
    _collect(node, path, found)
    return found


def _collect(node: Node, path: Path, found: list[tuple[Path, Scalar]]) -> None:
    if isinstance(node, Scalar):
        found.append((path, node))
    elif isinstance(node, Entries):
        for key, value in node.entries.items():
            _collect(value, (*path, key), found)
    else:
        for index, item in enumerate(node.items):
            _collect(item, (*path, index), found)
