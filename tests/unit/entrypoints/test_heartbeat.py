"""The heartbeat: what it says of a worker, whatever the clock did since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_engine.entrypoints.heartbeat import Heartbeat, is_fresh

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "fresh"),
    [
        pytest.param(timedelta(0), True, id="of this moment"),
        pytest.param(timedelta(seconds=14), True, id="a round ago"),
        pytest.param(timedelta(seconds=15), False, id="one that is old"),
        pytest.param(timedelta(seconds=-2), True, id="a little ahead, as a clock that is corrected"),
        pytest.param(timedelta(seconds=-6), False, id="from the future: the clock was set back since"),
        pytest.param(timedelta(days=-1), False, id="from tomorrow"),
    ],
)
def test_a_beat_is_fresh_when_it_can_only_be_of_now(ago: timedelta, fresh: bool) -> None:
    """One from the future would be fresh until that time comes, whoever died meanwhile."""
    assert fresh == is_fresh(Heartbeat(at=NOW - ago, pid=1, owner="w"), NOW)


def test_no_beat_is_not_fresh() -> None:
    """Nobody has gone round."""
    assert not is_fresh(None, NOW)
