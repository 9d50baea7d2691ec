"""Heads: the ends of all chains as an auditor keeps them elsewhere, and what has become of them since.

A chain may have grown; the record that was its last must still stand where it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from runbook_engine.model.decoding import from_json
from runbook_engine.proof.trail import Checked, Finding

Heads = Mapping[str, "Head"]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many records an execution had, and the hash of the last one."""

    records: int
    hash: str


def read_heads(content: bytes) -> Heads:
    """Return heads as they were kept. Raises ValueError."""
    found: Heads = from_json(content, dict[str, Head])
    return found


def write_heads(heads: Heads) -> bytes:
    """Return heads as bytes to keep, in a form that a person can compare."""
    return msgspec.json.format(msgspec.json.encode(dict(sorted(heads.items()))), indent=2) + b"\n"


def head_of(trail: Checked) -> Head:
    """Return the head of a trail that was read whole."""
    return Head(trail.records, trail.hashes[-1] if trail.hashes else "")


def compare_head(kept: Head, trail: Checked) -> tuple[Finding, ...]:
    """Return what is wrong with a trail beside the head that was kept of it."""
    if not kept.records or len(trail.hashes) != trail.records:
        return ()
    if trail.records < kept.records:
        says = f"the heads file kept {kept.records} records, and there are {trail.records}"
        return (Finding(execution=trail.execution, number=kept.records, says=says),)
    if trail.hashes[kept.records - 1] != kept.hash:
        says = f"record {kept.records} is not the one that the heads file kept: the chain was written anew"
        return (Finding(execution=trail.execution, number=kept.records, says=says),)
    return ()


def missing(kept: Heads, seen: Iterable[str]) -> tuple[Finding, ...]:
    """Return which executions the heads file knows of and the journal no longer."""
    gone = sorted(set(kept) - set(seen))
    says = "the heads file knows this execution, and the journal does not"
    return tuple(Finding(execution=name, number=0, says=says) for name in gone)
