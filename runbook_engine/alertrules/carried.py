"""What labels the results of an expression carry, and what two operands leave of theirs."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

NONE: Final[frozenset[str]] = frozenset()


class Carried(msgspec.Struct, frozen=True):
    """Labels on the results: those that are there for sure, and all that may be (None = that is unknown)."""

    sure: frozenset[str] = NONE
    may: frozenset[str] | None = None
    equal: frozenset[str] | None = None  # of a plain selector: the labels that it wants equal to something
    is_number: bool = False


UNKNOWN: Final = Carried()
EMPTY: Final = Carried(NONE, NONE)
NUMBER: Final = Carried(NONE, NONE, None, True)


class Matching(NamedTuple):
    """How the series of two operands find each other."""

    how: str
    labels: frozenset[str]
    grouping: str
    extra: frozenset[str]


def combined(operator: str, left: Carried, right: Carried, matching: Matching) -> Carried:
    """Return what is left when an operator joins two operands."""
    if operator in ("and", "unless"):
        return Carried(left.sure, left.may)
    if operator == "or":
        may = None if left.may is None or right.may is None else left.may | right.may
        return Carried(left.sure & right.sure, may)
    if left.is_number or right.is_number:
        kept = right if left.is_number else left
        return kept if kept.is_number else Carried(kept.sure, kept.may)
    if matching.grouping:
        many = left if matching.grouping == "group_left" else right
        return Carried(many.sure - matching.extra, None if many.may is None else many.may | matching.extra)
    if matching.how == "on":
        kept_labels = matching.labels if left.may is None else matching.labels & left.may
        return Carried(kept_labels & (left.sure | right.sure), kept_labels)
    if matching.how == "ignoring":
        return Carried(left.sure - matching.labels, None if left.may is None else left.may - matching.labels)
    known = [side.may for side in (left, right) if side.may is not None]
    return Carried(left.sure | right.sure, frozenset.intersection(*known) if known else None)
