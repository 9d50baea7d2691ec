"""EMF: figures as one log line that CloudWatch turns into metrics, so that telling them costs no call and no wait.

Dimensions are the few things that are known beforehand (service, runbook, outcome). Every value of a dimension is a
metric that is paid for, so an id of an incident or of an execution is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

DIMENSIONS = ("service", "runbook", "outcome")
MOST_METRICS = 100
LONGEST = 255  # of the namespace and of a name
LONGEST_VALUE = 1024
SECONDS = "Seconds"  # what a metric is measured in whose name ends so
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def emf_line(namespace: str, metrics: Mapping[str, float], dimensions: Mapping[str, str], at: datetime) -> str:
    """Return the log line that records these figures. Raises ValueError when CloudWatch would not take it.

    A dimension without a value is left out, since CloudWatch has no empty ones, and what it does not take of a value
    is written as `?`.
    """
    given = {name: _plain(value) for name, value in dimensions.items() if value.strip()}
    _check(namespace, metrics, given)
    definitions = [{"Name": name, "Unit": "Seconds" if name.endswith(SECONDS) else "Count"} for name in metrics]
    directive = {"Namespace": namespace, "Dimensions": [sorted(given)], "Metrics": definitions}
    stamp = (at - EPOCH) // timedelta(milliseconds=1)
    line = {"_aws": {"Timestamp": stamp, "CloudWatchMetrics": [directive]}, **given, **metrics}
    return json.dumps(line, separators=(",", ":"), allow_nan=False)


def _check(namespace: str, metrics: Mapping[str, float], dimensions: Mapping[str, str]) -> None:
    if not 1 <= len(metrics) <= MOST_METRICS:
        raise ValueError(f"one line records 1 to {MOST_METRICS} metrics, not {len(metrics)}")
    for name in (namespace, *metrics):
        if not name.strip() or len(name) > LONGEST or not name.isascii() or not name.isprintable():
            raise ValueError(f"{name!r} names no metric or namespace (1 to {LONGEST} printable ASCII characters)")
    for name, figure in metrics.items():
        if not math.isfinite(figure):
            raise ValueError(f"metric {name} is {figure}, and CloudWatch takes finite figures only")
    for name in dimensions:
        if name not in DIMENSIONS:
            raise ValueError(f"{name!r} is no dimension of ours (one of {', '.join(DIMENSIONS)}: each value costs)")
        if name in metrics:
            raise ValueError(f"{name!r} is a metric and a dimension of one line (rename the metric)")


def _plain(value: str) -> str:
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in value)[:LONGEST_VALUE]
