"""Firings: episodes read off a server's own series `ALERTS`, which says at every evaluation that an alert fires.

The figures asked for are the times of the samples, so that what a server shows for minutes after the last sample is
not taken for firing. A series that is absent for more than two steps, or whose last sample is five minutes old, has
ended; so has one whose `ALERTS_FOR_STATE` says that the alert began anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from runbook_engine.errors import TooMuch
from runbook_engine.model.hindsight import Window
from runbook_engine.model.observation import Series
from runbook_engine.ports import MetricReader

FIRING = 'timestamp(ALERTS{alertstate="firing"})'
PENDING_SINCE = "ALERTS_FOR_STATE"
NOT_OF_THE_ALERT = ("__name__", "alertstate")
MOST_POINTS = 10_000  # a server refuses more than 11,000 a series
AT_ONCE = timedelta(days=1)  # so that some hundreds of series fit into one answer
LEAST_AT_ONCE = timedelta(minutes=30)
MISSED_STEPS = 2
STALE_AFTER = timedelta(minutes=5)
OFF_BY = 1.0  # seconds; instants are asked for by the millisecond
NEW_BEGINNING = timedelta(minutes=1)  # a server that restores its state is off by less

Labels = tuple[tuple[str, str], ...]
Points = list[tuple[datetime, float]]


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one alert. `pending_since` is the server's own word for when its condition began to hold."""

    labels: Mapping[str, str]
    start: datetime
    end: datetime
    pending_since: datetime | None = None
    began_before: bool = False
    still_firing: bool = False


def read_firings(metrics: MetricReader, window: Window) -> tuple[Firing, ...]:
    """Return every episode of the window, oldest first. Raises Unreadable."""
    assert window.step is not None, "who asks a server says how often"
    firing = _ask(metrics, FIRING, window)
    pending = _ask(metrics, PENDING_SINCE, window)
    found = [each for labels, points in firing.items() for each in _firings(labels, points, pending, window)]
    return tuple(sorted(found, key=lambda each: (each.start, tuple(each.labels.items()))))


@dataclass(slots=True)
class _Stretch:
    """Points without a gap."""

    first: datetime
    last: datetime
    first_sample: float
    last_sample: float
    pending: float | None

    def goes_on(self, at: datetime, sample: float, pending: float | None, step: timedelta) -> bool:
        """Whether one more point belongs to it."""
        if at - self.last > MISSED_STEPS * step:
            return False
        anew = pending is not None and self.pending is not None and pending - self.pending
        return not anew or anew < NEW_BEGINNING.total_seconds()


def _firings(labels: Labels, points: Points, pending: Mapping[Labels, Points], window: Window) -> Iterator[Firing]:
    since = {at: began for at, began in pending.get(labels, ()) if 0 < began <= at.timestamp() + OFF_BY}
    stretches: list[_Stretch] = []
    assert window.step is not None, "who asks a server says how often"
    for at, sample in (point for point in points if _is_fresh(*point)):
        began = since.get(at)
        if stretches and stretches[-1].goes_on(at, sample, began, window.step):
            stretch = stretches[-1]
            stretch.last, stretch.last_sample = at, sample
            stretch.pending = began if began is not None else stretch.pending
        elif not _is_echo(stretches, sample):
            stretches.append(_Stretch(at, at, sample, sample, began))
    for stretch in stretches:
        yield _firing(labels, stretch, window, window.step)


def _is_fresh(at: datetime, sample: float) -> bool:
    """Whether a figure is the time of a sample that a server would still show then."""
    return -OFF_BY < at.timestamp() - sample < STALE_AFTER.total_seconds()


def _is_echo(stretches: list[_Stretch], sample: float) -> bool:
    """Whether a point only shows once more what a stretch has ended with."""
    return bool(stretches) and sample <= stretches[-1].last_sample


def _firing(labels: Labels, stretch: _Stretch, window: Window, step: timedelta) -> Firing:
    began_before = stretch.first <= window.since
    start = datetime.fromtimestamp(stretch.first_sample, UTC)
    pending = None if stretch.pending is None else datetime.fromtimestamp(stretch.pending, UTC)
    if pending is not None and pending > start:
        pending = None
    return Firing(
        labels=dict(labels),
        start=pending if began_before and pending is not None else max(start, window.since),
        end=min(datetime.fromtimestamp(stretch.last_sample, UTC) + step, window.until),
        pending_since=pending,
        began_before=began_before,
        still_firing=window.until - datetime.fromtimestamp(stretch.last_sample, UTC) <= MISSED_STEPS * step,
    )


def _ask(metrics: MetricReader, query: str, window: Window) -> Mapping[Labels, Points]:
    """Return every series of a query, its pieces put together."""
    found: dict[Labels, Points] = {}
    for piece in _pieces(metrics, query, window):
        for series in piece:
            labels = tuple(sorted((name, text) for name, text in series.labels.items() if name not in NOT_OF_THE_ALERT))
            found.setdefault(labels, []).extend(series.points)
    return found


def _pieces(metrics: MetricReader, query: str, window: Window) -> Iterator[Iterable[Series]]:
    """Ask for a day at a time, and for less when that is too much for one answer."""
    step = window.step
    assert step is not None, "who asks a server says how often"
    start, span = window.since, min(AT_ONCE, step * MOST_POINTS)
    while start <= window.until:
        end = min(start + max(span // step, 1) * step, window.until)
        try:
            yield metrics.history(query, {}, start, end, step)
        except TooMuch:
            if span <= max(LEAST_AT_ONCE, step):
                raise
            span /= 2
            continue
        start += ((end - start) // step + 1) * step
