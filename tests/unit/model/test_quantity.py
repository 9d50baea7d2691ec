"""Durations, percentages and sizes mean one thing, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.model.quantity import (
    InvalidQuantity,
    duration_text,
    parse_duration,
    parse_percent,
    parse_size,
    percent_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("15s", timedelta(seconds=15), id="seconds"),
        pytest.param("2m", timedelta(minutes=2), id="minutes"),
        pytest.param("1h30m", timedelta(minutes=90), id="hours and minutes"),
        pytest.param("1d", timedelta(days=1), id="a day"),
        pytest.param("250ms", timedelta(milliseconds=250), id="milliseconds"),
        pytest.param("0s", timedelta(0), id="nothing"),
    ],
)
def test_parse_duration_reads_what_people_write(text: str, expected: timedelta) -> None:
    """Numbers with units, largest first."""
    assert expected == parse_duration(text)


@pytest.mark.parametrize(
    ("parse", "value", "sentence"),
    [
        pytest.param(
            parse_duration, 30, "a duration is written like 15s, 2m or 1h30m, not 30", id="a number without a unit"
        ),
        pytest.param(
            parse_duration, "", 'a duration is written like 15s, 2m or 1h30m, not ""', id="a duration of no text"
        ),
        pytest.param(
            parse_duration, "5m2h", 'a duration is written like 15s, 2m or 1h30m, not "5m2h"', id="units turned round"
        ),
        pytest.param(
            parse_duration, "2 h", 'a duration is written like 15s, 2m or 1h30m, not "2 h"', id="a space before a unit"
        ),
        pytest.param(
            parse_duration, "-5m", 'a duration is written like 15s, 2m or 1h30m, not "-5m"', id="a negative duration"
        ),
        pytest.param(
            parse_duration, None, "a duration is written like 15s, 2m or 1h30m, not nothing", id="no duration at all"
        ),
        pytest.param(parse_percent, 0.5, "a percentage is written like 25%, not 0.5", id="a share without its sign"),
        pytest.param(parse_percent, True, "a percentage is written like 25%, not true", id="a boolean"),
        pytest.param(parse_size, "6MB", 'a size is written like 512KiB or 6MiB, not "6MB"', id="a decimal unit"),
    ],
)
def test_parse_refuses_when_a_quantity_is_unclear(
    parse: Callable[[object], object], value: object, sentence: str
) -> None:
    """The sentence says what such a quantity looks like."""
    with pytest.raises(InvalidQuantity) as raised:
        parse(value)

    assert sentence == str(raised.value)


@given(st.integers(min_value=0, max_value=10**12))
def test_duration_text_is_read_back_as_the_same_span(milliseconds: int) -> None:
    """Writing and reading are inverses."""
    span = timedelta(milliseconds=milliseconds)

    assert span == parse_duration(duration_text(span))


def test_percent_and_size_are_read_as_shares_and_bytes() -> None:
    """Units are applied."""
    assert (0.255, 6 * 1024 * 1024, "25.5%") == (parse_percent("25.5%"), parse_size("6MiB"), percent_text(0.255))
