"""Metrics of CloudWatch: complete periods only, never a guess, and every page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from runbook_adapters.cloudwatch import ADAPTER
from runbook_engine.errors import NoAdapter, Unreadable
from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.observation import Sample, Series
from runbook_engine.ports import MetricReader
from tests.contract.functions.bed import Bed, Faults

GET = "GetMetricData"
MINUTE = timedelta(minutes=1)
ERRORS = MetricQuery(namespace="AWS/Lambda", metric="Errors", stat="Sum", dimensions={"FunctionName": "orders"})
SAYS = ERRORS.says


class Metrics:
    """The adapter `cloudwatch` and what was measured; `now` is a whole minute."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.reader: MetricReader = bed.serve(ADAPTER, "metrics").reader
        self.looking: Faults = bed.looking("cloudwatch")
        self.now: datetime = bed.clock.now()

    def put(self, ago: timedelta, value: float, function: str = "orders") -> None:
        """Measure something so long ago."""
        figure = {
            "MetricName": "Errors",
            "Dimensions": [{"Name": "FunctionName", "Value": function}],
            "Timestamp": self.now - ago,
            "Value": value,
        }
        self.bed.other("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[figure])

    def query(
        self, query: str = ERRORS.text, where: Mapping[str, str] | None = None, at: timedelta = timedelta(0)
    ) -> Any:
        """Ask for the newest figure, so long after now."""
        return self.reader.query(query, where or {}, self.now + at)

    def history(self, since: timedelta, step: timedelta, query: str = ERRORS.text) -> tuple[Series, ...]:
        """Ask for what was measured since then."""
        return self.reader.history(query, {}, self.now - since, self.now, step)


@pytest.fixture
def metrics(bed: Bed) -> Metrics:
    """A CloudWatch in which nothing was measured yet."""
    return Metrics(bed)


def page(pairs: Mapping[datetime, float], **told: Any) -> dict[str, Any]:
    """What GetMetricData answers."""
    result = {"Id": "wanted", "Label": "Errors", "StatusCode": "Complete", **told}
    return {"MetricDataResults": [{**result, "Timestamps": list(pairs), "Values": list(pairs.values())}]}


def test_figure_is_of_the_newest_complete_period_when_one_is_running(metrics: Metrics) -> None:
    """What was measured since then would pass for an improvement."""
    metrics.put(timedelta(seconds=50), 2)
    metrics.put(timedelta(seconds=10), 3)
    metrics.put(timedelta(seconds=-5), 1)

    found = metrics.query(at=timedelta(seconds=40))

    assert (Sample(labels={"FunctionName": "orders"}, value=5.0, at=metrics.now),) == found


def test_figure_is_older_when_the_newest_period_has_none(metrics: Metrics) -> None:
    """It says how old it is; whether that is too old is judged by who asked."""
    metrics.put(timedelta(minutes=3, seconds=30), 4)

    (sample,) = metrics.query()

    assert (4.0, metrics.now - 3 * MINUTE) == (sample.value, sample.at)


def test_nothing_is_told_when_nothing_was_measured(metrics: Metrics) -> None:
    """No data is not zero."""
    assert () == metrics.query()


def test_nothing_is_told_when_it_is_long_ago(metrics: Metrics) -> None:
    """An old figure is no present one."""
    metrics.put(timedelta(minutes=30), 4)

    assert () == metrics.query()


def test_dimensions_are_added_when_where_names_them(metrics: Metrics) -> None:
    """One function's errors are not another's, and what the check fills in wins."""
    metrics.put(timedelta(seconds=30), 1, function="orders")
    metrics.put(timedelta(seconds=30), 7, function="carts")

    (sample,) = metrics.query(where={"FunctionName": "carts"})

    assert (7.0, {"FunctionName": "carts"}) == (sample.value, sample.labels)


def test_request_is_one_metric_with_all_its_dimensions_when_asked(metrics: Metrics) -> None:
    """Aligned to the period, and nothing that a template could widen."""
    sent: list[Mapping[str, Any]] = []
    client = metrics.bed.clients.looking("cloudwatch")

    def seen(params: Mapping[str, Any], **event: Any) -> None:
        sent.append(params)

    client.meta.events.register("provide-client-params.cloudwatch.GetMetricData", seen)
    metrics.query(ERRORS.text.replace('"period":60', '"period":300'), {"Resource": 'orders:live" OR 1=1'})
    client.meta.events.unregister("provide-client-params.cloudwatch.GetMetricData", seen)

    (request,) = sent
    (query,) = request["MetricDataQueries"]
    assert {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [
                {"Name": "FunctionName", "Value": "orders"},
                {"Name": "Resource", "Value": 'orders:live" OR 1=1'},
            ],
        },
        "Period": 300,
        "Stat": "Sum",
    } == query["MetricStat"]
    assert (metrics.now - timedelta(minutes=15), metrics.now) == (request["StartTime"], request["EndTime"])


