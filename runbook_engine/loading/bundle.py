"""A bundle as bytes: what a host loads. Imports nothing heavy, so a start costs the decoding alone."""

from __future__ import annotations

import msgspec

from runbook_engine.errors import RunbookError
from runbook_engine.matching.prepared import entries_of, prepare_index
from runbook_engine.model.bundle import BUNDLE_VERSION, Bundle
from runbook_engine.model.uncollected import uncollected


class InvalidBundle(RunbookError):
    """The bytes are no bundle that this version reads."""


class _Version(msgspec.Struct, frozen=True):
    schema_version: int


def dump_bundle(bundle: Bundle) -> bytes:
    """Return the bundle as bytes, with the index of its runbooks; equal bundles give equal bytes."""
    prepared = msgspec.structs.replace(bundle, index=prepare_index(entries_of(bundle.runbooks)))
    return msgspec.msgpack.encode(prepared, order="deterministic")


def load_bundle(content: bytes) -> Bundle:
    """Return the bundle that `dump_bundle` wrote, and its prepared index. Raises InvalidBundle."""
    remedy = "make it again with: runbook bundle"
    try:
        version = msgspec.msgpack.decode(content, type=_Version).schema_version
        if version != BUNDLE_VERSION:
            raise InvalidBundle(
                f"the bundle has schema version {version}, this engine reads {BUNDLE_VERSION} ({remedy})"
            )
        with uncollected():
            return msgspec.msgpack.decode(content, type=Bundle)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidBundle(f"not a bundle: {error} ({remedy})") from error
