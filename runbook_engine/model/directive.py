"""A directive: what a host must do next with an execution. Hosts obey it and decide nothing."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Next(msgspec.Struct, frozen=True, tag="next"):
    """Drive again at once."""


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Drive again at `until`, or when a signal arrives."""

    until: datetime
    reason: str = ""


class Approve(msgspec.Struct, frozen=True, tag="approve"):
    """A person is asked; drive again when one answers, or at `until`."""

    until: datetime
    hash: str = ""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Nothing to do until a signal arrives, if one ever does."""

    status: str
    reason: str = ""


Directive = Next | Wait | Approve | Done
