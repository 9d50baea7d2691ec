"""Items: plain values as DynamoDB wants them, and bodies of the model in msgpack, small where they can be.

A write is paid by the kilobyte, so a body is compressed as soon as that can save one. An item holds 400 KB at most;
of a longer body (a storm's incident) the rest lies in pieces beside it, named by the digest of the whole.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from runbook_adapters.dynamodb.keys import Key
from runbook_engine.model.decoding import from_msgpack

Value = str | int | bytes | bool | list[str]
Item = Mapping[str, Value]

WORTH_PACKING = 700  # bytes; keys and columns make it a kilobyte
PIECE = 350_000
BODY, PACKED, PIECES, DIGEST = "body", "packed", "pieces", "digest"

Kind = TypeVar("Kind")
_WHOLE = re.compile(r"-?\d+", re.ASCII)


def with_body(item: Item, value: object) -> Item:
    """Return an item that holds a value of the model. JSON would turn an infinite number into nothing."""
    body = msgspec.msgpack.encode(value)
    kept = {name: each for name, each in item.items() if name not in (BODY, PACKED, PIECES, DIGEST)}
    if len(body) <= WORTH_PACKING:
        return {**kept, BODY: body}
    return {**kept, BODY: zlib.compress(body), PACKED: True}


def body_of(item: Item, kind: type[Kind]) -> Kind:
    """Return what `with_body` was given. Raises msgspec.MsgspecError."""
    return from_msgpack(unpacked(item), kind)


def unpacked(item: Item) -> bytes:
    """Return the body of an item, in msgpack."""
    body = item.get(BODY)
    if not isinstance(body, bytes):
        raise msgspec.ValidationError(f"`{BODY}` is no binary value")
    try:
        return zlib.decompress(body) if item.get(PACKED) else body
    except zlib.error as error:
        raise msgspec.ValidationError(f"`{BODY}` is packed in another way") from error


def bodies_of(items: Iterable[Item], kind: type[Kind]) -> tuple[Kind, ...]:
    """Return the bodies of several items. Raises msgspec.MsgspecError."""
    return tuple(from_msgpack(unpacked(item), kind) for item in items)


def divided(key: Key, item: Item) -> tuple[Item, dict[Key, Item]]:
    """Return what an item holds itself, and the pieces of its body that lie beside it."""
    body = item.get(BODY)
    if not isinstance(body, bytes) or len(body) <= PIECE:
        return item, {}
    digest = hashlib.sha256(body).hexdigest()
    beside = [body[begin : begin + PIECE] for begin in range(0, len(body), PIECE)]
    held = {**item, BODY: b"", PIECES: len(beside), DIGEST: digest}
    return held, {where: {BODY: piece} for where, piece in zip(piece_keys(key, held), beside, strict=True)}


def piece_keys(key: Key, item: Item) -> tuple[Key, ...]:
    """Return where the pieces of a body lie; none for a body that its item holds itself."""
    number, digest = item.get(PIECES, 0), str(item.get(DIGEST, ""))
    place = hashlib.sha256(f"{len(key.pk)}:{key.pk}{key.sk}".encode()).hexdigest()
    return tuple(Key(f"PIECE#{place}", f"{digest}#{index:04}") for index in range(int(str(number))))


def whole(item: Item, pieces: Iterable[Item]) -> Item:
    """Return an item with its body put together again; its other columns say where the pieces lie."""
    return {**item, BODY: b"".join(body for piece in pieces if isinstance(body := piece[BODY], bytes))}


def columns(value: msgspec.Struct) -> dict[str, Value]:
    """Return a record of columns as an item; what has its default is left out."""
    found: dict[str, Value] = msgspec.to_builtins(value)
    return found


def encode(item: Item) -> dict[str, dict[str, Any]]:
    """Return an item as the API takes it."""
    return {name: encode_value(value) for name, value in item.items()}


def encode_value(value: Value) -> dict[str, Any]:
    """Return one value as the API takes it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, str):
        return {"S": value}
    return {"L": [{"S": each} for each in value]}


def decode(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return an item as the API gives it. Raises msgspec.ValidationError for a type that we never write."""
    return {name: _decoded(typed) for name, typed in attributes.items()}


def _decoded(typed: Mapping[str, Any]) -> Value:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value  # type: ignore[no-any-return]  # the API says which type it is
        case "B":
            return bytes(value)
        case "N" if _WHOLE.fullmatch(value):
            return int(value)
        case "L":
            return [text for each in value for text in each.values()]
        case _:
            raise msgspec.ValidationError(f"a value of type {kind} that is not ours")


def size_of(item: Item) -> int:
    """Return how many bytes an item counts for, or a few more."""
    return sum(len(name.encode()) + _length(value) for name, value in item.items())


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, list):
        return 3 + sum(1 + len(each.encode()) for each in value)
    return 21


def in_batches(keys: Iterable[Key], most: int) -> Iterator[list[Key]]:
    """Return keys in batches, each key once."""
    once = list(dict.fromkeys(keys))
    return (once[begin : begin + most] for begin in range(0, len(once), most))
