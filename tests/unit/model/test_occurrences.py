"""An entry of the calendar holds exactly when the clocks of its zone say so, found without counting through years."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_engine.model.calendar import CalendarEntry, Occurrence
from runbook_engine.model.occurrences import next_after, now_in
from runbook_engine.model.recurrence import CalendarError, check_length, parse_recurrence
from tests.length import examples

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NEAR = {  # near a change of the clocks, where there is one
    "Europe/Berlin spring": ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "Europe/Berlin autumn": ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York spring": ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    "Australia/Lord_Howe, half an hour": ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Asia/Kolkata": ("Asia/Kolkata", datetime(2026, 6, 1, tzinfo=UTC)),
}


def weekly(zone: str, days: frozenset[int], at: str, lasts: timedelta) -> CalendarEntry:
    """Return an entry on some days of the week."""
    chosen = ",".join(DAYS[day] for day in sorted(days))
    return CalendarEntry(name="night", zone=zone, every=f"FREQ=WEEKLY;BYDAY={chosen}", at=at, lasts=lasts)


def utc(text: str) -> datetime:
    """Return an instant that is written without its zone, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def minutes_held(entry: CalendarEntry, days: frozenset[int], first: datetime, last: datetime) -> set[datetime]:
    """Return the minutes at which an entry holds, found by watching the clocks of its zone minute by minute."""
    zone, at = ZoneInfo(entry.zone), datetime.strptime(entry.at, "%H:%M").time()  # noqa: DTZ007  # a time of day
    starts: dict[date, datetime] = {}
    instant = first - entry.lasts - 2 * DAY
    before = instant.astimezone(zone).replace(tzinfo=None)
    while instant < last:
        instant += MINUTE
        shown = instant.astimezone(zone).replace(tzinfo=None)
        wall = datetime.combine(shown.date(), at)
        skipped = before + MINUTE <= wall < shown
        if (shown == wall or skipped) and wall.weekday() in days:
            starts.setdefault(wall.date(), instant + (wall - before - MINUTE if skipped else timedelta(0)))
        before = shown
    length = int(entry.lasts / MINUTE)
    held = {start + each * MINUTE for start in starts.values() for each in range(length)}
    return {minute for minute in held if first <= minute < last}


@pytest.mark.slow
@settings(max_examples=examples(25), deadline=None)
@given(
    near=st.sampled_from(sorted(NEAR)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    at=st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 15, 30, 59))),
    hours=st.sampled_from((0.25, 1, 6, 23, 24)),
)
@example(near="Europe/Berlin spring", days=frozenset({6}), at="02:30", hours=1)
@example(near="Europe/Berlin autumn", days=frozenset({6}), at="02:30", hours=1)
@example(near="Australia/Lord_Howe, half an hour", days=frozenset({6}), at="02:15", hours=0.25)
def test_now_in_agrees_with_the_clocks_minute_by_minute(near: str, days: frozenset[int], at: str, hours: float) -> None:
    """What is computed is what somebody sees who watches the clock of that zone, on both sides of every edge."""
    zone, centre = NEAR[near]
    entry = weekly(zone, days, at, hours * HOUR)
    first, last = centre - DAY, centre + DAY
    held = minutes_held(entry, days, first, last)
    edges = {minute + side for minute in held for side in (-MINUTE, MINUTE) if minute + side not in held}
    asked = {first, centre, last - MINUTE, *edges, *(edge + side for edge in edges for side in (-MINUTE, MINUTE))}

    found = {minute: now_in(entry, minute) for minute in asked if first <= minute < last}

    assert {minute: minute in held for minute in found} == {minute: each is not None for minute, each in found.items()}
    for minute, each in found.items():
        following = next_after(entry, minute)
        assert following is not None
        assert following.begins > minute
        if each is not None and each.ends < last:
            assert each.ends not in held
            assert each.ends - MINUTE in held


@pytest.mark.parametrize(
    ("at", "now", "expected"),
    [
        pytest.param(
            "02:30",
            "2026-03-29T01:45",
            Occurrence(utc("2026-03-29T01:30"), utc("2026-03-29T02:30")),
            id="an hour that the clocks skip is read an hour later",
        ),
        pytest.param(
            "02:30",
            "2026-10-25T01:00",
            Occurrence(utc("2026-10-25T00:30"), utc("2026-10-25T01:30")),
            id="of an hour that they show twice the first",
        ),
        pytest.param("02:30", "2026-10-25T01:30", None, id="and not the second again"),
        pytest.param(
            "23:00",
            "2026-03-28T22:30",
            Occurrence(utc("2026-03-28T22:00"), utc("2026-03-28T23:00")),
            id="an evening is what its zone calls so",
        ),
    ],
)
def test_now_in_reads_the_clocks_when_they_change(at: str, now: str, expected: Occurrence | None) -> None:
    """Berlin goes from 02:00 to 03:00 in spring, and through two o'clock twice in autumn."""
    entry = CalendarEntry(name="night", zone="Europe/Berlin", every="FREQ=DAILY", at=at, lasts=HOUR)

    assert expected == now_in(entry, utc(now))


