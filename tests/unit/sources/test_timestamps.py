"""Instants are read in every form that senders use, and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.sources.timestamps import BadTimestamp, parse_timestamp

NOON = datetime(2026, 5, 11, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("2026-05-11T12:00:00Z", NOON, id="UTC"),
        pytest.param("2026-05-11t12:00:00z", NOON, id="lower case"),
        pytest.param("2026-05-11T14:00:00+02:00", NOON, id="an offset"),
        pytest.param("2026-05-11T14:00:00+0200", NOON, id="an offset without a colon"),
        pytest.param("2026-05-11T12:00:00.123456789Z", NOON.replace(microsecond=123456), id="nanoseconds, cut"),
        pytest.param("2026-05-11T12:00:00.5Z", NOON.replace(microsecond=500_000), id="one digit"),
        pytest.param(SECONDS, NOON, id="seconds"),
        pytest.param(SECONDS + 0.5, NOON.replace(microsecond=500_000), id="seconds with a fraction"),
        pytest.param(SECONDS * 1000, NOON, id="milliseconds"),
        pytest.param(SECONDS * 1_000_000, NOON, id="microseconds"),
        pytest.param(SECONDS * 1_000_000_000, NOON, id="nanoseconds"),
        pytest.param("0001-01-01T00:00:00Z", None, id="Go's zero"),
        pytest.param("0001-01-01T00:00:00+05:30", None, id="Go's zero elsewhere"),
        pytest.param("1970-01-01T00:00:00Z", None, id="the epoch"),
        pytest.param("1970-01-01T01:00:00+02:00", None, id="before the epoch in UTC"),
        pytest.param(0, None, id="number zero"),
        pytest.param(-5, None, id="a negative number"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
    ],
)
def test_an_instant_is_read_when_it_has_a_known_form(value: object, expected: datetime | None) -> None:
    """In UTC, to the microsecond; anything up to 1970 is no instant."""
    assert parse_timestamp(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-05-11T12:00:00",
        "2026-05-11",
        "9999-12-31T23:59:59-12:00",
        True,
        [],
        {},
        10**40,
        "2026-13-01T00:00:00Z",
    ],
    ids=repr,
)
def test_an_instant_is_bad_when_it_cannot_be_ordered_by(value: object) -> None:
    """Above all one without a zone."""
    with pytest.raises(BadTimestamp):
        parse_timestamp(value)


@given(
    st.text(max_size=30) | st.integers() | st.floats() | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
)
def test_any_value_is_an_instant_in_utc_or_nothing_or_bad(value: object) -> None:
    """No other exception, whatever is sent."""
    try:
        moment = parse_timestamp(value)
    except BadTimestamp:
        return
    assert moment is None or (moment.tzinfo is UTC and moment.year >= 1970)
