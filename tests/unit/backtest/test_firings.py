"""Episodes are read off the samples of a server: their beginnings, their gaps, and the edges of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest

from runbook_engine.backtest.firings import FIRING, read_firings
from runbook_engine.errors import TooMuch, Unreadable
from runbook_engine.model.hindsight import Window
from runbook_engine.model.observation import Sample, Series
from tests.unit.backtest.histories import NOON, at

MINUTE = timedelta(minutes=1)
HOT = {"alertname": "Hot", "alertstate": "firing"}


class Server:
    """A server that holds samples of one alert, shows each for five minutes, and answers only so much at once."""

    def __init__(
        self,
        samples: list[datetime],
        *,
        stale: Callable[[datetime], bool] = lambda at: False,
        pending: Mapping[datetime, float] | None = None,
        most: int = 100_000,
    ) -> None:
        self.samples, self.stale, self.pending, self.most = samples, stale, pending or {}, most
        self.asked: list[tuple[datetime, datetime]] = []

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Nobody asks for an instant."""
        raise AssertionError("a backtest asks for a range")

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Answer as a server does."""
        if (end - start) // step >= self.most:
            raise TooMuch("the answer is larger than 1 bytes")
        if query == FIRING:
            self.asked.append((start, end))
        grid = [start + number * step for number in range((end - start) // step + 1)]
        shown = [(instant, sample) for instant in grid if (sample := self._newest(instant)) is not None]
        if query == FIRING:
            points = tuple((instant, sample.timestamp()) for instant, sample in shown)
            return (Series(labels=HOT, points=points),) if points else ()
        points = tuple((instant, self.pending[sample]) for instant, sample in shown if sample in self.pending)
        labels = {"alertname": "Hot", "__name__": "ALERTS_FOR_STATE"}
        return (Series(labels=labels, points=points),) if points else ()

    def _newest(self, instant: datetime) -> datetime | None:
        found = [sample for sample in self.samples if sample <= instant < sample + timedelta(minutes=5)]
        return found[-1] if found and not self.stale(instant) else None


def every_minute(begin: int, end: int) -> list[datetime]:
    """Return a sample a minute, both ends included."""
    return [at(minute) for minute in range(begin, end + 1)]


def window(hours: float = 2, step: timedelta = MINUTE) -> Window:
    """Return a window that begins at noon."""
    return Window(since=NOON, until=NOON + timedelta(hours=hours), step=step)


def test_an_episode_is_as_long_as_its_samples() -> None:
    """What a server shows for minutes after the last sample is not firing."""
    (found,) = read_firings(Server(every_minute(10, 20)), window())

    assert (at(10), at(21)) == (found.start, found.end)
    assert {"alertname": "Hot"} == found.labels
    assert not found.began_before
    assert not found.still_firing


def test_two_firings_are_two_episodes_when_the_gap_is_wide() -> None:
    """More than two steps without a point."""
    found = read_firings(Server(every_minute(10, 20) + every_minute(40, 50)), window())

    assert [(at(10), at(21)), (at(40), at(51))] == [(each.start, each.end) for each in found]


def test_a_point_that_was_missed_parts_nothing() -> None:
    """One evaluation that failed is no resolve."""
    server = Server(every_minute(10, 20), stale=lambda instant: instant == at(15))

    assert [(at(10), at(21))] == [(each.start, each.end) for each in read_firings(server, window())]


def test_a_server_that_marks_the_end_parts_two_firings_that_are_near() -> None:
    """Three steps of silence, and it began anew."""
    server = Server(every_minute(10, 14) + every_minute(18, 20), stale=lambda instant: at(15) <= instant < at(18))

    assert [(at(10), at(15)), (at(18), at(21))] == [(each.start, each.end) for each in read_firings(server, window())]


def test_a_new_beginning_parts_two_firings_that_touch() -> None:
    """The server's own word for since when, where the samples show no gap."""
    since = {sample: at(5).timestamp() for sample in every_minute(10, 14)}
    since |= {sample: at(14.5).timestamp() for sample in every_minute(15, 20)}

    found = read_firings(Server(every_minute(10, 20), pending=since), window())

    assert [(at(10), at(15)), (at(15), at(21))] == [(each.start, each.end) for each in found]
    assert [at(5), at(14.5)] == [each.pending_since for each in found]


def test_the_edges_of_the_window_are_marked() -> None:
    """What fired before began at the window's edge for all that is known; what fires at its end has no end."""
    found = read_firings(Server(every_minute(-30, 10) + every_minute(100, 120)), window())

    assert [(True, False), (False, True)] == [(each.began_before, each.still_firing) for each in found]
    assert (at(0), at(11)) == (found[0].start, found[0].end)
    assert at(120) == found[1].end


def test_what_began_before_the_window_begins_when_the_server_says() -> None:
    """`ALERTS_FOR_STATE` knows it."""
    server = Server(every_minute(-30, 10), pending={sample: at(-32).timestamp() for sample in every_minute(-30, 10)})

    (found,) = read_firings(server, window())

    assert (at(-32), True) == (found.start, found.began_before)


def test_a_long_window_is_asked_for_by_the_day() -> None:
    """No piece is longer than a server answers, no point is asked for twice, and none is left out."""
    server = Server(every_minute(1430, 1450))
    days = window(hours=72)

    found = read_firings(server, days)

    assert [(at(1430), at(1451))] == [(each.start, each.end) for each in found]
    assert [begin for begin, _ in server.asked] == [NOON + number * (timedelta(days=1) + MINUTE) for number in range(3)]
    assert all(later[0] - earlier[1] == MINUTE for earlier, later in zip(server.asked, server.asked[1:], strict=False))
    assert days.until == server.asked[-1][1]


def test_less_is_asked_for_when_an_answer_is_too_large() -> None:
    """Again with half of it, until it fits."""
    server = Server(every_minute(100, 110), most=200)

    found = read_firings(server, window(hours=12))

    assert [(at(100), at(111))] == [(each.start, each.end) for each in found]
    assert all(end - begin < timedelta(minutes=200) for begin, end in server.asked)


def test_a_server_that_can_answer_nothing_is_unreadable() -> None:
    """Half an hour of it is still too much: the sentence is the server's own."""
    with pytest.raises(Unreadable, match="the answer is larger than 1 bytes"):
        read_firings(Server([], most=1), window())


class Nonsense(Server):
    """A server that shows a figure which is no time of a sample, and none of a beginning."""

    def __init__(self, samples: list[datetime], figure: float) -> None:
        super().__init__(samples, pending=dict.fromkeys(samples, figure))
        self.figure = figure

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Answer as the server does, and show the figure an hour later."""
        told = super().history(query, where, start, end, step)
        if query != FIRING:
            return told
        return tuple(Series(labels=each.labels, points=(*each.points, (at(100), self.figure))) for each in told)


@pytest.mark.parametrize("figure", [1e300, -1e300, float("inf"), float("nan"), 0.0])
def test_a_figure_that_is_no_time_of_a_sample_is_passed_over(figure: float) -> None:
    """A server that answers nonsense is no reason to guess."""
    samples = every_minute(10, 20)

    (found,) = read_firings(Nonsense(samples, figure), window())

    assert (at(10), at(21), None) == (found.start, found.end, found.pending_since)
