"""A backtest against runs that did happen: the shipped tests are played, and what they were told is their history."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from runbook_engine.backtest.backtest import backtest_history
from runbook_engine.backtest.history import Recorded, RecordedAlert
from runbook_engine.documents.runbook_test import AlertDocument, ScenarioDocument
from runbook_engine.loading.files import LoadedTest, load_files
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.hindsight import Hindsight
from runbook_engine.registry import Registry
from runbook_engine.testing.play import Play
from runbook_engine.testing.runner import load_subject, make_play

SHIPPED = Path(__file__).parents[2] / "runbooks"
CHOSEN = ("crash-looping", "high-error-rate")
REGISTRY = Registry()


@pytest.mark.parametrize("name", CHOSEN)
def test_no_run_acts_that_a_backtest_holds_for_impossible(name: str) -> None:
    """What it says would be blocked was blocked; what did act is among what it says would act, or would ask."""
    (test,) = load_files([SHIPPED / "checkout" / f"{name}.test.yaml"], REGISTRY, SHIPPED / "engine.yaml").tests
    bundle = load_subject(test, REGISTRY)
    played = 0

    for scenario in test.document.tests:
        if not scenario.alerts or any(alert.expires or alert.scope for alert in scenario.alerts):
            continue  # silence that counts at once cannot be written down
        play = make_play(scenario, test, bundle, REGISTRY)
        assert play.run() == ()
        acted, runs = _seen(play)
        found = {each.runbook: each for each in _look_back(scenario, play, test, bundle)}
        played += 1
        for runbook, each in found.items():
            assert acted[runbook] <= each.would_act + each.would_propose + each.would_ask, scenario.name
            assert runs[runbook] <= each.matched - each.joined, scenario.name
            assert each.blocked <= runs[runbook] - acted[runbook], scenario.name

    assert played


def _seen(play: Play) -> tuple[Counter[str], Counter[str]]:
    """Return how many runs changed something, and how many there were, by runbook."""
    acted: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for run in play.journal.executions(limit=1000):
        runs[run.runbook] += 1
        acted[run.runbook] += any(
            effect.written for step in run.steps if not step.message_only for effect in step.effects
        )
    return acted, runs


def _look_back(scenario: ScenarioDocument, play: Play, test: LoadedTest, bundle: Bundle) -> tuple[Hindsight, ...]:
    """Return what a backtest of the same alerts says of each runbook."""
    told = [_line(alert, play) for alert in sorted(scenario.alerts, key=lambda alert: alert.at)]
    end = Recorded(test.file, RecordedAlert(at=play.clock.now(), status="firing", labels={"alertname": "TheEnd"}))
    lines = [line for line in told if line.at <= end.at]
    configured = Bundle(bundle.runbooks, play.engine.sight.configuration)
    scopes = configured.configuration.scopes
    return backtest_history([*lines, end], configured, REGISTRY, scopes[0].name).runbooks


def _line(alert: AlertDocument, play: Play) -> Recorded:
    return Recorded(
        "scenario",
        RecordedAlert(
            at=play.clock.start + alert.at,
            status="resolved" if alert.fires is None else "firing",
            labels=dict(alert.labels),
            annotations=dict(alert.annotations),
        ),
    )
