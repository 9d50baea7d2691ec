"""Replicas: several servers that watch the same, each with series of its own, tell of one alert.

Alertmanager takes an alert for over when nobody says any more that it fires, so episodes that overlap are one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from runbook_engine.backtest.firings import Firing, Labels


def merge_replicas(firings: Iterable[Firing], dropped: Collection[str]) -> tuple[Firing, ...]:
    """Return the episodes, oldest first, those that differ in `dropped` labels alone and overlap put together."""
    alike: dict[Labels, list[Firing]] = {}
    for firing in firings:
        said = tuple(sorted((name, text) for name, text in firing.labels.items() if name not in dropped))
        alike.setdefault(said, []).append(firing)
    merged = [each for seen in alike.values() for each in _merged(seen)]
    return tuple(sorted(merged, key=lambda each: (each.start, tuple(each.labels.items()))))


def _merged(seen: list[Firing]) -> Iterator[Firing]:
    """Return the episodes of one alert; those of a single server never overlap."""
    whole: Firing | None = None
    for each in sorted(seen, key=lambda firing: firing.start):
        if whole is None or each.start >= whole.end:
            if whole is not None:
                yield whole
            whole = each
        else:
            whole = _both(whole, each)
    if whole is not None:
        yield whole


def _both(first: Firing, second: Firing) -> Firing:
    return replace(
        first,
        end=max(first.end, second.end),
        pending_since=min(filter(None, (first.pending_since, second.pending_since)), default=None),
        began_before=first.began_before or second.began_before,
        still_firing=first.still_firing or second.still_firing,
    )
