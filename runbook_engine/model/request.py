"""A pinned request: how it is filled in, and how far it is.

Parameters enter as one segment of the path, or as JSON strings, and never as anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

import msgspec

from runbook_engine.errors import Permanent

HOLE: Final = re.compile(r"\{\{\s*(parameters\.[a-z][a-z0-9_]{0,39}|answer\.id)\s*\}\}")
ANSWER_ID: Final = "answer.id"
LONGEST_VALUE: Final = 1024
_DOTS: Final = (".", "..")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


class RequestState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request is that was sent."""

    status: Literal["running", "done", "failed"]
    reason: str = ""


def holes_of(text: str) -> tuple[str, ...]:
    """Return what a text asks for, as in parameters.pool, in order."""
    return tuple(HOLE.findall(text))


def fill_address(url: str, values: Mapping[str, str]) -> str:
    """Return an address whose holes are filled in, each as one segment. Raises Permanent for a value that is none."""
    return HOLE.sub(lambda hole: _segment(hole[1], values), url)


def fill_body(body: str, values: Mapping[str, str]) -> bytes:
    """Return a JSON document whose texts are filled in: what a value holds is escaped, and never read as JSON."""
    return json.dumps(_filled(json.loads(body), values), ensure_ascii=False, separators=(",", ":")).encode()


def find_pointed(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to. Raises LookupError when it leads nowhere."""
    found = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and _INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise LookupError(pointer)
    return found


def check_value(name: str, value: str) -> None:
    """Raise Permanent for a value that no request takes: too long, or with what people do not see."""
    if len(value) > LONGEST_VALUE or not value.isprintable():
        raise Permanent(f"parameter {name!r} must be at most {LONGEST_VALUE} printable characters")


def is_segment(value: str) -> bool:
    """Whether a value can be one segment of a path, for those as well that decode it before they follow the path."""
    parts = re.split(r"[/\\]", f"{value}/{unquote(value)}")
    return bool(value) and not any(part.partition(";")[0] in _DOTS for part in parts)


def _segment(name: str, values: Mapping[str, str]) -> str:
    value = values[name]
    if not is_segment(value):
        shown = name.rpartition(".")[2]
        raise Permanent(f"parameter {shown!r} is a part of the address, and {value!r} would make it another address")
    return quote(value, safe="")


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    match node:
        case str():
            return HOLE.sub(lambda hole: values[hole[1]], node)
        case list():
            return [_filled(item, values) for item in node]
        case dict():
            return {key: _filled(value, values) for key, value in node.items()}
        case _:
            return node
