"""The scrape adapter: named series from one /metrics endpoint, and silence where a figure would be a guess."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runbook_adapters.scrape import ADAPTER, ScrapeSettings
from runbook_adapters.scrape.exposition import Exposition, parse_exposition
from runbook_adapters.scrape.named_series import Scrape, evaluate
from runbook_adapters.scrape.reader import Scrapes
from runbook_engine.errors import NoAdapter, Unreadable
from runbook_engine.model.configuration import Configuration, SecretReference, SeriesRule
from runbook_engine.model.observation import Sample
from runbook_engine.ports import AdapterContext
from tests.contract.http_service import HttpService, Told, http_service

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ERRORS = SeriesRule(name="error_ratio", kind="ratio", metric="errors_total", over="requests_total", window=30 * SECOND)
RATE = SeriesRule(name="request_rate", kind="rate", metric="requests_total", window=30 * SECOND)
P90 = SeriesRule(name="latency_p90", kind="quantile", metric="duration_seconds", quantile=0.9, window=30 * SECOND)
MODE = SeriesRule(name="mode", kind="value", metric="degraded_mode")
RULES = (ERRORS, RATE, P90, MODE)


class PushedClock:
    """A clock that moves when it is pushed."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def push(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


class Rig:
    """A service whose figures the test sets, and a reader of it."""

    def __init__(self, service: HttpService) -> None:
        self.service = service
        self.clock = PushedClock()
        self.slept: list[float] = []
        self.reader = self.build()

    def build(self, port="metrics", *, place="", clusters=(), **settings):
        """Build the adapter, as each process does for itself."""
        context = AdapterContext(
            clock=self.clock,
            configuration=Configuration(series=RULES, clusters=clusters),
            place=place,
            base=Path(),
            state=Path(),
            secret=lambda _reference: "s3cret",
        )
        reader = ADAPTER.build(port, ScrapeSettings(url=self.service.url + "/metrics", **settings), context).reader
        reader._sleep = self.slept.append  # the first question of a process sleeps, and a pushed clock does not
        return reader

    def shows(self, text: str) -> None:
        self.service.tell(Told(200, text.encode()))

    def ask(self, name: str = "error_ratio", after: float = 1, **where: str) -> list[float]:
        return [sample.value for sample in self.reader.query(name, where, self.clock.push(after))]


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A service that shows nothing yet."""
    with http_service() as service:
        yield Rig(service)


def scrape(seconds: float, text: str) -> Scrape:
    """Return what the endpoint said so many seconds after the beginning."""
    names = {"errors_total", "requests_total", "duration_seconds_bucket", "degraded_mode"}
    return Scrape(NOW + timedelta(seconds=seconds), parse_exposition(text, names))


def value(rule: SeriesRule, *scrapes: Scrape, **where: str) -> float | None:
    """Return the one figure of a rule, None when there is none."""
    samples = evaluate(rule, where, scrapes, {})
    return samples[0].value if samples else None


def test_ratio_has_an_answer_when_the_second_scrape_is_there(rig):
    """The first question primes; from the second on there is a ratio of what has happened in between."""
    rig.shows("errors_total 10\nrequests_total 100\n")
    first = rig.ask()
    rig.shows("errors_total 15\nrequests_total 120\n")
    second = rig.ask()

    assert (first, second) == ([], [0.25])


def test_first_question_of_a_process_has_an_answer_when_it_waited_for_a_second_scrape(rig):
    """A command that lives for a second reads a rate as well as a worker that lives for days."""

    def sleep(seconds: float) -> None:
        rig.shows("# TYPE errors_total counter\nerrors_total 13\n# TYPE requests_total counter\nrequests_total 110\n")
        rig.clock.push(seconds)

    rig.reader._sleep = sleep
    rig.shows("# TYPE errors_total counter\nerrors_total 10\n# TYPE requests_total counter\nrequests_total 100\n")

    assert [0.3] == rig.ask(after=0)


def test_ratio_forgets_when_the_window_has_passed(rig):
    """What is older than the window does not count, and one scrape alone is no answer."""
    rig.shows("errors_total 0\nrequests_total 0\n")
    rig.ask()
    rig.shows("errors_total 50\nrequests_total 100\n")
    during = rig.ask(after=10)
    rig.shows("errors_total 50\nrequests_total 200\n")
    rig.ask(after=10)
    rig.ask(after=15)
    rig.shows("errors_total 50\nrequests_total 300\n")
    after = rig.ask(after=10)
    alone = rig.ask(after=60)

    assert (during, after, alone) == ([0.5], [0.0], [])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(("errors_total 0\nrequests_total 0", "errors_total 1\nrequests_total 4"), 0.25, id="plain"),
        pytest.param(
            ("errors_total 90\nrequests_total 100", "errors_total 1\nrequests_total 4"), 0.25, id="both started again"
        ),
        pytest.param(
            (
                'errors_total{w="a"} 5\nrequests_total 100',
                'errors_total{w="a"} 5\nerrors_total{w="b"} 3\nrequests_total 112',
            ),
            0.25,
            id="a counter that appears has started at nought",
        ),
        pytest.param(
            ("# TYPE errors_total counter\nrequests_total 0", "# TYPE errors_total counter\nrequests_total 4"),
            0.0,
            id="no error was ever counted, but the counter is declared",
        ),
        pytest.param(("requests_total 0", "requests_total 4"), None, id="an error counter that nobody knows"),
        pytest.param(("errors_total 1", "errors_total 2"), None, id="a whole that nobody knows"),
        pytest.param(("errors_total 1\nrequests_total 4", "errors_total 1\nrequests_total 4"), None, id="no traffic"),
        pytest.param(("errors_total 1\nrequests_total 4",), None, id="one scrape"),
        pytest.param((), None, id="no scrape"),
        pytest.param(
            ("errors_total 0\nrequests_total 0", "errors_total NaN\nrequests_total 4"), None, id="not a number"
        ),
    ],
)
def test_ratio_is_judged_when_counters_are(texts, expected):
    """A ratio of increases, or nothing."""
    assert value(ERRORS, *(scrape(index, text) for index, text in enumerate(texts))) == expected


def test_rate_is_per_second_when_scrapes_are_apart():
    """Restarts inside the window lose nothing that was seen."""
    scrapes = [scrape(0, "requests_total 100"), scrape(4, "requests_total 140"), scrape(8, "requests_total 20")]

    assert value(RATE, *scrapes) == (40 + 20) / 8


BUCKETS = (
    'duration_seconds_bucket{{le="0.1"}} {}\nduration_seconds_bucket{{le="0.5"}} {}\n'
    'duration_seconds_bucket{{le="+Inf"}} {}'
)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param((10, 10, 10), 0.09, id="all in the first bucket"),
        pytest.param((8, 10, 10), 0.1 + 0.4 * (9 - 8) / 2, id="between two bounds"),
        pytest.param((1, 2, 10), 0.5, id="beyond the last bound"),
        pytest.param((0, 0, 0), None, id="no traffic"),
    ],
)
def test_quantile_is_as_prometheus_has_it_when_buckets_rise(counts, expected):
    """Linear inside a bucket; the newest bound when the rank lies beyond it."""
    found = value(P90, scrape(0, BUCKETS.format(0, 0, 0)), scrape(5, BUCKETS.format(*counts)))

    assert found == (pytest.approx(expected) if expected is not None else None)


def test_values_are_returned_one_by_one_when_a_gauge_has_labels():
    """Each series of a gauge counts for itself, with the labels that it carries."""
    newest = scrape(0, 'degraded_mode{pod="a"} 1\ndegraded_mode{pod="b"} 0')

    assert evaluate(MODE, {}, [newest], {"cluster": "local"}) == (
        Sample(labels={"pod": "a", "cluster": "local"}, value=1.0, at=NOW),
        Sample(labels={"pod": "b", "cluster": "local"}, value=0.0, at=NOW),
    )
    assert value(MODE, newest, pod="b") == 0.0


def test_only_matching_series_count_when_the_rule_or_the_question_has_labels():
    """Labels of the rule belong to their own metric, labels of the question to both."""
    rule = SeriesRule(
        name="r",
        kind="ratio",
        metric="requests_total",
        where={"code": "500"},
        over="requests_total",
        window=SECOND * 30,
    )
    text = (
        'requests_total{{code="500",zone="a"}} {}\nrequests_total{{code="200",zone="a"}} {}\n'
        'requests_total{{code="200",zone="b"}} {}'
    )
    scrapes = [scrape(0, text.format(0, 0, 0)), scrape(1, text.format(1, 3, 6))]

    assert value(rule, *scrapes) == 0.1
    assert value(rule, *scrapes, zone="a") == 0.25
    assert value(rule, *scrapes, zone="b") == 0.0
    assert value(rule, *scrapes, zone="c") is None


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param({}, [0.25], id="asked without labels"),
        pytest.param({"cluster": "local"}, [0.25], id="its own cluster"),
        pytest.param({"cluster": "prod-eu"}, [], id="another cluster's figures are not ours"),
        pytest.param({"no_such_label": "x"}, [], id="a label that no series has"),
    ],
)
def test_cluster_is_matched_when_the_endpoint_is_given_labels(rig, where, expected):
    """The labels of the settings stand for what Prometheus would attach."""
    rig.reader = rig.build(labels={"cluster": "local"})
    rig.shows("errors_total 10\nrequests_total 100\n")
    rig.ask()
    rig.shows("errors_total 15\nrequests_total 120\n")

    assert rig.ask(**where) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"place": "prod-eu", "clusters": ("local", "prod-eu")}, [0.25], id="the place of the adapter"),
        pytest.param({"clusters": ("prod-eu",)}, [0.25], id="the only cluster there is"),
        pytest.param({"clusters": ("prod-eu", "prod-us")}, [], id="one of two is a guess"),
        pytest.param({"place": "prod-eu", "labels": {"cluster": "other"}}, [], id="the settings have the last word"),
    ],
)
def test_cluster_is_known_when_nobody_says_it(rig, settings, expected):
    """A runbook that asks for its own cluster gets an answer from an installation that has one."""
    rig.reader = rig.build(**settings)
    rig.shows("errors_total 10\nrequests_total 100\n")
    rig.ask()
    rig.shows("errors_total 15\nrequests_total 120\n")

    assert rig.ask(cluster="prod-eu") == expected


def test_endpoint_is_spared_when_asked_often(rig):
    """Eight threads at one instant cost one scrape, and so does the next question within half a second."""
    rig.shows("errors_total 1\nrequests_total 1\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rig.reader.query("error_ratio", {}, NOW), range(16)))
    rig.ask(after=0.4)
    rig.ask(after=0.1)

    assert len(rig.service.asked) == 2


def test_processes_remember_for_themselves_when_there_are_two(rig):
    """A second reader of the same endpoint starts without an answer."""
    rig.shows("errors_total 10\nrequests_total 100\n")
    rig.ask()
    rig.shows("errors_total 15\nrequests_total 120\n")
    other = rig.build()

    assert rig.ask() == [0.25]
    assert other.query("error_ratio", {}, rig.clock.now()) == ()


def test_history_is_what_was_remembered_when_drawn(rig):
    """Points end at the newest scrape; the past is computed from the scrapes of its own window."""
    for index in range(6):
        rig.shows(f"errors_total {index * index}\nrequests_total {index * 10}\n")
        rig.ask(after=10)

    (series,) = rig.reader.history("error_ratio", {}, NOW - timedelta(hours=1), rig.clock.now(), timedelta(seconds=10))

    assert [point for _, point in series.points] == pytest.approx([0.1, 0.2, 0.4, 0.6, 0.8])
    assert series.points[-1][0] == rig.clock.now()
    assert rig.build().history("error_ratio", {}, NOW, rig.clock.now(), SECOND) == ()


def test_question_about_the_past_takes_no_scrape_when_it_is_old(rig):
    """What was not seen then cannot be seen now."""
    rig.shows("errors_total 1\nrequests_total 1\n")

    assert rig.reader.query("error_ratio", {}, NOW - timedelta(minutes=5)) == ()
    assert rig.service.asked == []


def test_memory_is_bounded_when_scraped_for_hours():
    """Close together in the window, five seconds apart before it, nothing beyond an hour."""
    scrapes = Scrapes(timedelta(seconds=30))
    empty = Exposition({}, frozenset())
    for tick in range(2 * 60 * 60 * 2):
        scrapes.add(Scrape(NOW + tick * SECOND / 2, empty))

    kept = scrapes.all

    assert len(kept) < 800
    assert timedelta(minutes=59) < kept[-1].at - kept[0].at <= timedelta(hours=1)
    assert sum(kept[-1].at - one.at <= 30 * SECOND for one in kept) == 61
    assert all(later.at > earlier.at for earlier, later in pairwise(kept))


def test_scrape_is_dropped_when_the_clock_went_back():
    """Rates over a negative time would be nonsense."""
    scrapes = Scrapes(timedelta(seconds=30))
    empty = Exposition({}, frozenset())

    scrapes.add(Scrape(NOW, empty))
    scrapes.add(Scrape(NOW - SECOND, empty))

    assert [one.at for one in scrapes.all] == [NOW]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(
            Told(503), "cannot be scraped: HTTP 503 (set url of adapter scrape to the service's /metrics)", id="down"
        ),
        pytest.param(
            Told(200, b'errors_total{a="b" 3'),
            "cannot be scraped: line 1 is not of the Prometheus text format: 'errors_total{a=\"b\" 3'",
            id="a wanted line that is broken",
        ),
        pytest.param(
            Told(200, b"errors_total 1_000"),
            "cannot be scraped: line 1 is not of the Prometheus text format: 'errors_total 1_000'",
            id="a number that only Python reads",
        ),
        pytest.param(
            Told(0), "cannot be scraped: the connection broke before the answer was complete", id="broken connection"
        ),
        pytest.param(
            Told(200, b"\xff"),
            "cannot be scraped: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            id="not text",
        ),
    ],
)
def test_series_is_unreadable_when(rig, told, says):
    """An endpoint that cannot be read has no figures, old ones included."""
    rig.shows("errors_total 10\nrequests_total 100\n")
    rig.ask()
    rig.service.tell(told)

    with pytest.raises(Unreadable) as refusal:
        rig.ask()

    assert str(refusal.value) == f"{rig.service.url}/metrics {says}"


def test_sentence_lists_the_series_when_the_name_is_unknown(rig):
    """PromQL is not guessed at."""
    with pytest.raises(Unreadable) as refusal:
        rig.ask("rate(errors_total[5m])")

    assert str(refusal.value) == (
        "engine.yaml names no series rate(errors_total[5m]) (known: error_ratio, latency_p90, mode, request_rate); "
        "the scrape reader has no PromQL"
    )


@pytest.mark.parametrize("page", ["", "<html>sign in</html>", '{"status": "ok"}'], ids=["nothing", "a page", "JSON"])
def test_page_that_exposes_nothing_is_unreadable(rig, page: str) -> None:
    """What a proxy shows to everybody is not the same as a metric that has no series yet."""
    rig.shows(page)

    with pytest.raises(Unreadable) as refusal:
        rig.ask()

    assert f"{rig.service.url}/metrics cannot be scraped: what answered exposes no metrics " in str(refusal.value)


def test_token_is_sent_when_there_is_one(rig):
    """As a bearer token."""
    rig.reader = rig.build(token=SecretReference(env="TOKEN"))
    rig.shows("degraded_mode 1\n")
    rig.ask()

    assert rig.service.asked[0].headers["Authorization"] == "Bearer s3cret"


def test_other_ports_are_refused_when_asked(rig):
    """The hint says what it serves."""
    with pytest.raises(NoAdapter) as refusal:
        rig.build("flags")

    assert str(refusal.value) == "scrape does not serve flags (it serves metrics)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("m 1", {(): 1.0}, id="no labels"),
        pytest.param("m{} 1", {(): 1.0}, id="empty braces"),
        pytest.param('m{b="2",a="1",} 1.5e3 1700000000000', {(("a", "1"), ("b", "2")): 1500.0}, id="a timestamp"),
        pytest.param('m{ a = "1" } 1 # {trace="x"} 0.1', {(("a", "1"),): 1.0}, id="spaces and an exemplar"),
        pytest.param('m{a="}, \\"q\\" \\\\ \\n"} 1', {(("a", '}, "q" \\ \n'),): 1.0}, id="escapes"),
        pytest.param("m +Inf", {(): float("inf")}, id="infinite"),
        pytest.param("other{{{ 1", {}, id="a broken line of a metric that is not wanted"),
        pytest.param("<html>", {}, id="no metric at all"),
    ],
)
def test_line_is_read_when_it_is(line, expected):
    """The text format as exporters write it."""
    assert {key[1]: found for key, found in parse_exposition(line, {"m"}).values.items()} == expected


NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(NAMES, st.floats(0, 1e12), max_size=5))
def test_values_are_those_of_the_client_library_when_it_writes_them(values):
    """Whatever the labels: what the client library writes is read back as its own parser reads it."""
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests\nof all kinds.", ["path"], registry=registry)
    histogram = Histogram("duration_seconds", "Time.", ["path"], registry=registry)
    gauge = Gauge("degraded_mode", "Mode.", registry=registry)
    for path, amount in values.items():
        counter.labels(path).inc(amount)
        histogram.labels(path).observe(amount)
        gauge.set(amount)
    text = generate_latest(registry).decode()
    wanted = {"requests_total", "duration_seconds_bucket", "degraded_mode"}

    expected = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in wanted
    }

    assert parse_exposition(text, wanted) == Exposition(expected, frozenset(wanted))


@pytest.mark.timeout(20)
def test_reading_is_linear_when_a_line_is_hostile():
    """Half a megabyte that almost is a sample is refused, not puzzled over."""
    for hostile in (
        'requests_total{a="' + '\\"' * 250_000,
        "requests_total{" + '"' * 500_000,
        "requests_total" + " " * 500_000,
    ):
        with pytest.raises(Unreadable):
            parse_exposition(hostile, {"requests_total"})
