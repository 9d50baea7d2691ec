"""The web page of an installation: whether there is one, and who gets in without a token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

PageRole = Literal["read", "operate"]


class WebProxy(msgspec.Struct, frozen=True, kw_only=True):
    """The reverse proxies before the page: where they are, and how they say who asks."""

    networks: tuple[str, ...]
    header: str = ""  # holds the name of who asks; empty = they name nobody


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation decides about its web page."""

    enabled: bool = True
    url: str = ""  # where people reach it; empty = at the address that they asked for
    session_for: timedelta = timedelta(hours=12)
    proxy: WebProxy | None = None
    people: Mapping[str, tuple[PageRole, ...]] = {}  # whom a proxy may name
    others: tuple[PageRole, ...] = ()  # what everybody else may do whom it names; empty = nothing
