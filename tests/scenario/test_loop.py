"""The loop: match, guard, plan, act, verify, compensate, audit, as an on-call would watch it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable
from runbook_engine.model.check import ChangedWithinCheck
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Compensate, NotifyRule, Step
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, NO_HARM, SCALE, SECOND, VERIFY, Rig, runbook

ROLLBACK = Step(
    name="roll-back-release",
    action="rollback",
    arguments={"to": "previous"},
    when=(ChangedWithinCheck(period=timedelta(hours=2)),),
    compensate=Compensate(when="never"),
)


def test_escalate_stops_at_the_first_step_after_which_verification_passes() -> None:
    """Degrading heals it: capacity is not added."""
    rig = Rig()
    rig.healed_by_flag()

    rig.fire()
    rig.run(MINUTE)

    assert ("succeeded", "held") == (rig.execution().status, rig.execution().compensation)
    assert ["changed", "pending"] == [step.progress for step in rig.execution().steps]
    assert ("true", 4) == (rig.flag(), rig.replicas())


def test_escalate_goes_on_when_verification_fails() -> None:
    """Degrading does not heal it, capacity does."""
    rig = Rig()
    rig.errors(lambda world: 0.001 if rig.replicas() >= 6 else 0.12)

    rig.fire()
    rig.run(5 * MINUTE)

    assert "succeeded" == rig.execution().status
    assert ["changed", "changed"] == [step.progress for step in rig.execution().steps]
    assert ("true", 6) == (rig.flag(), rig.replicas())


def test_a_fault_that_nothing_heals_ends_unresolved_and_pages() -> None:
    """Every step is tried, the changes stay, and the on-call is told."""
    rig = Rig()
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(6 * MINUTE)

    assert "unresolved" == rig.execution().status
    assert "every step was tried and verification still does not pass" == rig.execution().reason
    assert ["notFixed"] == rig.told("oncall")


def test_no_data_is_neither_fixed_nor_a_reason_to_escalate() -> None:
    """At the time limit the run ends unresolved; the next step is not taken."""
    rig = Rig()

    rig.fire()
    rig.run(5 * MINUTE)

    assert "unresolved" == rig.execution().status
    assert "cannot tell whether it is fixed: checkout:error_ratio has no data" == rig.execution().reason
    assert 4 == rig.replicas()


def test_compensation_undoes_after_the_hold_time_and_verifies_again() -> None:
    """Ten minutes after the resolve the flag is what it was before."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)

    rig.resolve()
    rig.run(9 * MINUTE + 59 * SECOND)
    held = (rig.execution().compensation, rig.flag())
    rig.run(MINUTE)

    assert ("held", "true") == held
    assert ("succeeded", "undone", "false") == (rig.execution().status, rig.execution().compensation, rig.flag())
    assert rig.execution().finished


def test_undoing_that_brings_the_fault_back_is_put_back_and_handed_over() -> None:
    """Verification fails after the undo: the change is made again, and a person is told."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)

    rig.resolve()
    rig.run(15 * MINUTE)

    assert ("handed_over", "held", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())
    assert "shed-optional-features was made again, since verification failed after it was undone" == (
        rig.execution().reason
    )
    assert ["notFixed"] == rig.told("oncall")


def test_a_change_that_fixed_nothing_is_not_made_again_after_its_undo() -> None:
    """Verification failed with it and fails without it: the trail has no reason to make it once more."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(3 * MINUTE)
    assert "unresolved" == rig.execution().status

    rig.resolve()
    rig.run(15 * MINUTE)

    said = (
        "shed-optional-features was undone and is not made again: it fixed nothing, and verification fails without "
        "it too"
    )
    assert ("handed_over", "undone", said) == (
        rig.execution().status,
        rig.execution().compensation,
        rig.execution().reason,
    )
    assert "false" == rig.flag()
    [*_, told] = [each.message.text for each in rig.simulated.inbox.messages if each.receiver == "oncall"]
    assert f"handed over: {said}" == told


