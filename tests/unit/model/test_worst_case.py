"""The worst case adds up every wait that a run may make."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.model.check import AlertCheck, ReadyCheck
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Approval, Retry, Runbook, Step, Strategy
from runbook_engine.model.target import TargetTemplate
from runbook_engine.model.worst_case import worst_case

ONCE = Retry(attempts=1)
STEPS = (
    Step(name="a", action="degrade", retry=ONCE, settle=timedelta(seconds=30)),
    Step(
        name="b",
        action="scale",
        retry=Retry(attempts=3, backoff=timedelta(seconds=5)),
        approval=Approval(by="team", timeout=timedelta(minutes=10)),
        verify=(AlertCheck(timeout=timedelta(minutes=1)),),
    ),
)
LIMITS = {"degrade": timedelta(minutes=1), "scale": timedelta(minutes=4)}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        pytest.param("sequence", "0:19:45", id="sequence verifies once, at the end"),
        pytest.param("escalate", "0:22:45", id="escalate verifies after each step"),
    ],
)
def test_worst_case_adds_up_every_wait_when_a_runbook_has_steps(strategy: Strategy, expected: str) -> None:
    """Settle 30s, limits 5m, approval 10m, backoffs 5s + 10s, the step's own verify 1m; checks run together."""
    runbook = Runbook(
        name="a",
        owner="b",
        matchers=(),
        target=TargetTemplate("none"),
        guardrails=Guardrails(cooldown=timedelta(0), deadline=timedelta(0)),
        steps=STEPS,
        strategy=strategy,
        verify=(ReadyCheck(share=1.0, timeout=timedelta(minutes=3)), AlertCheck(timeout=timedelta(minutes=2))),
    )

    assert expected == str(worst_case(runbook, lambda step: LIMITS[step.action]))
