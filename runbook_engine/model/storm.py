"""A storm: more targets at once than an installation wants machines to touch; and the latch that it trips."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec


class StormRule(msgspec.Struct, frozen=True, kw_only=True):
    """Past `max_targets` targets within `within`, every change is held until a person, or `calm` without a new one."""

    max_targets: int = 50
    within: timedelta = timedelta(minutes=5)
    calm: timedelta = timedelta(minutes=15)
    receiver: str = ""  # who is paged, once; empty = whoever hears what nobody else is told


class Latch(msgspec.Struct, frozen=True, kw_only=True):
    """The storm latch as stored: what opened lately, and since when changes are held, if they are."""

    recent: tuple[tuple[str, datetime], ...] = ()  # targets that executions were opened for, oldest first
    held_since: datetime | None = None
    reason: str = ""
    last_at: datetime | None = None  # the newest opening while it holds
    released_by: str = ""  # who let it go last
    version: int = 0
