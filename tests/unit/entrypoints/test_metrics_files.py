"""Counting apart: what a process counted that found no room is moved into its files, whole and once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from runbook_engine.entrypoints import metrics_files
from runbook_engine.entrypoints.metrics import Metrics

DONE = ("scale", "do", "done")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is not there yet, so that nothing can be written in it."""
    folder = tmp_path / "metrics"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    yield folder
    values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]  # ships no types


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample that Prometheus reads, by its name and its label values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render([]).decode())
        for sample in family.samples
    }


def test_what_was_counted_apart_is_moved_when_there_is_room(folder: Path) -> None:
    """Counters and histograms, of before and of after; the next scrape is enough."""
    clock = Clock()
    metrics = Metrics(folder, clock=clock)
    metrics.alerts.labels("accepted").inc(3)
    metrics.action_seconds.labels(*DONE).observe(0.2)
    folder.mkdir()
    clock.now = 60.0

    first = scraped(metrics)
    metrics.alerts.labels("accepted").inc(2)
    metrics.alerts.labels("refused").inc()
    metrics.action_seconds.labels(*DONE).observe(100)
    second = scraped(metrics)

    assert 3.0 == first["runbook_alerts_total", ("accepted",)]
    assert 5.0 == second["runbook_alerts_total", ("accepted",)]
    assert 1.0 == second["runbook_alerts_total", ("refused",)]
    within = [second["runbook_action_seconds_bucket", ("scale", "do", le, "done")] for le in ("0.5", "120.0")]
    assert [1.0, 2.0] == within
    assert (2.0, 100.2) == (second["runbook_action_seconds_count", DONE], second["runbook_action_seconds_sum", DONE])


def test_why_it_counted_apart_at_first_stays_known(folder: Path) -> None:
    """That is what the process logs."""
    metrics = Metrics(folder, clock=Clock())

    no_room = f"{folder} cannot be written: No such file or directory"
    assert f"{no_room} (what this process counts joins the others when it can)" == metrics.apart


def test_a_process_that_has_room_counts_in_its_files_at_once(tmp_path: Path, folder: Path) -> None:
    """Nothing stands between it and them."""
    before = values.ValueClass
    folder.mkdir()

    metrics = Metrics(folder)

    assert ("", before) == (metrics.apart, values.ValueClass)


def test_room_is_looked_for_every_few_seconds_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is counted: what is counted most is deliveries, and those are in a hurry."""
    clock, looks = Clock(), []
    metrics = Metrics(folder, clock=clock)
    monkeypatch.setattr(metrics_files, "take_room", lambda folder: looks.append(clock.now) or "no room")
    folder.mkdir()

    for second in range(12):
        clock.now = float(second)
        for _ in range(10):
            metrics.alerts.labels("accepted").inc()
            metrics.render([])

    assert [5.0, 10.0] == looks


def test_nothing_is_lost_and_nothing_counted_twice_while_it_joins(folder: Path) -> None:
    """Many threads count while one of them moves what all have counted."""
    clock = Clock()
    metrics = Metrics(folder, clock=clock)
    folder.mkdir()

    def count(thread: int) -> None:
        for number in range(2000):
            clock.now = 60.0 if number == 1000 else clock.now
            metrics.deliveries.labels("202").inc()
            metrics.alerts.labels(f"{thread}-{number % 20}").inc()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))

    told = scraped(metrics)
    assert 16000.0 == told["runbook_deliveries_total", ("202",)]
    assert {100.0} == {told["runbook_alerts_total", (f"{thread}-{each}",)] for thread in range(8) for each in range(20)}


def test_what_is_counted_in_the_middle_of_a_move_waits_for_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be counted where nobody looks any more."""
    clock = Clock()
    metrics = Metrics(folder, clock=clock)
    accepted = metrics.alerts.labels("accepted")
    accepted.inc(3)
    folder.mkdir()
    another = threading.Thread(target=accepted.inc)
    monkeypatch.setattr(values, "get_value_class", lambda real=values.get_value_class: _interrupted(another, real()))

    clock.now = 60.0
    first = scraped(metrics)
    another.join()

    assert 3.0 <= first["runbook_alerts_total", ("accepted",)] <= 4.0
    assert 4.0 == scraped(metrics)["runbook_alerts_total", ("accepted",)]


def _interrupted(another: threading.Thread, real: type[Any]) -> type[Any]:
    class Interrupted(real):  # type: ignore[misc]  # ships no types
        """A number that another thread counts as well while it gets its first amount."""

        def inc(self, amount: float) -> None:
            if another.ident is None:
                another.start()
                another.join(0.05)
            super().inc(amount)

    return Interrupted


def test_a_file_that_cannot_be_opened_yet_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of connections may have taken every descriptor: that is no reason to fail whoever counts."""
    clock = Clock()
    metrics = Metrics(folder, clock=clock)
    metrics.alerts.labels("accepted").inc(3)
    metrics.action_seconds.labels(*DONE).observe(1)
    folder.mkdir()
    monkeypatch.setattr(values, "get_value_class", lambda real=values.get_value_class: _flooded(clock, real()))

    clock.now = 60.0
    metrics.alerts.labels("accepted").inc()
    clock.now = 120.0
    metrics.alerts.labels("accepted").inc()

    told = scraped(metrics)
    assert (5.0, 1.0) == (told["runbook_alerts_total", ("accepted",)], told["runbook_action_seconds_count", DONE])


def _flooded(clock: Clock, real: Callable[..., Any]) -> Callable[..., Any]:
    def number(kind: str, *named: Any, **rest: Any) -> Any:
        if kind == "histogram" and clock.now < 100:
            raise OSError(24, "Too many open files")
        return real(kind, *named, **rest)

    return number


def test_a_trial_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """An empty file of a process would be read for ever."""
    taken = tmp_path / f"histogram_{os.getpid()}.db"
    (taken / "in the way").mkdir(parents=True)

    why = metrics_files.take_room(tmp_path)

    assert "cannot be written: " in why
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
