"""Metrics of a function, as lines of its own log: no call, no wait. Never an id among the dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

NAMESPACE = "RunbookEngine"


def emf_line(metrics: Mapping[str, tuple[float, str]], dimensions: Mapping[str, str], at: datetime) -> str:
    """Return one line of CloudWatch's embedded metric format; a metric is its value and its unit.

    Source: the embedded metric format specification of CloudWatch (100 metrics and 30 dimensions a line at most).
    """
    described = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [described]},
            **dimensions,
            **{name: value for name, (value, _) in metrics.items()},
        }
    )
