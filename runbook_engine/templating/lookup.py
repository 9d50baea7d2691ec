"""Looking up: paths into what templates may read, and the text that a value becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from runbook_engine.errors import TemplateError

MAX_TEXT: Final = 4096
ABSENT: Final = object()

Path = tuple[str, ...]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_KEY = r"""\[\s*(?:"[^"\\]*"|'[^'\\]*')\s*\]"""
_PATH = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME}|\s*{_KEY})*)\s*")
_PART = re.compile(rf"""({_NAME})|\[\s*"([^"\\]*)"\s*\]|\[\s*'([^'\\]*)'\s*\]""")


def parse_path(text: str) -> Path | None:
    """Return the parts of `inputs.node` or `alert.labels["k8s.pod"]`, or None when it is no path."""
    if not _PATH.fullmatch(text):
        return None
    return tuple(map("".join, _PART.findall(text)))  # of the three groups, one holds the part


def look_up(path: Path, variables: Mapping[str, Any]) -> Any:
    """Return the value at a path. Raises TemplateError when there is none."""
    value: Any = variables
    for count, part in enumerate(path, start=1):
        value = value.get(part, ABSENT) if type(value) is dict else child(value, part)  # one call less for the usual
        if value is ABSENT:
            raise TemplateError(nothing(".".join(path[:count])))
    return value


def child(value: Any, key: Any) -> Any:
    """Return what a map holds under a key, or a struct in a public field. Nothing else has children."""
    if type(value) is dict or isinstance(value, Mapping):  # the usual one first: asking for a Mapping costs more
        return value.get(key, ABSENT)
    if isinstance(value, msgspec.Struct) and key in value.__struct_fields__:
        return getattr(value, key)
    return ABSENT


def text_of(value: Any, name: str) -> str:
    """Return a value as the text that is filled in."""
    if type(value) is str and len(value) <= MAX_TEXT:  # the usual one, without another call
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return bounded(str(value))
    raise TemplateError(f"{name} is {_kind(value)}, and only text or a number can be filled in")


def bounded(text: str) -> str:
    """Return the text as it is. Raises TemplateError when it is too long."""
    if len(text) > MAX_TEXT:
        raise TemplateError(f"the rendered text has {len(text)} characters, more than {MAX_TEXT}")
    return text


def nothing(name: str) -> str:
    """Return the sentence for a name without a value."""
    return f"{name} has no value"


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    return "a map" if isinstance(value, Mapping | msgspec.Struct) else "a list"
