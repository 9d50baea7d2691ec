"""Occurrences: when an entry of the calendar holds, in the clocks of its zone.

Pure and bounded: asked about one instant, it looks at the days around that instant alone. A time of day that the clocks
skip in spring is read as far behind the change as it was meant to be before it (02:30 becomes 03:30); of one that they
show twice in autumn the first is meant. What is once is read with caution instead: see `readings_of`. How long an entry
lasts is counted in hours that pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from runbook_engine.model.calendar import CalendarEntry, Occurrence
from runbook_engine.model.recurrence import CalendarError, parse_recurrence

LONGEST: Final = timedelta(days=31)
_SKEW: Final = timedelta(days=2)  # more than any zone is away from another, and any change of clocks
_OF_THE_MACHINE: Final = ("localtime", "posixrules", "Factory")  # whatever a machine is set to, or nothing at all
_MOST_JOINED: Final = 64  # occurrences that follow each other without a gap, as Saturday and Sunday do


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name in the IANA database. Raises CalendarError."""
    import zoneinfo

    if name in _OF_THE_MACHINE or name.startswith(("posix/", "right/")):
        says = f'"{name}" is no time zone that every machine reads alike'
        raise CalendarError(says, "write one such as UTC or Europe/Berlin")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = zoneinfo.available_timezones()
        folded = {zone.casefold(): zone for zone in sorted(known)}
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
        hint = f'did you mean "{folded[near[0]]}"?' if near else "write one such as UTC or Europe/Berlin"
        raise CalendarError(f'unknown time zone "{name}"', hint if known else "pip install tzdata") from error


def instant_of(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the clocks of a zone show this; of two the first, of a skipped one the later."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def readings_of(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the earliest and the latest instant that may be meant: two only where the clocks show it twice or never.

    A time that they skip is read as far before the change as behind it.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return min(first, second), max(first, second)


def now_in(entry: CalendarEntry, now: datetime) -> Occurrence | None:
    """Return the occurrence that an instant is in; its end is the one after which nothing follows at once.

    Raises CalendarError when the calendar cannot be evaluated.
    """
    if entry.begins is not None and entry.ends is not None:
        return Occurrence(entry.begins, entry.ends) if entry.begins <= now < entry.ends else None
    found: Occurrence | None = None
    joined = 0
    for each in _around(entry, now):
        if found is None:
            if each.begins > now:
                return None
            found = each if now < each.ends else None
        elif each.begins > found.ends or joined == _MOST_JOINED:
            return found
        else:
            found = Occurrence(found.begins, max(found.ends, each.ends))
            joined += 1
    return found


def next_after(entry: CalendarEntry, now: datetime) -> Occurrence | None:
    """Return the first occurrence that begins after an instant. Raises CalendarError."""
    if entry.begins is not None and entry.ends is not None:
        return Occurrence(entry.begins, entry.ends) if entry.begins > now else None
    return next((each for each in _around(entry, now) if each.begins > now), None)


def _around(entry: CalendarEntry, now: datetime) -> Iterator[Occurrence]:
    """Yield the occurrences of a recurring entry in order, from one that has ended by now."""
    zone = zone_of(entry.zone)
    rule = parse_recurrence(entry.every, entry.starting)
    at = time.fromisoformat(entry.at)
    earliest = (now.astimezone(zone) - entry.lasts - _SKEW).date()
    for day in rule.days(earliest):
        if day >= earliest:
            begins = instant_of(datetime.combine(day, at), zone)
            yield Occurrence(begins, begins + entry.lasts)
