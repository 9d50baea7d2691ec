"""A calendar as values: when nothing is changed (freezes), and when alone something is (maintenance windows)."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from runbook_engine.model.matcher import Matcher


class CalendarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One freeze or one window: once, from `begins` to `ends`, or again and again: `every` such day, `at`, for `lasts`.

    Its zone is the one that its author thinks in, and people read it in. Without matchers, targets and runbooks it is
    about everything; with several, all must hold.
    """

    name: str
    zone: str
    says: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
    every: str = ""  # a recurrence rule of days, as in FREQ=WEEKLY;BYDAY=MO
    at: str = ""  # a time of day in the zone, as in 22:00
    lasts: timedelta = timedelta(0)
    starting: str = ""  # the date from which an INTERVAL counts
    matchers: tuple[Matcher, ...] = ()
    exempt: tuple[Matcher, ...] = ()  # not about alerts of which all of these hold; none = about all
    targets: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()


class Occurrence(msgspec.Struct, frozen=True):
    """One time at which an entry of the calendar holds, from its first instant to the first one after it."""

    begins: datetime
    ends: datetime
