"""Metric queries: one text for readers, another one for people, and nothing in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.model.metric import MetricQuery, parse_metric, say_query

ERRORS = MetricQuery(namespace="AWS/Lambda", metric="Errors", stat="Sum", dimensions={"FunctionName": "orders"})
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def test_text_is_what_readers_are_promised() -> None:
    """The spelling is a contract with every adapter."""
    assert ERRORS.text == (
        '{"dimensions":{"FunctionName":"orders"},"metric":"Errors","namespace":"AWS/Lambda","period":60,"stat":"Sum"}'
    )


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param(ERRORS.text, 'AWS/Lambda Errors Sum 1m {FunctionName="orders"}', id="with dimensions"),
        pytest.param(
            MetricQuery(namespace="Shop", metric="Queue Length", stat="p99.9", period=30).text,
            "Shop Queue Length p99.9 30s",
            id="without, and with a space in its name",
        ),
        pytest.param("checkout:error_ratio", "checkout:error_ratio", id="a query of another kind"),
        pytest.param('{job="checkout"}', '{job="checkout"}', id="a selector that begins like one"),
    ],
)
def test_people_read_it_otherwise(query: str, says: str) -> None:
    """Whatever is no metric query stays as it is."""
    assert say_query(query) == says


@given(
    namespace=st.from_regex(r"[A-Za-z0-9/._-]{1,20}", fullmatch=True),
    metric=PRINTABLE,
    dimensions=st.dictionaries(PRINTABLE.filter(lambda name: not name.startswith(":")), PRINTABLE, max_size=5),
    period=st.sampled_from([10, 30, 60, 300, 3600]),
)
def test_a_query_comes_back_as_it_was(namespace: str, metric: str, dimensions: dict[str, str], period: int) -> None:
    """Whatever it is called."""
    query = MetricQuery(namespace=namespace, metric=metric, stat="Sum", period=period, dimensions=dimensions)

    assert parse_metric(query.text) == query


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param(
            {"namespace": "a b"}, "'a b' is no namespace of metrics (write one such as AWS/Lambda)", id="space"
        ),
        pytest.param({"metric": ""}, "'' is no name of a metric (write one such as Errors)", id="no metric"),
        pytest.param(
            {"stat": "sum"},
            "'sum' is no statistic (write Sum, Average, Minimum, Maximum, SampleCount, or p99)",
            id="a statistic in small letters",
        ),
        pytest.param(
            {"period": 45}, "a period is 10s, 30s or whole minutes up to 1h, not 45s", id="half a minute more"
        ),
        pytest.param({"period": 7200}, "a period is 10s, 30s or whole minutes up to 1h, not 7200s", id="two hours"),
        pytest.param(
            {"dimensions": {"": "x"}},
            "'' is no name of a dimension (write one such as FunctionName)",
            id="no dimension",
        ),
        pytest.param(
            {"dimensions": {"A": "ü"}},
            "'ü' is no value of dimension A (at most 255 printable ASCII characters)",
            id="a value in another alphabet",
        ),
        pytest.param(
            {"dimensions": {f"D{number}": "x" for number in range(31)}},
            "a metric has at most 30 dimensions, not 31",
            id="too many dimensions",
        ),
    ],
)
def test_a_wrong_query_is_none(changes: dict[str, object], fault: str) -> None:
    """It says what is wrong, and no reader is asked it."""
    wrong = MetricQuery(**{"namespace": "AWS/Lambda", "metric": "Errors", "stat": "Sum", **changes})  # type: ignore[arg-type]

    assert wrong.fault == fault
    assert parse_metric(wrong.text) is None


@pytest.mark.parametrize("text", ["{", "{}", '{"metric":"Errors"}', ERRORS.text.replace('"stat"', '"expression"')])
def test_what_only_looks_like_a_query_is_none(text: str) -> None:
    """Nothing is filled in."""
    assert parse_metric(text) is None
