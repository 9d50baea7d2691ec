"""Simulated metrics: what was written down, when it is stale, and what follows from the world."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from runbook_engine.errors import Unreadable
from runbook_engine.testing import SimulatedWorld
from runbook_engine.testing.series import parse_key


def ask(simulated: SimulatedWorld, query: str, **where: str) -> list[float]:
    """Return the values that a query answers now."""
    return [sample.value for sample in simulated.world.metrics.query(query, where, simulated.clock.now())]


@pytest.mark.parametrize(
    ("key", "name", "labels"),
    [
        pytest.param("checkout:error_ratio", "checkout:error_ratio", {}, id="a name"),
        pytest.param('up{job="a", pod="b"}', "up", {"job": "a", "pod": "b"}, id="a name with labels"),
        pytest.param('up{path="a\\"b,c"}', "up", {"path": 'a"b,c'}, id="a label with a quote and a comma"),
        pytest.param("up{}", "up", {}, id="no labels"),
        pytest.param("sum(rate(x[5m])) by (y)", "sum(rate(x[5m])) by (y)", {}, id="an expression as a whole"),
        pytest.param('up{job=~"a"}', 'up{job=~"a"}', {}, id="a regular expression as a whole"),
    ],
)
def test_key_is_split_when_it_names_a_series(key: str, name: str, labels: dict[str, str]) -> None:
    """What is no plain series is a name as a whole."""
    assert parse_key(key) == (name, labels)


def test_newest_sample_counts_when_time_passes() -> None:
    """Between two samples the older one holds; after the last it goes stale."""
    simulated = SimulatedWorld()
    simulated.script("errors", [0.1, 0.2], interval=timedelta(seconds=15))

    seen = []
    for seconds in (0, 14, 1, 299, 1, 1):
        simulated.push(timedelta(seconds=seconds))
        seen.append(ask(simulated, "errors"))

    assert seen == [[0.1], [0.1], [0.2], [0.2], [0.2], []]


def test_last_sample_stays_when_asked_to() -> None:
    """A series of a test file goes on with its last sample, taken just now."""
    simulated = SimulatedWorld()
    simulated.script("errors", "0.1 0.2", stays=True)

    simulated.push(timedelta(days=1))

    [sample] = simulated.world.metrics.query("errors", {}, simulated.clock.now())
    assert (sample.value, sample.at) == (0.2, simulated.clock.now())


def test_gap_has_no_data_when_it_begins() -> None:
    """A gap hides the sample before it at once, and NaN is a value that is none."""
    simulated = SimulatedWorld()
    simulated.script("errors", "0.1 _ NaN")

    first = ask(simulated, "errors")
    simulated.push(timedelta(seconds=15))
    gap = ask(simulated, "errors")
    simulated.push(timedelta(seconds=15))
    [not_a_number] = ask(simulated, "errors")

    assert (first, gap) == ([0.1], [])
    assert math.isnan(not_a_number)


def test_unknown_query_has_no_data_when_asked() -> None:
    """What nobody wrote down is not zero."""
    assert ask(SimulatedWorld(), "errors") == []


def test_labels_select_when_the_series_has_some() -> None:
    """`where` and the query's own labels select; a series without labels answers for any."""
    simulated = SimulatedWorld()
    simulated.script('errors{cluster="a",pod="1"}', [0.1])
    simulated.script('errors{cluster="b",pod="1"}', [0.2])
    simulated.script("latency", [0.3])

    assert ask(simulated, "errors") == [0.1, 0.2]
    assert ask(simulated, "errors", cluster="b") == [0.2]
    assert ask(simulated, 'errors{pod="1"}', cluster="a") == [0.1]
    assert ask(simulated, "errors", zone="x") == []
    assert ask(simulated, "latency", cluster="a") == [0.3]


def test_history_returns_every_step_when_asked() -> None:
    """Points at every step, and none in a gap."""
    simulated = SimulatedWorld()
    simulated.script("errors", "0.1 _ 0.3", interval=timedelta(minutes=1))
    start = simulated.clock.start
    simulated.push(timedelta(minutes=2))

    [series] = simulated.world.metrics.history("errors", {}, start, simulated.clock.now(), timedelta(minutes=1))

    assert series.points == ((start, 0.1), (start + timedelta(minutes=2), 0.3))


def test_computed_series_follows_the_world_when_it_changes() -> None:
    """A reactive series is read afresh, and remembers what it was."""
    simulated = SimulatedWorld()
    simulated.compute("errors", lambda world: 0.01 if world.value_of("/degraded") == "true" else 0.12)

    before = ask(simulated, "errors")
    simulated.push(timedelta(seconds=31))
    simulated.set_parameter("/degraded", "true")
    after = ask(simulated, "errors")
    simulated.push(timedelta(seconds=15))

    [series] = simulated.world.metrics.history(
        "errors", {}, simulated.clock.start, simulated.clock.now(), timedelta(seconds=15)
    )
    assert (before, after) == ([0.12], [0.01])
    assert [value for _, value in series.points] == [0.12, 0.12, 0.12, 0.01]


def test_metrics_cannot_be_read_when_made_unreadable() -> None:
    """A broken reader says so, until it is mended."""
    simulated = SimulatedWorld()
    simulated.script("errors", [0.1])
    simulated.faults.make_unreadable("metrics", "connection refused")

    with pytest.raises(Unreadable, match=r"^metrics cannot be read: connection refused$"):
        ask(simulated, "errors")

    simulated.faults.make_readable("metrics")
    assert ask(simulated, "errors") == [0.1]
