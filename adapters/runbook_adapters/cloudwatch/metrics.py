"""Reading metrics from CloudWatch: of complete periods only, each at the instant at which it ended.

A period that is still running holds too little of whatever is summed up, and would pass for an improvement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from runbook_adapters.aws.clients import Clients
from runbook_adapters.cloudwatch.points import fetch
from runbook_engine.errors import Unreadable
from runbook_engine.model.metric import LONGEST_PERIOD, MetricQuery, parse_metric
from runbook_engine.model.observation import Sample, Series
from runbook_engine.ports import Clock

LOOK_BACK = timedelta(minutes=5)  # or three periods, whichever is longer
FINE = (10, 30)  # periods below a minute that CloudWatch knows
KEPT = (  # how long figures of a period are kept; of what is older only sums over longer ones are left
    (timedelta(hours=3), timedelta(seconds=1)),
    (timedelta(days=15), timedelta(minutes=1)),
    (timedelta(days=63), timedelta(minutes=5)),
)


class CloudWatchMetricReader:
    """Asks CloudWatch of one account and region."""

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        """Return the figure of the newest complete period that has one; none = empty. Raises Unreadable."""
        wanted = _parsed(query, where)
        period = wanted.span
        end = _floor(at, period)
        start = _floor(end - max(LOOK_BACK, 3 * period), period)
        points = fetch(self._clients, wanted, start, end)
        if not points:
            return ()
        began, value = points[-1]
        return (Sample(labels=dict(wanted.dimensions), value=value, at=began + period),)

    def history(
        self, query: str, where: Mapping[str, str], start: datetime, end: datetime, step: timedelta
    ) -> tuple[Series, ...]:
        """Return the figures of every complete period between two instants, each at its end. Raises Unreadable."""
        asked = _parsed(query, where)
        least = _kept(self._clock.now() - start)
        wanted = msgspec.structs.replace(asked, period=_period(max(step, asked.span), least))
        period = wanted.span
        first, last = _floor(start, period), _floor(end, period)
        if first >= last:
            return ()
        points = fetch(self._clients, wanted, first, last)
        if not points:
            return ()
        return (
            Series(labels=dict(wanted.dimensions), points=tuple((began + period, value) for began, value in points)),
        )


def _parsed(query: str, where: Mapping[str, str]) -> MetricQuery:
    parsed = parse_metric(query)
    if parsed is None:
        raise Unreadable(
            f"CloudWatch has no metric {query!r} (write the check as metric:, with a namespace and a name)"
        )
    wanted = msgspec.structs.replace(parsed, dimensions={**parsed.dimensions, **where})
    if wanted.fault:
        raise Unreadable(f"CloudWatch cannot be asked for {parsed.says}: {wanted.fault}")
    return wanted


def _floor(at: datetime, period: timedelta) -> datetime:
    """Return the last instant at which one period ended and the next began."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // period * period


def _kept(age: timedelta) -> timedelta:
    """Return the shortest period of which figures of that age are left."""
    return next((period for limit, period in KEPT if age <= limit), timedelta(seconds=LONGEST_PERIOD))


def _period(step: timedelta, least: timedelta) -> int:
    """Return the shortest period in seconds that CloudWatch sums up to, of what it kept, not shorter than a step."""
    seconds = -(-step // timedelta(seconds=1))
    fine = next((known for known in FINE if seconds <= known and least <= timedelta(seconds=1)), None)
    whole = max(60, least // timedelta(seconds=1))
    return fine if fine is not None else min(-(-seconds // whole) * whole, LONGEST_PERIOD)