def test_every_page_is_read_when_there_are_several(metrics: Metrics) -> None:
    """Partial data with another page is not the end."""
    first, second = metrics.now - 3 * MINUTE, metrics.now - 2 * MINUTE
    metrics.looking.answer(GET, {**page({first: 1.0}, StatusCode="PartialData"), "NextToken": "1"})
    metrics.looking.answer(GET, page({second: 2.0}))

    (series,) = metrics.history(timedelta(minutes=5), MINUTE)

    assert ((first + MINUTE, 1.0), (second + MINUTE, 2.0)) == series.points


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(
            {"StatusCode": "InternalError"}, f"{SAYS} cannot be read: CloudWatch answers InternalError", id="broken"
        ),
        pytest.param(
            {"StatusCode": "PartialData"}, f"{SAYS} cannot be read: CloudWatch answers PartialData", id="partial"
        ),
        pytest.param(
            {"StatusCode": "Forbidden", "Messages": [{"Code": "Denied", "Value": "not yours"}]},
            f"{SAYS} cannot be read: CloudWatch answers Forbidden: not yours",
            id="forbidden",
        ),
        pytest.param({"Id": "other"}, f"{SAYS} cannot be read: CloudWatch answers something else", id="another one"),
    ],
)
def test_figure_is_unreadable_when_the_answer_is_not_whole(metrics: Metrics, told: dict[str, Any], says: str) -> None:
    """A part of a sum is no sum."""
    metrics.looking.answer(GET, page({metrics.now - MINUTE: 1.0}, **told))

    with pytest.raises(Unreadable) as caught:
        metrics.query()

    assert says == str(caught.value)


def test_figure_is_unreadable_when_the_pages_never_end(metrics: Metrics) -> None:
    """There is an end to asking."""
    metrics.looking.answer(GET, {**page({}), "NextToken": "1"}, times=99)

    with pytest.raises(Unreadable) as caught:
        metrics.query()

    assert f"{SAYS} cannot be read: it has more than 20 pages (ask for a shorter time)" == str(caught.value)


def test_figure_is_unreadable_when_it_may_not_be_read(metrics: Metrics) -> None:
    """Denied is not empty."""
    metrics.looking.refuse(GET, "AccessDenied", status=403)

    with pytest.raises(Unreadable, match=r"cannot be read: AccessDenied: no"):
        metrics.query()


def test_figure_is_none_when_it_is_not_a_number(metrics: Metrics) -> None:
    """Not a number is no figure."""
    metrics.looking.answer(GET, page({metrics.now - MINUTE: float("nan")}))

    assert () == metrics.query()


@pytest.mark.parametrize(
    "query",
    ["up", "SELECT AVG(x) FROM y", "{}", '{"namespace":"AWS/Lambda"}', ERRORS.text.replace("60", "61")],
    ids=repr,
)
def test_query_is_refused_when_it_is_no_metric(metrics: Metrics, query: str) -> None:
    """CloudWatch has names and dimensions, and no language of ours."""
    with pytest.raises(Unreadable) as caught:
        metrics.query(query)

    assert f"CloudWatch has no metric {query!r} (write the check as metric:, with a namespace and a name)" == str(
        caught.value
    )


def test_query_is_refused_when_where_makes_it_none(metrics: Metrics) -> None:
    """A value of an alert may be anything."""
    with pytest.raises(Unreadable) as caught:
        metrics.query(where={"FunctionName": "örders"})

    assert (
        f"CloudWatch cannot be asked for {SAYS}: 'örders' is no value of dimension FunctionName "
        "(at most 255 printable ASCII characters)" == str(caught.value)
    )


