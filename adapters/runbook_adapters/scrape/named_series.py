"""Named series, computed from scrapes: what Prometheus would record as rules, without a Prometheus.

Pure. A counter that goes back has started again; a counter that appears has started at nought. No answer is
better than a wrong one: too few scrapes, no traffic, an unknown metric and a figure that is not a number give none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from runbook_adapters.scrape.exposition import Exposition, Key
from runbook_engine.model.configuration import SeriesRule
from runbook_engine.model.observation import Sample


class Scrape(msgspec.Struct, frozen=True):
    """What the endpoint said at one instant."""

    at: datetime
    exposition: Exposition


def bucket_metric(metric: str) -> str:
    """Return the series that holds a histogram's buckets, however the author named the histogram."""
    return metric if metric.endswith("_bucket") else f"{metric}_bucket"


def wanted_metrics(rules: Sequence[SeriesRule]) -> frozenset[str]:
    """Return every metric that the rules are computed from."""
    own = {bucket_metric(rule.metric) if rule.kind == "quantile" else rule.metric for rule in rules}
    return frozenset(own | {rule.over for rule in rules if rule.over})


def evaluate(
    rule: SeriesRule, where: Mapping[str, str], window: Sequence[Scrape], labels: Mapping[str, str]
) -> tuple[Sample, ...]:
    """Return what a rule says after the scrapes of its window, oldest first; `labels` are put on every sample."""
    if not window:
        return ()
    newest = window[-1]
    if rule.kind == "value":
        return _values(rule, where, newest, labels)
    value = _computed(rule, where, window)
    if value is None or not math.isfinite(value):
        return ()
    return (Sample(labels=labels, value=value, at=newest.at),)


def increases(window: Sequence[Scrape], metric: str, where: Mapping[str, str]) -> dict[Key, float]:
    """Return by how much every matching counter has risen over the window, restarts included."""
    risen: dict[Key, float] = {}
    for earlier, later in pairwise(window):
        for key, value in later.exposition.values.items():
            if key[0] == metric and where.items() <= dict(key[1]).items():
                before = earlier.exposition.values.get(key, 0.0)
                risen[key] = risen.get(key, 0.0) + (value - before if value >= before else value)
    return risen


def _computed(rule: SeriesRule, where: Mapping[str, str], window: Sequence[Scrape]) -> float | None:
    elapsed = (window[-1].at - window[0].at).total_seconds()
    known = window[-1].exposition.known
    metric = bucket_metric(rule.metric) if rule.kind == "quantile" else rule.metric
    if elapsed <= 0 or metric not in known or (rule.over and rule.over not in known):
        return None
    risen = increases(window, metric, {**rule.where, **where})
    match rule.kind:
        case "rate":
            return sum(risen.values()) / elapsed
        case "ratio":
            whole = sum(increases(window, rule.over, {**rule.over_where, **where}).values())
            return sum(risen.values()) / whole if whole > 0 else None
        case _:
            return _quantile(rule.quantile, risen)


def _values(
    rule: SeriesRule, where: Mapping[str, str], newest: Scrape, labels: Mapping[str, str]
) -> tuple[Sample, ...]:
    wanted = {**rule.where, **where}.items()
    found = [
        Sample(labels={**dict(key[1]), **labels}, value=value, at=newest.at)
        for key, value in newest.exposition.values.items()
        if key[0] == rule.metric and wanted <= dict(key[1]).items()
    ]
    return tuple(found) if all(math.isfinite(sample.value) for sample in found) else ()


def _quantile(share: float, risen: Mapping[Key, float]) -> float | None:
    """Return the quantile as Prometheus does: linear inside a bucket, the last bound beyond the last bucket."""
    counts: dict[float, float] = {}
    for (_, labels), count in risen.items():
        bound = float(dict(labels).get("le", "nan"))
        if math.isnan(bound):
            return None
        counts[bound] = counts.get(bound, 0.0) + count
    bounds = sorted(counts)
    if len(bounds) < 2 or bounds[-1] != math.inf or counts[math.inf] <= 0:
        return None
    rank = share * counts[math.inf]
    lower, below = 0.0, 0.0
    for bound in bounds[:-1]:
        count = max(counts[bound], below)
        if count >= rank:
            if bound <= 0 or count == below:
                return bound
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return bounds[-2]