def test_an_undo_never_overwrites_what_somebody_else_set() -> None:
    """The live value is no longer ours: superseded, and left alone."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)
    rig.simulated.set_parameter(FLAG, "partial", by="ann")

    rig.resolve()
    rig.run(15 * MINUTE)

    assert ("superseded", "partial") == (rig.execution().compensation, rig.flag())


def test_steps_are_undone_each_after_its_own_hold_time() -> None:
    """The flag after ten minutes, the capacity after thirty."""
    rig = Rig()
    rig.errors(lambda world: 0.001 if rig.replicas() >= 6 else 0.12)
    rig.fire()
    rig.run(5 * MINUTE)
    rig.errors(lambda world: 0.001)

    rig.resolve()
    rig.run(12 * MINUTE)
    after_ten = (rig.flag(), rig.replicas(), rig.execution().compensation)
    rig.run(20 * MINUTE)

    assert ("false", 6, "held") == after_ten
    assert ("false", 4, "undone") == (rig.flag(), rig.replicas(), rig.execution().compensation)


def test_sequence_undoes_in_reverse_order_when_an_action_fails() -> None:
    """The second action fails: what the first did is undone, the run has failed."""
    on_failure = Compensate(when="onFailure")
    book = runbook(
        strategy="sequence",
        verify=(),
        steps=(replace(DEGRADE, compensate=on_failure), replace(SCALE, compensate=on_failure)),
    )
    rig = Rig(book)
    rig.simulated.fail_next("cluster.scale", Permanent("quota exceeded"))

    rig.fire()
    rig.run(15 * MINUTE)

    assert ("failed", "add-capacity failed: quota exceeded") == (rig.execution().status, rig.execution().reason)
    assert ("undone", "false", 4) == (rig.execution().compensation, rig.flag(), rig.replicas())


def test_sequence_verifies_once_at_the_end() -> None:
    """Both steps run although the first would have been enough."""
    rig = Rig(runbook(strategy="sequence"))
    rig.healed_by_flag()

    rig.fire()
    rig.run(2 * MINUTE)

    assert "succeeded" == rig.execution().status
    assert ("true", 6) == (rig.flag(), rig.replicas())


def test_a_step_whose_when_does_not_hold_is_skipped_and_says_why() -> None:
    """The release is five hours old, wanted within two."""
    rig = Rig(runbook(steps=(DEGRADE, ROLLBACK)))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(4 * MINUTE)

    assert "skipped" == rig.execution().steps[1].progress
    assert "no change by others before the alert, wanted within 2h" == rig.execution().steps[1].reason


def test_our_own_changes_are_no_reason_for_a_rollback() -> None:
    """`changedWithin` counts what others did: the capacity that we added is not a release."""
    rig = Rig(runbook(steps=(SCALE, ROLLBACK)))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(5 * MINUTE)

    assert "skipped" == rig.execution().steps[1].progress


def test_do_no_harm_aborts_and_undoes_when_the_signal_gets_worse() -> None:
    """Latency rises past its baseline and margin after the change: abort, undo, tell."""
    rig = Rig(runbook(do_no_harm=NO_HARM))
    rig.errors(lambda world: 0.12)
    rig.simulated.compute("checkout:latency_p99", lambda world: 3.0 if world.value_of(FLAG) == "true" else 1.0)

    rig.fire()
    rig.run(MINUTE)

    assert "failed" == rig.execution().status
    assert "do-no-harm: checkout:latency_p99 rose to 3 from 1 (at most 1.25)" == rig.execution().reason
    assert ("undone", "false") == (rig.execution().compensation, rig.flag())


def test_do_no_harm_without_a_baseline_blocks() -> None:
    """A guardrail that cannot read its signal says no."""
    rig = Rig(runbook(do_no_harm=NO_HARM))
    rig.healed_by_flag()

    rig.fire()
    rig.run(MINUTE)

    assert "blocked" == rig.execution().status
    assert "do-no-harm: checkout:latency_p99 cannot be read: no data" == rig.execution().reason
    assert "false" == rig.flag()


def test_a_page_goes_out_while_still_trying() -> None:
    """`after: 90s` pages once, before the end, and the end does not page again."""
    rules = (NotifyRule(receiver="oncall", events=("notFixed",), after=timedelta(seconds=90)),)
    rig = Rig(runbook(notify=rules))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(100 * SECOND)
    told_early = rig.told("oncall")
    rig.run(6 * MINUTE)

    assert ["notFixed"] == told_early
    assert ["notFixed"] == rig.told("oncall")


def test_blocked_is_never_silent() -> None:
    """No rule covers it: the owner's receiver hears, once."""
    rules = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)
    rig = Rig(runbook(notify=(), do_no_harm=NO_HARM, guardrails=rules))

    rig.fire()
    rig.run(MINUTE)

    assert "blocked" == rig.execution().status
    assert ["blocked"] == rig.told("chat")


def test_a_receiver_that_is_down_delays_no_change() -> None:
    """The change is made and verified; the notices come later."""
    rig = Rig()
    rig.healed_by_flag()
    rig.simulated.fail_next("notifier.send", Retryable("connection refused"), times=3)

    rig.fire()
    rig.run(20 * SECOND)
    early = rig.execution().status
    rig.run(2 * MINUTE)

    assert "succeeded" == early
    assert {"started", "changed", "ended"} == set(rig.told("chat"))


def test_a_retry_is_made_with_the_stored_change_and_backs_off() -> None:
    """Two calls surely did nothing; the third does, once."""
    rig = Rig()
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled"), times=2)

    rig.fire()
    rig.run(MINUTE)

    assert "succeeded" == rig.execution().status
    assert 3 == rig.execution().steps[0].effects[0].attempt
    assert 1 == len(rig.simulated.effects_made)


def test_a_lost_answer_is_looked_for_and_never_doubled() -> None:
    """The write arrived, its answer did not: applied again as a compare-and-set, it changes nothing more."""
    rig = Rig()
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", EffectUnknown("connection reset"), after_effect=True)

    rig.fire()
    rig.run(MINUTE)

    assert ("succeeded", "true") == (rig.execution().status, rig.flag())
    assert 1 == len(rig.simulated.effects_made)


def test_a_conflict_looks_again_and_never_overwrites() -> None:
    """Somebody moved it between the look and the write: the step is prepared again on the new value."""
    rig = Rig()
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Conflict("the value is not false any more"))

    rig.fire()
    rig.run(MINUTE)

    assert "succeeded" == rig.execution().status
    assert 1 == rig.execution().steps[0].conflicts


def test_verification_holds_as_long_as_it_must() -> None:
    """A single good sample is not fixed: it must hold for fifteen seconds."""
    rig = Rig()
    rig.healed_by_flag()

    rig.fire()
    rig.run(14 * SECOND)
    early = rig.execution().status
    rig.run(2 * SECOND)

    assert "waiting" == early
    assert "succeeded" == rig.execution().status
    assert VERIFY.hold_for == 15 * SECOND


def test_every_record_is_chained_to_the_one_before() -> None:
    """The head of the chain stands in the execution."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)

    records = rig.journal.audit(rig.execution().id)

    assert [record.hash for record in records[:-1]] == [record.previous for record in records[1:]]
    assert all(record.hash == record.expected_hash() for record in records)
    assert rig.execution().audit_head == records[-1].hash
