"""Property: whatever the ports do wrong, no effect is made twice, and what is called undone is undone."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.documents.runbook_test import ScenarioDocument
from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.execution import ENDED
from runbook_engine.model.target import Target
from runbook_engine.registry import Registry
from runbook_engine.testing.play import Play
from runbook_engine.testing.simulated_world import SimulatedWorld
from runbook_engine.testing.stage import open_configuration, set_stage
from tests.length import examples

pytestmark = pytest.mark.slow

RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: checkout-errors, owner: team-checkout, summary: Shed features and add capacity}
matchers:
  - alertname = CheckoutErrors
target: {namespace: apps, deployment: checkout}
mode: auto
strategy: escalate
verify:
  - {query: errors, below: 0.02, timeout: 1m}
guardrails: {cooldown: 30m, deadline: 1h}
steps:
  - name: shed
    action: degrade
    with: {parameter: /degraded, value: "true"}
    compensate: {when: resolved, holdFor: 10m}
  - name: grow
    action: scale
    with: {by: 50%, upTo: 12}
    compensate: {when: resolved, holdFor: 10m}
"""
FIRING = {"alertname": "CheckoutErrors", "severity": "critical"}
SCENARIO = ScenarioDocument.model_validate(
    {
        "name": "it",
        "world": {
            "deployments": [{"namespace": "apps", "name": "checkout", "replicas": 4}],
            "parameters": {"/degraded": "false"},
            "series": {"errors": "0.12x7 0.01"},
        },
        "alerts": [{"at": "0s", "fires": FIRING}, {"at": "15m", "resolves": FIRING}],
        "expect": [{"at": "3h", "matched": ["checkout-errors"]}],
    }
)
CHECKOUT = Target("deployment", "local", "apps", "checkout")

Failure = tuple[str, type[RunbookError], int, bool]
failures: st.SearchStrategy[list[Failure]] = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["flags.write", "cluster.scale", "notifier.send"]),
            st.sampled_from([Retryable, Permanent, EffectUnknown, Conflict]),
            st.integers(1, 4),
            st.just(False),
        ),
        st.tuples(
            st.sampled_from(["flags.write", "cluster.scale", "notifier.send"]),
            st.just(EffectUnknown),
            st.integers(1, 4),
            st.just(True),
        ),
        st.tuples(
            st.sampled_from(["flags.flag", "cluster.workload", "metrics.query", "pauses.pause"]),
            st.just(Unreadable),
            st.integers(1, 6),
            st.just(False),
        ),
    ),
    max_size=5,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the compiled runbook."""
    path: Path = tmp_path_factory.mktemp("runbooks") / "errors.yaml"
    path.write_text(RUNBOOK)
    return load_valid_files([path], Registry()).bundle


def play_with(bundle: Bundle, ordered: list[Failure]) -> tuple[Play, SimulatedWorld]:
    """Play the scenario with failing ports."""
    configuration = open_configuration(bundle.runbooks, SCENARIO.world)
    simulated = set_stage(SCENARIO, configuration, timedelta(seconds=15))
    for method, error, times, after_effect in ordered:
        simulated.fail_next(method, error("told to"), times=times, after_effect=after_effect)
    play = Play(SCENARIO, Bundle(bundle.runbooks, configuration), simulated, Registry())
    assert play.run() == ()
    return play, simulated


@settings(max_examples=examples(60), deadline=None)
@given(ordered=failures)
def test_effects_are_neither_lost_nor_doubled_when_ports_fail(bundle: Bundle, ordered: list[Failure]) -> None:
    """The record agrees with the world, through every mixture of refusals, lost answers and blind readers."""
    play, simulated = play_with(bundle, ordered)

    told = "\n".join([*play.lines(), *map(str, simulated.touches)])
    [execution] = play.journal.executions(limit=10)
    assert execution.status in ENDED, told
    for method in ("flags.write", "cluster.scale"):
        values = [touch.value for touch in simulated.effects_made if touch.method == method]
        assert all(one != other for one, other in pairwise(values)), told
        assert len(values) <= 2, told
    # a port that says conflict of an undo is believed: the change is left to whoever moved it
    standing = {step.name for step in execution.steps if step.stands or step.released}
    degraded, replicas = simulated.value_of("/degraded"), simulated.seen(CHECKOUT).replicas
    given_up = any(step.released for step in execution.steps)
    if execution.compensation in ("undone", "none") and execution.status != "unknown" and not given_up:
        assert (degraded, replicas) == ("false", 4), told
    assert degraded == "false" or "shed" in standing, told
    assert replicas == 4 or "grow" in standing, told


def test_effect_is_not_forgotten_when_a_lost_answer_is_followed_by_refusals(bundle: Bundle) -> None:
    """What may have happened stays in doubt until somebody has looked: refused retries are no proof of absence."""
    play, simulated = play_with(
        bundle, [("cluster.scale", EffectUnknown, 1, True), ("cluster.scale", Retryable, 2, False)]
    )

    [execution] = play.journal.executions(limit=10)
    assert execution.status == "unknown" or simulated.seen(CHECKOUT).replicas == 4
