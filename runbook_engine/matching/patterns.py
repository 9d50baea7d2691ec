"""Read an RE2 pattern just far enough to know what its matches must contain.

The index wants exact values, or literal beginnings, endings and inner parts, to look rules up by instead of
trying them. Whatever this reader does not know for certain becomes WILD, which stands for any text: the index
may then ask RE2 once more than needed, but never once too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product

WILD = None
Piece = frozenset[str] | None  # the texts this part of a match may be; WILD = any
Branch = tuple[Piece, ...]

MAX_CHOICES = 32  # a pattern that accepts more texts than this is not worth listing
MAX_DEPTH = 16
_COUNT = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_PLAIN = re.compile(r"[-A-Za-z0-9_:/ ]+(?![*+?{])")  # characters that stand for themselves, none of them repeated
_CONTROL_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_WILD_ESCAPES = frozenset("dDwWsSbBAz")
_EMPTY = frozenset([""])


class _Unknown(Exception):
    """The pattern uses syntax that this reader leaves to RE2."""


def read_branches(pattern: str) -> tuple[Branch, ...]:
    """Return the alternatives of a pattern that RE2 has accepted, each as the pieces of its matches in order."""
    try:
        reader = _Reader(pattern)
        branches = reader.alternatives(depth=0)
    except _Unknown:
        return ((WILD,),)
    if not reader.at_end:
        return ((WILD,),)
    return tuple(tuple(branch) for branch in branches)


def finite(branches: Iterable[Branch]) -> frozenset[str] | None:
    """Return every text that matches, or None where they are many or unknown."""
    texts: set[str] = set()
    for branch in branches:
        expanded = _expand(branch)
        if expanded is None:
            return None
        texts |= expanded
        if len(texts) > MAX_CHOICES:
            return None
    return frozenset(texts)


def beginnings(branches: Sequence[Branch]) -> frozenset[str]:
    """Return texts of which every match begins with one; empty where there is none to rely on."""
    return _edges(branches, backwards=False)


def endings(branches: Sequence[Branch]) -> frozenset[str]:
    """Return texts of which every match ends with one; empty where there is none to rely on."""
    return _edges(branches, backwards=True)


def inner_text(branches: Sequence[Branch]) -> str:
    """Return the longest text that every match contains, empty where there is none to rely on."""
    if len(branches) != 1:
        return ""
    runs = [""]
    for piece in branches[0]:
        if piece is not None and len(piece) == 1:
            runs[-1] += next(iter(piece))
        else:
            runs.append("")
    return max(runs, key=len)


def _edges(branches: Sequence[Branch], *, backwards: bool) -> frozenset[str]:
    found: set[str] = set()
    for branch in branches:
        known = _leading(branch[::-1] if backwards else branch)
        expanded = _expand(known[::-1] if backwards else known)
        if expanded is None:
            return frozenset()
        found |= expanded
    if len(found) > MAX_CHOICES or "" in found:
        return frozenset()
    return frozenset(text for text in found if not _covered(text, found, backwards=backwards))


def _covered(text: str, found: set[str], *, backwards: bool) -> bool:
    """Whether a shorter one of the texts stands for this one too."""
    return any(other != text and (text.endswith(other) if backwards else text.startswith(other)) for other in found)


def _leading(branch: Branch) -> Branch:
    """Return the pieces before the first WILD, as many as can still be listed."""
    count = 1
    for index, piece in enumerate(branch):
        if piece is None or count * len(piece) > MAX_CHOICES:
            return branch[:index]
        count *= len(piece)
    return branch


def _expand(branch: Iterable[Piece]) -> frozenset[str] | None:
    texts = _EMPTY
    for piece in branch:
        if piece is None or len(texts) * len(piece) > MAX_CHOICES:
            return None
        texts = frozenset(map("".join, product(texts, piece))) if texts is not _EMPTY else piece
    return texts


class _Reader:
    """A recursive descent over the pattern; every method leaves `position` behind what it read."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.pattern)

    def alternatives(self, depth: int) -> list[list[Piece]]:
        branches = [self._branch(depth)]
        while self._take("|"):
            branches.append(self._branch(depth))
        return branches

    def _branch(self, depth: int) -> list[Piece]:
        pieces: list[Piece] = []
        start = self.position
        while not self.at_end and self.pattern[self.position] not in "|)":
            character = self.pattern[self.position]
            if depth == 0 and self._is_outer_anchor(character, start):
                self.position += 1
                continue
            if plain := _PLAIN.match(self.pattern, self.position):
                self.position = plain.end()
                pieces.append(frozenset([plain[0]]))
                continue
            pieces += self._repeated(self._atom(depth))
        return pieces

    def _is_outer_anchor(self, character: str, start: int) -> bool:
        following = self.pattern[self.position + 1 : self.position + 2]
        return (character == "^" and self.position == start and following not in ("*", "+", "?", "{")) or (
            character == "$" and following in ("", "|")
        )

    def _atom(self, depth: int) -> Piece:
        character = self.pattern[self.position]
        self.position += 1
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in ".^$":
            return WILD
        if character in "*+?{}":
            raise _Unknown
        return frozenset([character])

    def _group(self, depth: int) -> Piece:
        if depth == MAX_DEPTH or (self._take("?") and not self._take(":")):
            raise _Unknown
        branches = self.alternatives(depth + 1)
        if not self._take(")"):
            raise _Unknown
        return finite(tuple(branch) for branch in branches)

    def _escape(self) -> Piece:
        letter = self.pattern[self.position : self.position + 1]
        self.position += 1
        if letter in _CONTROL_ESCAPES:
            return frozenset([_CONTROL_ESCAPES[letter]])
        if letter in _WILD_ESCAPES:
            return WILD
        if not letter or letter.isalnum() or letter == "_" or not letter.isascii():
            raise _Unknown
        return frozenset([letter])

    def _class(self) -> Piece:
        end = self.pattern.find("]", self.position + 1)
        written = self.pattern[self.position : end]
        if end < 0 or "[" in written or "\\" in written or written.startswith(("^]", "]")):
            raise _Unknown
        self.position = end + 1
        if written.startswith("^") or "-" in written[1:-1]:
            return WILD
        return frozenset(written)

    def _repeated(self, piece: Piece) -> list[Piece]:
        operator = self.pattern[self.position : self.position + 1]
        if operator not in ("*", "+", "?", "{") or not operator:
            return [piece]
        if operator == "{":
            count = _COUNT.match(self.pattern, self.position)
            if count is None:
                raise _Unknown
            self.position = count.end()
        else:
            self.position += 1
        self._take("?")  # lazy or greedy makes no difference to a full match
        if operator == "?" and piece is not None:
            return [piece | _EMPTY]
        if operator == "+":
            return [piece, WILD]
        return [WILD]

    def _take(self, character: str) -> bool:
        taken = self.pattern.startswith(character, self.position)
        self.position += taken
        return taken
