"""A change that is to be made again, and what may happen before it is."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.errors import EffectUnknown, Retryable
from runbook_engine.model.guardrail import BudgetRule, Guardrails
from runbook_engine.model.observation import Pause
from runbook_engine.model.runbook import Retry
from tests.scenario.rig import DEGRADE, MINUTE, SECOND, Rig, runbook

PATIENT = replace(DEGRADE, retry=Retry(attempts=5, backoff=timedelta(minutes=2)))


def test_a_retry_after_the_deadline_is_blocked_and_ends() -> None:
    """The first call did nothing; by the time of the second the deadline has passed."""
    rules = Guardrails(cooldown=30 * MINUTE, deadline=MINUTE)
    rig = Rig(runbook(steps=(PATIENT,), guardrails=rules))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled"))

    rig.fire()
    rig.run(5 * MINUTE)

    execution = rig.execution()
    assert ("blocked", "the deadline of 1m has passed") == (execution.status, execution.reason)
    assert ("none", "false") == (execution.compensation, rig.flag())


def test_a_retry_waits_while_the_engine_is_paused() -> None:
    """The pause begins between two attempts: the second waits for its end, and is then made."""
    rig = Rig(runbook(steps=(PATIENT,)))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled"))
    rig.fire()
    rig.run(10 * SECOND)
    rig.simulated.pauses.throw(Pause(until=rig.now + 5 * MINUTE, by="ann"))

    rig.run(4 * MINUTE)
    while_paused = rig.flag()
    rig.run(3 * MINUTE)

    assert "false" == while_paused
    assert ("succeeded", "true") == (rig.execution().status, rig.flag())


def test_a_retried_change_counts_once_in_the_budget() -> None:
    """Three attempts of one change take one entry: another run still finds the rest."""
    rules = Guardrails(
        cooldown=SECOND, deadline=40 * MINUTE, budget=BudgetRule(changes=3, per="fleet", window=timedelta(hours=1))
    )
    rig = Rig(runbook(steps=(replace(DEGRADE, retry=Retry(attempts=3, backoff=SECOND)),), guardrails=rules))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled"), times=2)

    rig.fire()
    rig.run(MINUTE)

    assert "succeeded" == rig.execution().status
    assert 1 == rig.journal.changes_within("fleet", rig.now - timedelta(hours=1), other_than="nobody")


def test_a_change_in_doubt_at_the_deadline_ends_unknown() -> None:
    """An answer was lost, the next call was refused, and then there was no time left: a person must look."""
    rules = Guardrails(cooldown=30 * MINUTE, deadline=3 * MINUTE)
    rig = Rig(runbook(steps=(PATIENT,), guardrails=rules))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", EffectUnknown("connection reset"), after_effect=True)
    rig.simulated.fail_next("flags.write", Retryable("throttled"))

    rig.fire()
    rig.run(8 * MINUTE)

    assert ("unknown", "unknown") == (rig.execution().status, rig.execution().steps[0].progress)
    assert ["notFixed"] == rig.told("oncall")
