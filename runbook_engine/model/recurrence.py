"""A recurrence rule: which days an entry of the calendar begins on, as RFC 5545 writes them.

Only days: the time of day, the length and the zone stand in fields of their own. Everything that would make a rule
depend on where one begins to count is refused (COUNT, UNTIL, a MONTHLY without a day), so that the days around any
date are found from that date alone, and nobody ever counts through the years. The calendar itself is python-dateutil,
imported when the first rule is met.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Final

import msgspec

LONGEST_RULE: Final = 200
LAST_YEARS: Final = datetime(9970, 1, 1)  # noqa: DTZ001  # a rule's days have no zone; all kinds of years follow, and then none
_SAMPLE: Final = 400
_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TIMES: Final = ("SECONDLY", "MINUTELY", "HOURLY")
_DAYS: Final = re.compile(r"(?P<nth>[+-]?[0-9]{1,2})?(?P<day>MO|TU|WE|TH|FR|SA|SU)")
_RANGES: Final[Mapping[str, int]] = {
    "BYMONTH": 12,
    "BYMONTHDAY": 31,
    "BYYEARDAY": 366,
    "BYWEEKNO": 53,
    "BYSETPOS": 366,
}
_PARTS: Final = ("FREQ", "INTERVAL", "BYDAY", *_RANGES)
_REFUSED: Final[Mapping[str, str]] = {
    "BYHOUR": "write the time of day as at",
    "BYMINUTE": "write the time of day as at",
    "BYSECOND": "write the time of day as at",
    "COUNT": "what ends is written once, with from and to",
    "UNTIL": "what ends is written once, with from and to",
    "WKST": "weeks begin on Monday here: leave it out",
    "DTSTART": "write at for the time of day, and starting for the date from which INTERVAL counts",
}


class CalendarError(ValueError):
    """A calendar's text means nothing, or not what its author thinks."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Recurrence(msgspec.Struct, frozen=True):
    """A rule that was read: its text for the calendar, how often, and which of the turns count."""

    text: str
    frequency: str
    interval: int = 1
    starting: date | None = None

    def days(self, around: date) -> Iterator[date]:
        """Yield the days of the rule in order, from the turn that `around` is in; never from further back."""
        from dateutil.rrule import rrulestr

        for found in rrulestr(self.text, dtstart=datetime.combine(self._turn(around), time())):
            yield found.date()

    def _turn(self, around: date) -> date:
        """Return the first day of the turn that a date is in: the days of a rule depend on nothing before it."""
        if self.interval == 1 or self.starting is None:
            return _first_of(self.frequency, around)
        first = _first_of(self.frequency, self.starting)
        if self.frequency == "MONTHLY":
            months = (around.year - first.year) * 12 + around.month - first.month
            months -= months % self.interval
            year, month = divmod(first.month - 1 + months, 12)
            return date(first.year + year, month + 1, 1)
        length = self.interval * (7 if self.frequency == "WEEKLY" else 1)
        return first + timedelta(days=(around - first).days // length * length)


def parse_recurrence(text: str, starting: str = "") -> Recurrence:
    """Return a rule. Raises CalendarError with what is wrong with it, and what to write instead."""
    parts = _read(text)
    frequency = parts["FREQ"]
    for name, written in parts.items():
        _check_part(name, written, frequency)
    interval = int(parts.get("INTERVAL", "1"))
    chosen = set(parts) & {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}
    if frequency != "DAILY" and not chosen:
        says = f"{frequency} alone does not say which day"
        raise CalendarError(says, "add BYDAY=MO" if frequency == "WEEKLY" else "add BYMONTHDAY=1 or BYDAY=1MO")
    rule = Recurrence(text, frequency, interval, _starting(parts, interval, starting))
    if next(rule.days(LAST_YEARS.date()), None) is None:
        raise CalendarError("no year has such a day", "the parts of a rule must all hold at once")
    return rule


def check_length(rule: Recurrence, lasts: timedelta) -> None:
    """Raise CalendarError when one occurrence reaches into the next, or when there is nothing between any of them."""
    days = list(islice(rule.days(LAST_YEARS.date()), _SAMPLE))
    gaps = [(after - before, before, after) for before, after in pairwise(days)]
    shortest = min((gap for gap, _, _ in gaps), default=lasts + timedelta(1))
    if shortest < lasts:
        says = f"one begins {shortest.days}d after another, before that has ended"
        raise CalendarError(says, f"write for: {shortest.days}d or shorter")
    if gaps and all(gap == lasts for gap, _, _ in gaps):
        raise CalendarError("it never ends: one begins as the one before ends", "shorten for")


def _first_of(frequency: str, day: date) -> date:
    match frequency:
        case "WEEKLY":
            return day - timedelta(days=day.weekday())
        case "MONTHLY":
            return day.replace(day=1)
        case "YEARLY":
            return day.replace(month=1, day=1)
        case _:
            return day


def _read(text: str) -> dict[str, str]:
    if len(text) > LONGEST_RULE:
        raise CalendarError(f"a rule has at most {LONGEST_RULE} characters, this one {len(text)}")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise CalendarError(f'"{part}" is no part of a rule', "write it as in FREQ=WEEKLY;BYDAY=MO,TU")
        if name in _REFUSED:
            raise CalendarError(f"{name} does not belong here", _REFUSED[name])
        if name not in _PARTS:
            raise CalendarError(f'unknown part "{name}" of a rule', _near(name, _PARTS))
        if name in parts:
            raise CalendarError(f"{name} is written twice", "keep one of the two")
        parts[name] = value
    if "FREQ" not in parts:
        raise CalendarError("FREQ is missing", "write it as in FREQ=WEEKLY;BYDAY=MO,TU")
    if parts["FREQ"] in _TIMES:
        raise CalendarError(f"{parts['FREQ']} is no frequency of days", "write FREQ=DAILY, with at and for")
    if parts["FREQ"] not in _FREQUENCIES:
        raise CalendarError(f'unknown frequency "{parts["FREQ"]}"', _near(parts["FREQ"], _FREQUENCIES))
    return parts


def _check_part(name: str, written: str, frequency: str) -> None:
    if name == "INTERVAL" and not re.fullmatch(r"[1-9][0-9]{0,2}", written):
        raise CalendarError(f'INTERVAL is a whole number from 1 to 999, not "{written}"')
    if name == "BYDAY":
        _check_days(written, frequency)
    if name in ("BYYEARDAY", "BYWEEKNO") and frequency != "YEARLY":
        raise CalendarError(f"{name} belongs to FREQ=YEARLY, this is {frequency}")
    if name == "BYMONTHDAY" and frequency == "WEEKLY":
        raise CalendarError("BYMONTHDAY does not belong to FREQ=WEEKLY", "write FREQ=MONTHLY")
    if name == "BYSETPOS" and frequency not in ("MONTHLY", "YEARLY"):
        raise CalendarError(f"BYSETPOS belongs to FREQ=MONTHLY and FREQ=YEARLY, this is {frequency}")
    if name in _RANGES:
        least = "1" if name == "BYMONTH" else f"-{_RANGES[name]}"
        for number in written.split(","):
            signed = re.fullmatch(r"[0-9]{1,3}" if name == "BYMONTH" else r"[+-]?[0-9]{1,3}", number)
            if not signed or not 1 <= abs(int(number)) <= _RANGES[name]:
                raise CalendarError(f'{name} is a number from {least} to {_RANGES[name]}, not "{number}"')


def _check_days(written: str, frequency: str) -> None:
    for text in written.split(","):
        found = _DAYS.fullmatch(text)
        if not found:
            raise CalendarError(f'BYDAY names days as in MO or -1FR, not "{text}"', "MO, TU, WE, TH, FR, SA, SU")
        if found["nth"] is None:
            continue
        most = {"MONTHLY": 5, "YEARLY": 53}.get(frequency, 0)
        if not most:
            raise CalendarError(f'"{text}" counts days of a month, this is {frequency}', "write FREQ=MONTHLY")
        if not 1 <= abs(int(found["nth"])) <= most:
            raise CalendarError(f'"{text}" is never: it counts from 1 to {most}, or from -{most} to -1')


def _starting(parts: Mapping[str, str], interval: int, starting: str) -> date | None:
    """Return the date from which the turns are counted. Raises CalendarError when it is missing or means nothing."""
    if interval == 1:
        if starting:
            raise CalendarError("starting belongs to a rule with INTERVAL=2 or more", "remove it")
        return None
    if not starting:
        says = f"every {interval} turns, counted from when?"
        raise CalendarError(says, "add starting: 2026-01-05, the date of the first one")
    if parts["FREQ"] == "YEARLY" or set(parts) & {"BYMONTH", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}:
        raise CalendarError("INTERVAL goes with FREQ=DAILY, WEEKLY or MONTHLY and one of BYDAY, BYMONTHDAY")
    days = [int(number) for number in parts.get("BYMONTHDAY", "1").split(",")]
    rare = any(abs(day) > 28 for day in days) or re.search(r"[+-]?5", parts.get("BYDAY", ""))
    if rare or (parts["FREQ"] == "DAILY" and len(parts) > 2) or {"BYDAY", "BYMONTHDAY"} <= set(parts):
        raise CalendarError("with INTERVAL, each turn must have its day", "write a day that every turn has")
    try:
        return date.fromisoformat(starting)
    except ValueError as error:
        raise CalendarError(f'"{starting}" is no date', "write it as in 2026-01-05") from error


def _near(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.upper(), known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