def test_now_in_joins_what_follows_at_once() -> None:
    """A weekend is one time, although it is written as two days."""
    weekend = weekly("UTC", frozenset({5, 6}), "00:00", DAY)

    assert Occurrence(utc("2026-01-10T00:00"), utc("2026-01-12T00:00")) == now_in(weekend, utc("2026-01-10T12:00"))


@pytest.mark.parametrize(
    ("every", "starting", "now", "expected"),
    [
        pytest.param("FREQ=MONTHLY;BYMONTHDAY=25", "", "2026-01-26", "2026-02-25", id="a day of the month"),
        pytest.param("FREQ=MONTHLY;BYDAY=-1FR", "", "2026-01-05", "2026-01-30", id="the last Friday"),
        pytest.param(
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "", "2026-01-15", "2026-01-30", id="last workday"
        ),
        pytest.param("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "", "2026-01-05", "2028-02-29", id="a day of leap years"),
        pytest.param("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "", "2097-01-05", "2104-02-29", id="none in 2100"),
        pytest.param(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-01-05", "2026-01-06", "2026-01-19", id="every second week"
        ),
        pytest.param(
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2036-01-14", "2026-01-06", "2026-01-12", id="counted back as well"
        ),
        pytest.param("FREQ=DAILY;INTERVAL=3", "2026-01-05", "2026-01-09", "2026-01-11", id="every third day"),
        pytest.param(
            "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1", "2025-12-01", "2026-01-09", "2026-03-01", id="every quarter"
        ),
    ],
)
def test_next_after_is_the_day_of_the_rule(every: str, starting: str, now: str, expected: str) -> None:
    """The next day is found wherever one begins to look."""
    entry = CalendarEntry(name="due", zone="UTC", every=every, at="06:00", lasts=HOUR, starting=starting)

    found = next_after(entry, utc(now + "T12:00"))

    assert found is not None
    assert (expected, 6) == (found.begins.date().isoformat(), found.begins.hour)


@settings(max_examples=examples(60), deadline=None)
@given(
    rule=st.sampled_from(
        (
            ("FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,SA", "2024-02-28"),
            ("FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=-1,13", "2023-08-31"),
            ("FREQ=DAILY;INTERVAL=17", "2025-12-31"),
            ("FREQ=MONTHLY;BYDAY=2TU", ""),
            ("FREQ=YEARLY;BYWEEKNO=1,20;BYDAY=MO", ""),
        )
    ),
    first=st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    later=st.integers(0, 900),
)
def test_days_are_the_same_wherever_counting_begins(rule: tuple[str, str], first: date, later: int) -> None:
    """Two people who begin to look at different dates find the same days: no rule depends on its beginning."""
    recurrence = parse_recurrence(*rule)
    second = first + later * DAY

    expected = list(islice((day for day in recurrence.days(first) if day >= second), 5))
    found = list(islice((day for day in recurrence.days(second) if day >= second), 5))

    assert expected == found


@pytest.mark.parametrize("every", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=3"])
def test_parse_recurrence_gives_up_soon_when_no_day_ever_comes(every: str) -> None:
    """What never happens is refused, and nobody counts through eight thousand years to find that out."""
    before = time.process_time()

    with pytest.raises(CalendarError, match="no year has such a day"):
        parse_recurrence(every)

    assert time.process_time() - before < 2


def test_check_length_takes_a_day_that_comes_once_in_many_years() -> None:
    """February has five Mondays once in 28 years: that is seldom, and not without end."""
    rule = parse_recurrence("FREQ=YEARLY;BYMONTH=2;BYDAY=5MO")

    check_length(rule, DAY)

    assert date(2044, 2, 29) == next(rule.days(date(2026, 1, 1)))


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(text=st.text(alphabet="FREQ=;BYDAMONTHLKWSPOI,0123456789+- ", max_size=60), hours=st.integers(1, 700))
def test_parse_recurrence_reads_or_refuses_any_text(text: str, hours: int) -> None:
    """Any text is a rule with days, or a sentence about what is wrong."""
    try:
        rule = parse_recurrence(text)
        check_length(rule, hours * HOUR)
    except CalendarError as error:
        assert error.message  # noqa: PT017  # either outcome is right, and this one has a sentence
    else:
        assert next(rule.days(date(2026, 1, 5))) >= date(2026, 1, 1)
