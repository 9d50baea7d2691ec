"""Replicas of one server: an alert fires for as long as any of them says so."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.backtest.backtest import backtest_firings
from runbook_engine.backtest.firings import Firing
from runbook_engine.backtest.replicas import merge_replicas
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.hindsight import Window
from tests.scenario.rig import ALERT, configuration, runbook
from tests.unit.backtest.histories import NOON, REGISTRY, at, counted, only

DROPPED = ("replica",)


def of(replica: str, begin: float, end: float, *, before: bool = False, still: bool = False) -> Firing:
    """Return what one replica saw."""
    labels = {"alertname": ALERT, "replica": replica}
    return Firing(labels=labels, start=at(begin), end=at(end), began_before=before, still_firing=still)


def test_an_alert_that_one_replica_missed_is_one_episode() -> None:
    """A replica that was restarted says for a while that nothing fires."""
    found = backtest_firings(
        [of("a", 0, 30), of("b", 0.5, 5), of("b", 8, 29)],
        Window(since=NOON, until=at(60), step=timedelta(minutes=1)),
        Bundle((runbook(),), configuration()),
        REGISTRY,
        scope="local",
        external_labels={},
    )

    assert (1, 0) == (found.episodes, found.still_firing)
    assert {"matched": 1, "would_act": 1} == counted(only(found))


def test_what_replicas_saw_is_put_together() -> None:
    """It begins with the first and ends with the last; its edges are those of any."""
    (found,) = merge_replicas([of("a", 0, 10, before=True), of("b", 4, 20), of("a", 19, 60, still=True)], DROPPED)

    assert (at(0), at(60), True, True) == (found.start, found.end, found.began_before, found.still_firing)


def test_episodes_of_one_replica_that_touch_stay_two() -> None:
    """A single server knows when an alert began anew."""
    both = (of("a", 0, 10), of("a", 10, 20))

    assert both == merge_replicas(both, DROPPED)


def test_episodes_of_different_alerts_stay_apart() -> None:
    """Only labels that the installation drops tell replicas apart."""
    others = (of("a", 0, 10), of("b", 1, 9))

    assert others == merge_replicas(others, ())
