"""Names: which function a target means, and which of its aliases."""

from __future__ import annotations

import re

import msgspec

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.target import Target

LATEST = "$LATEST"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A function, and the alias that is named of it; no alias = its unpublished code."""

    function: str
    alias: str = ""


def named(target: Target) -> Named:
    """Return what a target names. Raises InvalidTarget."""
    function, colon, alias = target.name.partition(":")
    if target.kind != "function" or not _NAME.fullmatch(function):
        raise InvalidTarget(f"{target} names no function (write NAME or NAME:ALIAS)")
    if colon and not _ALIAS.fullmatch(alias):
        raise InvalidTarget(f"{target} names no alias (write NAME or NAME:ALIAS)")
    if alias.isdigit():
        raise InvalidTarget(f"{target} names a published version, which never changes (name an alias)")
    return Named(function=function, alias=alias)
