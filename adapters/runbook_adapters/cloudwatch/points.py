"""Points: what GetMetricData answers, read strictly: partial or failed is never a figure, and absent is never zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import looking
from runbook_engine.errors import Unreadable
from runbook_engine.model.metric import MetricQuery

MOST_PAGES = 20
ID = "wanted"

Points = tuple[tuple[datetime, float], ...]


def fetch(clients: Clients, query: MetricQuery, start: datetime, end: datetime) -> Points:
    """Return when each period began and its figure, oldest first. Raises Unreadable."""
    request = {
        "MetricDataQueries": [{"Id": ID, "MetricStat": _stat(query), "ReturnData": True}],
        "StartTime": start,
        "EndTime": end,
        "ScanBy": "TimestampAscending",
    }
    points: dict[datetime, float] = {}
    token: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        with looking(query.says):
            page = clients.looking("cloudwatch").get_metric_data(**request, **token)
        points |= _points(page, query, more=bool(page.get("NextToken")))
        if not page.get("NextToken"):
            return tuple((at, points[at]) for at in sorted(points) if start <= at < end)
        token = {"NextToken": page["NextToken"]}
    raise Unreadable(f"{query.says} cannot be read: it has more than {MOST_PAGES} pages (ask for a shorter time)")


def _stat(query: MetricQuery) -> Mapping[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(query.dimensions.items())]
    metric = {"Namespace": query.namespace, "MetricName": query.metric, "Dimensions": dimensions}
    return {"Metric": metric, "Period": query.period, "Stat": query.stat}


def _points(page: Mapping[str, Any], query: MetricQuery, *, more: bool) -> Mapping[datetime, float]:
    """Return the points of one page; PartialData is how a page says that more pages follow."""
    result = next((each for each in page.get("MetricDataResults") or () if each.get("Id") == ID), None)
    if result is None:
        raise Unreadable(f"{query.says} cannot be read: CloudWatch answers something else{_messages(page)}")
    status = result.get("StatusCode") or "Complete"
    if status != "Complete" and not (status == "PartialData" and more):
        raise Unreadable(f"{query.says} cannot be read: CloudWatch answers {status}{_messages({**page, **result})}")
    pairs = zip(result.get("Timestamps") or (), result.get("Values") or (), strict=True)
    return {at.astimezone(UTC): float(value) for at, value in pairs if math.isfinite(value)}


def _messages(answer: Mapping[str, Any]) -> str:
    said = "; ".join(str(each.get("Value") or each.get("Code")) for each in answer.get("Messages") or ())
    return f": {said}" if said else ""
