"""Decoders by type, each built by one thread at a time.

msgspec 0.22 makes what it knows of a type at the first use, and crashes the process when two threads are the first:
both see it half made. Whatever is decoded in threads gets its decoder here, so the first use is over when it does.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

Kind = TypeVar("Kind")

_BUILDING = threading.Lock()


def from_json(content: bytes | str, kind: type[Kind]) -> Kind:
    """Return a value of that type from JSON. Raises msgspec.MsgspecError."""
    found: Kind = _json_decoder(cast(Hashable, kind)).decode(content)
    return found


def from_msgpack(content: bytes, kind: type[Kind]) -> Kind:
    """Return a value of that type from msgpack. Raises msgspec.MsgspecError."""
    decoder = _msgpack_decoder(cast(Hashable, kind))
    try:
        found: Kind = decoder.decode(content)
    except (UnicodeDecodeError, TypeError) as error:  # damaged text; or a damaged file says that it is no bytes
        raise msgspec.DecodeError(str(error)) from error
    return found


def from_exact_msgpack(content: bytes, kind: type[Kind]) -> Kind:
    """Return a value of that type from the very bytes that it is written as. Raises msgspec.MsgspecError.

    A damaged name of a field that has its default would go unnoticed: it is skipped, and means the same. What another
    release wrote, with more or fewer fields, is of another length, and is taken.
    """
    found = from_msgpack(content, kind)
    written = msgspec.msgpack.encode(found)
    if len(written) == len(content) and written != content:
        raise msgspec.ValidationError("its bytes are not those that it is written as")
    return found


def from_values(values: object, kind: type[Kind]) -> Kind:
    """Return a value of that type from plain values. Raises msgspec.ValidationError."""
    _msgpack_decoder(cast(Hashable, kind))
    return msgspec.convert(values, kind)


@cache
def _json_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    with _BUILDING:
        return msgspec.json.Decoder(kind)


@cache
def _msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    with _BUILDING:
        return msgspec.msgpack.Decoder(kind)
