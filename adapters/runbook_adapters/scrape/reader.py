"""Scraping on demand, and remembering enough of it.

There is no thread: a scrape is taken when somebody asks and the newest is older than half a second. Every process
remembers its own scrapes, so the first question in a process takes a second longer, for a second scrape to compare
with, and a graph shows what this process has seen.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from runbook_adapters.scrape.exposition import Labels, is_exposition, parse_exposition
from runbook_adapters.scrape.named_series import Scrape, evaluate, wanted_metrics
from runbook_adapters.web import NoAnswer, Web, bearer
from runbook_engine.errors import Unreadable
from runbook_engine.model.configuration import SeriesRule
from runbook_engine.model.observation import Sample, Series
from runbook_engine.ports import Clock

SCRAPE_EVERY = timedelta(seconds=0.5)
FIRST_GAP = timedelta(seconds=1)  # between the first two scrapes of a process
REMEMBERED = timedelta(hours=1)
THINNED_TO = timedelta(seconds=5)  # spacing of scrapes that no window needs any more
PRESENT = timedelta(seconds=5)  # an instant this near is now
MOST_POINTS = 1000


class Scrapes:
    """The scrapes that this process has taken, oldest first; close together in the longest window, thinned before."""

    def __init__(self, longest_window: timedelta) -> None:
        self._longest_window = longest_window
        self._thinned: list[Scrape] = []
        self._recent: list[Scrape] = []

    def add(self, scrape: Scrape) -> None:
        """Remember one more; one that is not newer than the last (the clock went back) is dropped."""
        if self._recent and scrape.at <= self._recent[-1].at:
            return
        self._recent.append(scrape)
        while self._recent[0].at < scrape.at - self._longest_window:
            left = self._recent.pop(0)
            if not self._thinned or left.at - self._thinned[-1].at >= THINNED_TO:
                self._thinned.append(left)
        while self._thinned and self._thinned[0].at < scrape.at - REMEMBERED:
            self._thinned.pop(0)

    @property
    def all(self) -> tuple[Scrape, ...]:
        """Everything remembered."""
        return (*self._thinned, *self._recent)


class ScrapeReader:
    """Computes the named series of engine.yaml from one /metrics endpoint that speaks for the whole service."""

    def __init__(
        self,
        web: Web,
        address: str,
        token: Callable[[], str],
        *,
        rules: Sequence[SeriesRule],
        labels: Mapping[str, str],
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._web = web
        self._address = address
        self._token = token
        self._rules = {rule.name: rule for rule in rules}
        self._wanted = wanted_metrics(rules)
        self._labels = dict(labels)
        self._clock = clock
        self._sleep = sleep
        self._scrapes = Scrapes(max((rule.window for rule in rules), default=timedelta(0)))
        self._taking = threading.Lock()

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the series as it is; empty while its window holds fewer than two scrapes. Raises Unreadable.

        The first question of a process waits for a second scrape, or its answer would always be that there is none.
        """
        rule = self._rule(query)
        scrapes = self._look(at)
        if rule.kind != "value" and len(scrapes) == 1 and scrapes[0].at >= at:
            self._sleep(FIRST_GAP.total_seconds())
            scrapes = self._look(self._clock.now())
        if scrapes and timedelta(0) <= scrapes[-1].at - at < PRESENT:
            at = scrapes[-1].at  # the scrape that the question caused
        return self._evaluate(rule, where, scrapes, at)

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return what this process remembers between two instants. Raises Unreadable."""
        rule = self._rule(query)
        scrapes = [scrape for scrape in self._look(end) if scrape.at >= start - rule.window]
        if not scrapes:
            return ()
        step = max(step, (end - start) / MOST_POINTS, timedelta(seconds=0.1))
        lines: dict[Labels, list[tuple[datetime, float]]] = {}
        for instant in _instants(max(start, scrapes[0].at), max(end, scrapes[-1].at), step):
            for sample in self._evaluate(rule, where, scrapes, instant):
                lines.setdefault(tuple(sorted(sample.labels.items())), []).append((instant, sample.value))
        return tuple(Series(labels=dict(labels), points=tuple(points)) for labels, points in lines.items())

    def _rule(self, query: str) -> SeriesRule:
        rule = self._rules.get(query)
        if rule is None:
            known = ", ".join(sorted(self._rules)) or "none"
            raise Unreadable(f"engine.yaml names no series {query} (known: {known}); the scrape reader has no PromQL")
        return rule

    def _evaluate(
        self, rule: SeriesRule, where: Mapping[str, str], scrapes: Sequence[Scrape], at: datetime
    ) -> tuple[Sample, ...]:
        """Match the labels that the endpoint is given here, and pass the rest on to its series."""
        if any(self._labels[name] != value for name, value in where.items() if name in self._labels):
            return ()
        rest = {name: value for name, value in where.items() if name not in self._labels}
        last = bisect_right(scrapes, at, key=lambda scrape: scrape.at)
        first = bisect_right(scrapes, at - rule.window, key=lambda scrape: scrape.at)
        if last - first == 1 and first and scrapes[first - 1].at >= at - 2 * rule.window:
            first -= 1  # asked about as seldom as the window is long: the scrape just before it will do
        return evaluate(rule, rest, scrapes[first:last], self._labels)

    def _look(self, at: datetime) -> tuple[Scrape, ...]:
        """Take a scrape if the question is about now and the newest is old; return what is remembered."""
        with self._taking:
            now = self._clock.now()
            known = self._scrapes.all
            if now - at < PRESENT and (not known or now - known[-1].at >= SCRAPE_EVERY):
                self._scrapes.add(self._take(now))
            return self._scrapes.all

    def _take(self, now: datetime) -> Scrape:
        asked = f"{self._address} cannot be scraped"
        try:
            got = self._web.get(self._address, headers={"Accept": "text/plain;version=0.0.4", **bearer(self._token())})
        except NoAnswer as error:
            raise Unreadable(f"{asked}: {error}") from error
        if got.status != 200:
            raise Unreadable(f"{asked}: HTTP {got.status} (set url of adapter scrape to the service's /metrics)")
        try:
            text = got.body.decode()
            found = parse_exposition(text, self._wanted)
            if not found.known and not is_exposition(text):
                raise Unreadable(
                    "what answered exposes no metrics (set url of adapter scrape to the service's /metrics)"
                )
            return Scrape(now, found)
        except (Unreadable, UnicodeDecodeError) as error:
            raise Unreadable(f"{asked}: {error}") from error


def _instants(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """Return evenly spaced instants that end exactly at `end`, oldest first."""
    count = min(int((end - start) / step), MOST_POINTS)
    return [end - step * back for back in range(count, -1, -1)]
