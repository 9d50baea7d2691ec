"""The bill in the documentation adds up, and counts what the pipeline really has."""

import re

import pytest

from tests.terraform.state import ROOT, Applied

pytestmark = pytest.mark.xdist_group("applied")  # where it is applied already

PAGE = (ROOT / "docs/cost.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<row>[^|]+) \|[^|]*\| (?P<amounts>[\d. |*]+) \|$", re.MULTILINE)


def bill(heading: str) -> tuple[list[list[float]], list[float]]:
    """Return the amounts of every row below a heading, and those of its total."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [
        (found["row"], [float(amount) for amount in re.findall(r"[\d.]+", found["amounts"])])
        for found in ROW.finditer(section)
    ]
    return [amounts for row, amounts in rows if "**" not in row], next(amounts for row, amounts in rows if "**" in row)


def test_rows_of_the_pipeline_add_up() -> None:
    """Both columns, by the price list and after what is free."""
    rows, total = bill("The pipeline, row by row")

    assert total == [round(sum(column), 2) for column in zip(*rows, strict=True)]


def test_rows_of_the_cluster_add_up() -> None:
    """The larger part of what people pay."""
    rows, total = bill("The cluster")

    assert total == [sum(column) for column in zip(*rows, strict=True)]


def test_alarms_are_as_many_as_are_paid_for(pipeline: Applied) -> None:
    """The example has one source queue, and so one alarm more than the bill."""
    assert f"{len(pipeline.of('aws_cloudwatch_metric_alarm')) - 1} x 0.10" in PAGE
