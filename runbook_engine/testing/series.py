"""Simulated metrics: series that a test writes down as samples, or computes from the state of its world.

The newest sample counts, for five minutes; `_` is a gap in which there is no data at all. A series that `stays`
goes on with its last sample for ever.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

from runbook_engine.documents.series import parse_series
from runbook_engine.model.metric import say_query
from runbook_engine.model.observation import Sample, Series
from runbook_engine.testing.clock import SimulatedClock
from runbook_engine.testing.faults import Faults

STALE_AFTER = timedelta(minutes=5)
SCRAPE_PERIOD = timedelta(seconds=15)

_KEY = re.compile(r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<labels>.*)\})?")
_METRIC = re.compile(r"(?P<name>\S+ .+ \S+ [0-9]+[ms])(?: \{(?P<labels>.*)\})?")  # as MetricQuery.says
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


def parse_key(key: str) -> tuple[str, Mapping[str, str]]:
    """Return the name and the labels of `name{label="value"}`; any other query is a name as a whole.

    A metric without a query language is written as people read it: `AWS/Lambda Errors Sum 1m {FunctionName="web"}`.
    """
    key = say_query(key.strip())
    match = _KEY.fullmatch(key) or _METRIC.fullmatch(key)
    if match is None:
        return key, {}
    labels, rest = {}, match["labels"] or ""
    while rest.strip():
        label = _LABEL.match(rest)
        if label is None:
            return key, {}
        labels[label[1]] = label[2].replace('\\"', '"').replace("\\\\", "\\")
        rest = rest[label.end() :]
    return match["name"], labels


Samples = list[tuple[datetime, float | None]]


@dataclass(slots=True)
class SimulatedSeries:
    """One series: its samples so far, and for a computed one the function that makes the next."""

    name: str
    labels: Mapping[str, str]
    samples: Samples = field(default_factory=list)
    compute: Callable[[], float | None] | None = None
    stays: bool = False

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Say whether a query asks for this series; one that was written without labels answers for any."""
        if self.name != name:
            return False
        return not self.labels or all(self.labels.get(label) == value for label, value in labels.items())

    def newest(self, at: datetime) -> tuple[datetime, float] | None:
        """Return the newest sample at an instant, None when there is a gap or the newest is stale."""
        count = bisect_right(self.samples, at, key=itemgetter(0))
        if not count:
            return None
        taken, value = self.samples[count - 1]
        if self.stays and count == len(self.samples):
            taken = at
        return (taken, value) if value is not None and at - taken <= STALE_AFTER else None


class SimulatedMetrics:
    """A metric reader over series that a test made up."""

    def __init__(self, clock: SimulatedClock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._series: list[SimulatedSeries] = []

    def script(
        self,
        key: str,
        samples: str | Sequence[float | None],
        *,
        interval: timedelta = SCRAPE_PERIOD,
        stays: bool = False,
    ) -> None:
        """Add a series of samples, one every interval from the start on; text is shorthand, None is a gap."""
        name, labels = parse_key(key)
        values = parse_series(samples) if isinstance(samples, str) else samples
        timed: Samples = [(self._clock.start + index * interval, value) for index, value in enumerate(values)]
        self._series.append(SimulatedSeries(name, labels, timed, stays=stays))

    def compute(self, key: str, function: Callable[[], float | None]) -> None:
        """Add a series that follows from the world: it is read afresh, and scraped while time passes."""
        name, labels = parse_key(key)
        series = SimulatedSeries(name, labels, [(self._clock.now(), function())], function)
        self._series.append(series)
        self._clock.every(SCRAPE_PERIOD, lambda at: series.samples.append((at, function())))

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the newest sample of every series that is asked for."""
        self._faults.look("metrics.query")
        found = []
        for series in self._asked_for(query, where):
            newest = self._present(series, at)
            if newest is not None:
                found.append(Sample(labels=series.labels, value=newest[1], at=newest[0]))
        return tuple(found)

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return the newest sample at every step between two instants."""
        self._faults.look("metrics.history")
        steps = [start + index * step for index in range((end - start) // step + 1)]
        found = []
        for series in self._asked_for(query, where):
            points = [(at, newest[1]) for at in steps if (newest := series.newest(at)) is not None]
            if points:
                found.append(Series(labels=series.labels, points=tuple(points)))
        return tuple(found)

    def _asked_for(self, query: str, where: Mapping[str, str]) -> list[SimulatedSeries]:
        name, labels = parse_key(query)
        return [series for series in self._series if series.matches(name, {**labels, **where})]

    def _present(self, series: SimulatedSeries, at: datetime) -> tuple[datetime, float] | None:
        if series.compute is None or at < self._clock.now():
            return series.newest(at)
        value = series.compute()
        return None if value is None else (at, value)
