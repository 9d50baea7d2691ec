"""The shorthand for series reads as promtool reads it."""

from __future__ import annotations

import math

import pytest

from runbook_engine.documents.series import InvalidSeries, parse_series


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("5", (5.0,), id="one sample"),
        pytest.param("0.5x2", (0.5, 0.5, 0.5), id="a value and two more"),
        pytest.param("1+2x3", (1.0, 3.0, 5.0, 7.0), id="rising"),
        pytest.param("-2-1x2", (-2.0, -3.0, -4.0), id="falling below zero"),
        pytest.param("1 _ _x2 1e-3", (1.0, None, None, None, 0.001), id="gaps"),
    ],
)
def test_parse_series_repeats_and_steps_when_told_to(text: str, expected: tuple[float | None, ...]) -> None:
    """Each part becomes its samples, in order."""
    assert expected == parse_series(text)


def test_parse_series_keeps_what_is_no_number_when_told_to() -> None:
    """NaN and infinity are samples."""
    samples = parse_series("NaNx1 +Inf")

    assert [True, True, False] == [math.isnan(sample or 0) for sample in samples]
    assert math.inf == samples[-1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "the series has no sample (write _ for an interval without one)", id="no sample"),
        pytest.param(
            "1 two",
            '"two" is no part of a series, which looks like 0.12x4 1+2x3 _x2 NaN',
            id="a word that is no number",
        ),
        pytest.param(
            "1*3", '"1*3" is no part of a series, which looks like 0.12x4 1+2x3 _x2 NaN', id="a star instead of an x"
        ),
        pytest.param("1x100000", "the series has more than 100000 samples", id="too many samples"),
    ],
)
def test_parse_series_refuses_when_a_part_is_unclear(text: str, sentence: str) -> None:
    """The sentence shows the part and an example."""
    with pytest.raises(InvalidSeries) as raised:
        parse_series(text)

    assert sentence == str(raised.value)
