"""The index of a bundle: filed when the bundle is made, so that a start need not read every pattern again.

What was filed belongs to these very runbooks, and is whole, or it is not used: its digest covers both. Otherwise the
index is built, and answers the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from runbook_engine.matching.filing import Filed, file_entries
from runbook_engine.matching.index import Index, by_priority
from runbook_engine.matching.placement import Entry
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.uncollected import uncollected

INDEX_VERSION = 1  # of what is filed: raise it with any change of `Filed`, of its shapes, or of where rules are found


class Prepared(msgspec.Struct, frozen=True, array_like=True):
    """Filed rules as bytes, and what tells whose they are."""

    version: int
    digest: bytes
    filed: bytes


def prepare_index(entries: Sequence[Entry]) -> bytes:
    """Return the index of the entries as bytes; equal entries give equal bytes."""
    filed = msgspec.msgpack.encode(file_entries(by_priority(entries)), order="deterministic")
    return msgspec.msgpack.encode(Prepared(INDEX_VERSION, _digest(entries, filed), filed))


def load_index(content: bytes, entries: Sequence[Entry]) -> Index:
    """Return the index of the entries: the prepared one where it is theirs, else one that is built."""
    try:
        prepared = from_msgpack(content, Prepared)
    except msgspec.MsgspecError:
        return Index.build(entries)
    if prepared.version != INDEX_VERSION or prepared.digest != _digest(entries, prepared.filed):
        return Index.build(entries)
    return Index.of(by_priority(entries), from_msgpack(prepared.filed, Filed))


def entries_of(runbooks: Iterable[Runbook]) -> list[Entry]:
    """Return runbooks as the index knows them: in the order of the bundle."""
    return [Entry(runbook.name, order, runbook.matchers) for order, runbook in enumerate(runbooks)]


def index_of(bundle: Bundle) -> Index:
    """Return the index of the bundle's runbooks."""
    with uncollected():
        return load_index(bundle.index, entries_of(bundle.runbooks))


def _digest(entries: Sequence[Entry], filed: bytes) -> bytes:
    return sha256(msgspec.msgpack.encode(entries) + filed).digest()
