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


def test_what_is_counted_is_what_is_made(pipeline: Applied) -> None:
    """Memory, the beat of the sweep, dashboards, keys and the days of logs and archive are those of the pipeline."""
    functions = pipeline.of("aws_lambda_function").values()

    assert {512} == {each["memory_size"] for each in functions}
    assert {"rate(1 minute)"} == {
        each["schedule_expression"] for each in pipeline.of("aws_scheduler_schedule").values()
    }
    assert f"| CloudWatch dashboards | {len(pipeline.of('aws_cloudwatch_dashboard'))} x 3.00; 3 free |" in PAGE
    assert f"| KMS | {len(pipeline.of('aws_kms_key'))} key x 1.00;" in PAGE
    assert "logs for 30 days, the audit log for a year" in PAGE
    variables = (ROOT / "terraform/stacks/pipeline/variables.tf").read_text(encoding="utf-8")
    assert ["30", "365"] == [default_of(name, variables) for name in ("log_retention_days", "audit_retention_days")]


def test_nodes_are_those_of_the_cluster() -> None:
    """Kind, number and disk, as they are when nobody says otherwise."""
    stack = (ROOT / "terraform/stacks/cluster/variables.tf").read_text(encoding="utf-8")
    module = (ROOT / "terraform/modules/eks/variables.tf").read_text(encoding="utf-8")

    assert ('["t4g.medium"]', "{ min = 2, desired = 2, max = 4 }") == (
        default_of("instance_types", stack),
        default_of("nodes", stack),
    )
    assert f"two t4g.medium, 730 h x 0.0336 each, and {default_of('disk_gib', module)} GB of gp3 each" in PAGE
    assert '"one"' == default_of("nat", stack)


def default_of(name: str, variables: str) -> str:
    """Return the default of a variable, as it is written."""
    block = variables.split(f'variable "{name}" {{')[1]
    found = re.search(r"^ +default += (.+)$", block, re.MULTILINE)
    assert found, f"{name} has no default"
    return found[1]
