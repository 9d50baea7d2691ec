"""`say_duration` rounds for people; `duration_text` is exact, and what a document can hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.model.duration import say_duration
from runbook_engine.model.quantity import duration_text, parse_duration

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("period", "said", "exact"),
    [
        pytest.param(timedelta(0), "0s", "0s", id="nothing"),
        pytest.param(SECOND / 4, "250ms", "250ms", id="less than a second"),
        pytest.param(45 * SECOND, "45s", "45s", id="seconds"),
        pytest.param(90 * SECOND, "1m30s", "1m30s", id="two units"),
        pytest.param(3600 * SECOND, "1h", "1h", id="an even hour"),
        pytest.param(3661 * SECOND, "1h1m", "1h1m1s", id="a third unit is not said"),
        pytest.param(86403 * SECOND, "1d", "1d3s", id="nor one that is far below the first"),
        pytest.param(-90 * SECOND, "-1m30s", "-1m30s", id="before"),
        pytest.param(400 * 86400 * SECOND, "400d", "400d", id="days are the largest"),
    ],
)
def test_a_duration_is_said_and_written(period: timedelta, said: str, exact: str) -> None:
    """Two words for two uses."""
    assert (said, exact) == (say_duration(period), duration_text(period))


def test_what_is_written_can_be_read_back() -> None:
    """What is said cannot: it is an age, not a setting."""
    period = 3661 * SECOND

    assert period == parse_duration(duration_text(period))
    assert period != parse_duration(say_duration(period))
