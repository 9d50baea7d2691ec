"""EMF: one log line that CloudWatch turns into metrics, within its limits, with dimensions known beforehand."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.entrypoints.aws_lambda.emf import emf_line

AT = datetime(2026, 3, 1, 3, 7, 0, 250_000, tzinfo=UTC)
FIGURES = {"Changes": 1.0, "RunSeconds": 12.5}


def test_line_is_what_cloudwatch_reads_when_rendered() -> None:
    """One line of JSON: the directive, the dimensions, the figures."""
    line = emf_line("RunbookEngine", FIGURES, {"service": "shop", "runbook": "orders-errors", "outcome": ""}, AT)

    assert "\n" not in line
    assert {
        "_aws": {
            "Timestamp": 1772334420250,
            "CloudWatchMetrics": [
                {
                    "Namespace": "RunbookEngine",
                    "Dimensions": [["runbook", "service"]],
                    "Metrics": [{"Name": "Changes", "Unit": "Count"}, {"Name": "RunSeconds", "Unit": "Seconds"}],
                }
            ],
        },
        "service": "shop",
        "runbook": "orders-errors",
        "Changes": 1.0,
        "RunSeconds": 12.5,
    } == json.loads(line)


def test_metric_has_no_dimension_when_none_has_a_value() -> None:
    """CloudWatch has no empty values."""
    assert [[]] == json.loads(emf_line("N", FIGURES, {"service": " "}, AT))["_aws"]["CloudWatchMetrics"][0][
        "Dimensions"
    ]


@pytest.mark.parametrize(
    ("namespace", "metrics", "dimensions", "says"),
    [
        pytest.param("N", {}, {}, "one line records 1 to 100 metrics, not 0", id="no metric"),
        pytest.param(
            "N", {f"m{at}": 1.0 for at in range(101)}, {}, "one line records 1 to 100 metrics, not 101", id="too many"
        ),
        pytest.param(
            "N",
            FIGURES,
            {"incident_id": "7f3c"},
            "'incident_id' is no dimension of ours (one of service, runbook, outcome: each value costs)",
            id="an id",
        ),
        pytest.param(
            "", FIGURES, {}, "'' names no metric or namespace (1 to 255 printable ASCII characters)", id="no namespace"
        ),
        pytest.param(
            "N",
            {"Läufe": 1.0},
            {},
            "'Läufe' names no metric or namespace (1 to 255 printable ASCII characters)",
            id="another alphabet",
        ),
        pytest.param(
            "N",
            {"Changes": float("inf")},
            {},
            "metric Changes is inf, and CloudWatch takes finite figures only",
            id="no figure",
        ),
        pytest.param(
            "N",
            {"service": 1.0},
            {"service": "shop"},
            "'service' is a metric and a dimension of one line (rename the metric)",
            id="one name for two things",
        ),
    ],
)
def test_line_is_refused_when_cloudwatch_would_not_take_it(
    namespace: str, metrics: dict[str, float], dimensions: dict[str, str], says: str
) -> None:
    """CloudWatch drops such a line without a word."""
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        emf_line(namespace, metrics, dimensions, AT)


@given(st.text(max_size=2000))
def test_value_is_plain_and_short_whatever_it_was(value: str) -> None:
    """A service's name is what somebody wrote into a tag."""
    line = json.loads(emf_line("N", FIGURES, {"service": value}, AT))

    told = line.get("service", "?")
    assert told.isascii()
    assert told.isprintable()
    assert 1 <= len(told) <= 1024