def test_points_are_at_the_end_of_each_period_when_asked_for_a_time(metrics: Metrics) -> None:
    """What a chart shows at an instant was true until then."""
    metrics.put(timedelta(minutes=2, seconds=30), 1)
    metrics.put(timedelta(seconds=30), 2)

    (series,) = metrics.history(timedelta(minutes=10), timedelta(seconds=15))

    assert {"FunctionName": "orders"} == series.labels
    assert ((metrics.now - 2 * MINUTE, 1.0), (metrics.now, 2.0)) == series.points


def test_points_are_none_when_nothing_was_measured(metrics: Metrics) -> None:
    """No series, rather than an empty one."""
    assert () == metrics.history(timedelta(minutes=10), MINUTE)
    assert () == metrics.history(timedelta(0), MINUTE)


@pytest.mark.parametrize(
    ("step", "period"),
    [
        pytest.param(timedelta(seconds=1), 60, id="finer than the metric"),
        pytest.param(timedelta(seconds=61), 120, id="between two"),
        pytest.param(timedelta(minutes=5), 300, id="exact"),
        pytest.param(timedelta(days=1), 3600, id="coarser than any"),
    ],
)
def test_step_is_rounded_to_a_period_when_cloudwatch_has_no_such(
    metrics: Metrics, step: timedelta, period: int
) -> None:
    """A point is never of less than what was asked for, up to an hour."""
    began = metrics.now.replace(minute=0) - timedelta(hours=2)
    metrics.looking.answer(GET, page({began: 1.0}))

    (series,) = metrics.history(timedelta(hours=6), step)

    assert ((began + timedelta(seconds=period), 1.0),) == series.points


@pytest.mark.parametrize(
    ("age", "step", "period"),
    [
        pytest.param(timedelta(days=10), MINUTE, 60, id="days ago"),
        pytest.param(timedelta(days=10), 7 * MINUTE, 420, id="days ago, in sevens"),
        pytest.param(timedelta(days=20), MINUTE, 300, id="weeks ago"),
        pytest.param(timedelta(days=20), 7 * MINUTE, 600, id="weeks ago, in sevens"),
        pytest.param(timedelta(days=100), MINUTE, 3600, id="months ago"),
    ],
)
def test_step_is_rounded_to_what_is_kept_when_it_is_long_ago(
    metrics: Metrics, age: timedelta, step: timedelta, period: int
) -> None:
    """CloudWatch keeps minutes for 15 days and five minutes for 63, and sums up whole ones of what it kept only."""
    began = (metrics.now - age).replace(minute=0) + timedelta(hours=1)
    metrics.looking.answer(GET, page({began: 1.0}))

    (series,) = metrics.history(age, step)

    assert ((began + timedelta(seconds=period), 1.0),) == series.points


def test_probe_counts_the_alarms_that_ring_when_answered(metrics: Metrics) -> None:
    """Who asks, and whether it is a quiet hour."""
    probe = metrics.bed.serve(ADAPTER, "metrics").probe
    alarms = [{"AlarmName": "one"}, {"AlarmName": "two"}]
    metrics.looking.answer("DescribeAlarms", {"MetricAlarms": alarms, "NextToken": "1"})

    assert probe is not None
    said = probe()
    assert said.startswith("account 123456789012, region eu-central-1, as ")
    assert said.endswith("; 2 or more alarms ring")


def test_probe_is_unreadable_when_alarms_are_not_to_be_seen(metrics: Metrics) -> None:
    """It names what could not be asked."""
    probe = metrics.bed.serve(ADAPTER, "metrics").probe
    metrics.looking.refuse("DescribeAlarms", "AccessDenied", status=403)

    assert probe is not None
    with pytest.raises(Unreadable, match=r"^the alarms of CloudWatch cannot be read: AccessDenied: no"):
        probe()


def test_adapter_is_refused_when_it_does_not_serve_the_port(metrics: Metrics) -> None:
    """It says what it does serve."""
    with pytest.raises(NoAdapter) as caught:
        metrics.bed.serve(ADAPTER, "flags")

    assert "cloudwatch does not serve flags (it serves metrics and logs)" == str(caught.value)
