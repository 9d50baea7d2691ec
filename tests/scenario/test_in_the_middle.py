"""What an alert or a person does in the middle: it resolves, returns, expires; they approve, deny, stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Forbidden, GuardrailBlocked, InvalidTarget, Permanent, StalePlan
from runbook_engine.model.check import AlertCheck
from runbook_engine.model.configuration import Scope
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Approval, Input, ModeRule, Step
from runbook_engine.model.signal import Signal
from runbook_engine.model.target import TargetTemplate
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.scenario.rig import ALERT, DEGRADE, FLAG, MINUTE, SCALE, SECOND, Rig, configuration, runbook

ASKED = replace(SCALE, approval=Approval(by="team-checkout", timeout=10 * MINUTE))
ABORTS = replace(SCALE, approval=Approval(by="team-checkout", timeout=10 * MINUTE, on_timeout="abort"))
SKIPS = replace(SCALE, approval=Approval(by="team-checkout", timeout=10 * MINUTE, on_timeout="next"))


def asking(step: Step = ASKED, *, journal: MemoryJournal | None = None) -> Rig:
    """Return a rig whose first step does not help, waiting for an approval of the second."""
    rig = Rig(runbook(steps=(DEGRADE, step)), journal=journal)
    rig.errors(lambda world: 0.001 if rig.replicas() >= 6 else 0.12)
    rig.fire()
    rig.run(3 * MINUTE)
    assert "awaiting_approval" == rig.execution().status
    return rig


def holding() -> Rig:
    """Return a rig whose run succeeded and holds its change."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    assert ("succeeded", "held") == (rig.execution().status, rig.execution().compensation)
    return rig


def test_an_alert_that_resolves_before_the_first_change_cancels() -> None:
    """Nothing was changed, so there is nothing to succeed at."""
    rules = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE, minimum_fault_age=MINUTE)
    rig = Rig(runbook(guardrails=rules))
    rig.healed_by_flag()
    rig.fire()
    rig.run(10 * SECOND)

    rig.resolve()
    rig.run(2 * MINUTE)

    assert ("cancelled", "false") == (rig.execution().status, rig.flag())
    assert "every alert resolved before anything was changed" == rig.execution().reason


def test_an_alert_that_resolves_while_approval_is_awaited_lets_it_lapse() -> None:
    """Something was changed before: succeeded; the question is gone, the second change is never made."""
    rig = asking()

    rig.resolve()
    rig.run(MINUTE)

    assert ("succeeded", 4) == (rig.execution().status, rig.replicas())
    assert rig.execution().approval is None
    with pytest.raises(StalePlan, match="asks for nothing now"):
        rig.engine.approve(rig.execution().id, plan_hash="abcd", by="ann", now=rig.now)


class Crowded(MemoryJournal):
    """A journal in which somebody else answers between another's look at the question and their answer."""

    faster: Signal | None = None

    def signal(self, execution_id: str, signal: Signal) -> int:
        """Append the faster one first, once."""
        faster, self.faster = self.faster, None
        if faster is not None:
            super().signal(execution_id, faster)
        return super().signal(execution_id, signal)


@pytest.mark.parametrize("then", ["approve", "deny", "deny whatever is asked"])
@pytest.mark.parametrize(
    ("first", "said", "replicas"),
    [pytest.param("approved", "yes", 6, id="a yes was first"), pytest.param("denied", "no", 4, id="a no was first")],
)
def test_whoever_answers_second_hears_who_was_faster(
    first: Literal["approved", "denied"], said: str, replicas: int, then: str
) -> None:
    """Both had seen the question without an answer; the first in the journal counts, and nobody is told otherwise."""
    journal = Crowded()
    rig = asking(journal=journal)
    request = rig.execution().approval
    assert request is not None
    journal.faster = Signal(kind=first, at=rig.now, by="bob", plan_hash=request.hash)

    exactly = "" if then == "deny whatever is asked" else request.hash
    answer = rig.engine.approve if then == "approve" else rig.engine.deny

    with pytest.raises(StalePlan) as caught:
        answer(rig.execution().id, plan_hash=exactly, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert f"bob has said {said} already, at {rig.now - MINUTE:%H:%M:%S} UTC" == str(caught.value)
    assert replicas == rig.replicas()
    heard = [each for each in rig.says() if each.startswith("ann ")]
    assert [True] == [each.endswith(", too late: that is not asked any more") for each in heard]


def test_whoever_answers_what_was_decided_before_hears_who_did() -> None:
    """The run has gone on, or ended; the answer to exactly this question is still known."""
    rig = asking()
    request = rig.execution().approval
    assert request is not None
    rig.engine.deny(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    with pytest.raises(StalePlan) as caught:
        rig.engine.approve(rig.execution().id, plan_hash=request.hash[:8], by="ann", now=rig.now)

    assert f"ann has said no already, at {rig.now - MINUTE:%H:%M:%S} UTC" == str(caught.value)


def test_an_alert_that_comes_back_within_the_hold_time_keeps_the_change_and_hands_over() -> None:
    """The refire joins the holding run; nothing is undone, the owner is told."""
    rig = holding()
    rig.resolve()
    rig.run(5 * MINUTE)

    receipt = rig.fire()
    rig.run(30 * MINUTE)

    assert (rig.execution().id,) == receipt.joined
    assert ("handed_over", "held", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())
    assert f"{ALERT} came back within the hold time; our changes are kept" == rig.execution().reason
    assert ["notFixed"] == rig.told("oncall")


def test_a_run_that_a_person_has_lets_go_once_its_alerts_resolve() -> None:
    """The next episode opens a run of its own; the cooldown decides about it."""
    rig = holding()
    rig.resolve()
    rig.run(5 * MINUTE)
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.run(MINUTE)

    receipt = rig.fire()

    assert 1 == len(receipt.opened)


def test_an_alert_that_merely_expired_is_not_resolved() -> None:
    """The change stays, and the owner is told."""
    rig = holding()

    rig.run(10 * timedelta(hours=1), step=timedelta(minutes=10))
    expired = rig.engine.expire(rig.now)
    rig.run(timedelta(hours=1), step=MINUTE)

    assert 1 == expired
    assert ("succeeded", "held", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())
    assert ["notFixed"] == rig.told("oncall")


def test_another_alert_joins_a_holding_run_and_the_undo_waits_for_both() -> None:
    """Several pods alert a little apart: one run for one target, undone once the last of them is resolved."""
    rig = holding()
    rig.errors(lambda world: 0.001)
    rig.fire(pod="second")
    rig.run(MINUTE)

    rig.resolve()
    rig.run(15 * MINUTE)
    after_one = (rig.execution().status, rig.flag())
    rig.resolve(pod="second")
    rig.run(11 * MINUTE)

    assert 1 == len(rig.journal.executions(limit=10))
    assert ("succeeded", "true") == after_one
    assert ("succeeded", "undone", "false") == (rig.execution().status, rig.execution().compensation, rig.flag())


def test_another_alert_within_the_hold_time_hands_over() -> None:
    """All were resolved, and something fires again: what was done was not enough, so a person looks."""
    rig = holding()
    rig.resolve()
    rig.run(5 * MINUTE)

    rig.fire(pod="second")
    rig.run(5 * MINUTE)

    assert "handed_over" == rig.execution().status


def test_alerts_that_join_while_running_are_all_waited_for() -> None:
    """The undo waits until every joined alert is resolved."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire(pod="one")
    rig.drive()
    rig.fire(pod="two")
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)

    rig.resolve(pod="one")
    rig.run(15 * MINUTE)
    after_one = rig.flag()
    rig.resolve(pod="two")
    rig.run(11 * MINUTE)

    assert 1 == len(rig.journal.executions(limit=10))
    assert ("true", "false") == (after_one, rig.flag())


def test_an_approval_by_the_right_person_makes_the_change() -> None:
    """The hash of exactly this change, from a member of the team."""
    rig = asking()
    request = rig.execution().approval
    assert request is not None

    rig.engine.approve(rig.execution().id, plan_hash=request.hash[:8], by="ann", now=rig.now)
    rig.run(2 * MINUTE)

    assert ("succeeded", 6) == (rig.execution().status, rig.replicas())
    assert f"ann approved plan {request.hash[:8]}" in rig.says()


def test_an_approval_by_a_stranger_is_refused() -> None:
    """Only the team's members answer for it."""
    rig = asking()
    request = rig.execution().approval
    assert request is not None

    with pytest.raises(Forbidden, match="bob is not in team-checkout, which must answer: ann"):
        rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="bob", now=rig.now)


def test_an_approval_of_another_plan_is_stale() -> None:
    """The hash that was shown is not the hash that is asked now."""
    rig = asking()

    with pytest.raises(StalePlan, match="now, not 00000000: look at it again"):
        rig.engine.approve(rig.execution().id, plan_hash="00000000", by="ann", now=rig.now)


def test_an_approval_lapses_when_the_world_moved_and_is_asked_again() -> None:
    """Replicas were edited between the question and the answer: the yes was to another change."""
    rig = asking()
    request = rig.execution().approval
    assert request is not None
    rig.simulated.edit_replicas(rig.target(), 5)

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    again = rig.execution().approval
    assert again is not None
    assert "it was replicas 4 -> 6, now it is replicas 5 -> 8" == again.again_because
    assert 5 == rig.replicas()


@pytest.mark.parametrize(
    ("step", "status", "compensation", "flag"),
    [
        pytest.param(ASKED, "unresolved", "held", "true", id="stop keeps what was done"),
        pytest.param(ABORTS, "unresolved", "undone", "false", id="abort undoes it"),
        pytest.param(SKIPS, "unresolved", "held", "true", id="next goes to the next step, and there is none"),
    ],
)
def test_an_approval_that_nobody_answers(step: Step, status: str, compensation: str, flag: str) -> None:
    """`onTimeout` says what no answer means."""
    rig = asking(step)

    rig.run(12 * MINUTE)

    execution = rig.execution()
    assert (status, compensation, flag) == (execution.status, execution.compensation, rig.flag())
    assert 4 == rig.replicas()


def test_a_denied_change_is_never_made() -> None:
    """The run ends; what was done before is kept as its runbook says."""
    rig = asking()

    rig.engine.deny(rig.execution().id, by="ann", now=rig.now, reason="we are releasing")
    rig.run(MINUTE)

    assert ("cancelled", 4) == (rig.execution().status, rig.replicas())
    assert "denied by ann (we are releasing)" == rig.execution().reason


@pytest.mark.parametrize(
    ("undo", "flag", "compensation"),
    [pytest.param(True, "false", "undone", id="undo"), pytest.param(False, "true", "none", id="keep")],
)
def test_cancel_in_the_middle(undo: bool, flag: str, compensation: str) -> None:
    """A person stops the run, and says what becomes of its changes."""
    rig = asking()

    rig.engine.cancel(rig.execution().id, undo=undo, by="ann", now=rig.now)
    rig.run(MINUTE)

    execution = rig.execution()
    assert ("cancelled", compensation, flag) == (execution.status, execution.compensation, rig.flag())


@pytest.mark.parametrize(
    ("undo", "flag", "compensation"),
    [pytest.param(True, "false", "undone", id="undo"), pytest.param(False, "true", "held", id="keep")],
)
def test_takeover_of_a_holding_run(undo: bool, flag: str, compensation: str) -> None:
    """From here on a person has it; nothing more is done by itself."""
    rig = holding()

    rig.engine.take_over(rig.execution().id, undo=undo, by="ann", now=rig.now)
    rig.run(MINUTE)
    rig.resolve()
    rig.run(30 * MINUTE)

    execution = rig.execution()
    assert ("handed_over", compensation, flag) == (execution.status, execution.compensation, rig.flag())


def test_a_person_may_undo_what_was_kept_for_them() -> None:
    """Handed over and kept; later cancelled with undo."""
    rig = holding()
    rig.engine.take_over(rig.execution().id, undo=False, by="ann", now=rig.now)
    rig.run(MINUTE)

    rig.engine.cancel(rig.execution().id, undo=True, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("undone", "false") == (rig.execution().compensation, rig.flag())


def test_mode_observe_records_the_plan_and_changes_nothing() -> None:
    """Nobody is told, nothing is touched, the plan is on record."""
    rig = Rig(runbook(mode=(ModeRule(mode="observe"),)))
    rig.healed_by_flag()

    rig.fire()
    rig.run(MINUTE)

    assert ("cancelled", "false") == (rig.execution().status, rig.flag())
    assert "mode observe: would make 2 change(s); nothing was changed" == rig.execution().reason
    assert rig.execution().plan_hash


def test_the_ceiling_of_an_installation_wins() -> None:
    """A runbook that says auto only proposes where nobody raised the ceiling."""
    rig = Rig(settings=configuration(mode_ceiling=()))
    rig.healed_by_flag()

    rig.fire()
    rig.run(MINUTE)

    assert ("awaiting_approval", "propose", "false") == (rig.execution().status, rig.execution().mode, rig.flag())
    assert "approval" in rig.told("chat")


def test_a_proposal_that_its_owner_starts_makes_exactly_that_plan() -> None:
    """One yes to the plan covers its steps, as long as the world stays as it was."""
    rig = Rig(settings=configuration(mode_ceiling=()))
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    request = rig.execution().approval
    assert request is not None

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("succeeded", "true") == (rig.execution().status, rig.flag())


def test_a_proposal_that_nobody_starts_is_handed_over_at_the_deadline() -> None:
    """It was proposed, and that is all."""
    rig = Rig(settings=configuration(mode_ceiling=()))
    rig.errors(lambda world: 0.12)
    rig.fire()

    rig.run(41 * MINUTE, step=10 * SECOND)

    assert ("handed_over", "false") == (rig.execution().status, rig.flag())


def test_a_check_on_the_alert_itself_waits_for_its_resolve() -> None:
    """`alert: resolved` as verification passes when the sender says so."""
    rig = Rig(runbook(verify=(AlertCheck(state="resolved", timeout=5 * MINUTE),)))
    rig.fire()
    rig.run(MINUTE)

    rig.resolve()
    rig.run(MINUTE)

    assert ("succeeded", 4) == (rig.execution().status, rig.replicas())


def test_a_label_that_names_a_target_is_validated() -> None:
    """A hostile label value starts nothing; the refusal is on record, and the owner is told."""
    book = runbook(
        inputs=(Input(name="name", type="workload", path=("alert", "labels", "deployment")),),
        target=TargetTemplate(kind="deployment", name="{{ inputs.name }}", namespace="apps"),
    )
    rig = Rig(book)

    receipt = rig.fire(deployment="../../etc/passwd")

    assert () == receipt.opened
    arrival = rig.journal.arrivals(receipt.incidents[0])[0]
    assert "refused" == arrival.decisions[0].outcome
    assert "invalid_target: input 'name' '../../etc/passwd' is not a DNS-1123 name" == arrival.decisions[0].reason
    rig.run(SECOND)
    assert ("blocked", arrival.decisions[0].reason) == (rig.execution().status, rig.execution().reason)
    assert ["notFixed"] == rig.told("oncall")
    assert rig.execution().finished


def test_a_ceiling_that_was_lowered_holds_for_what_is_running() -> None:
    """The installation is restarted with a lower ceiling: the next change of an auto run is not made."""
    rig = Rig(runbook(steps=(DEGRADE, SCALE)))
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(MINUTE)

    lowered = Rig(
        runbook(steps=(DEGRADE, SCALE)),
        settings=configuration(mode_ceiling=()),
        journal=rig.journal,
        world=rig.simulated,
    )
    lowered.run(5 * MINUTE)

    execution = lowered.execution()
    assert ("blocked", "the ceiling of the installation is propose now") == (execution.status, execution.reason)
    assert 4 == lowered.replicas()


def test_a_proposal_is_not_blocked_by_a_step_that_may_never_have_its_turn() -> None:
    """The rollback has no older release to go to; degrading comes first, and may be enough."""
    rollback = Step(name="roll-back", action="rollback", arguments={"to": "previous"})
    rig = Rig(runbook(steps=(DEGRADE, rollback)), settings=configuration(mode_ceiling=()))
    rig.healed_by_flag()

    rig.fire()
    rig.run(MINUTE)
    request = rig.execution().approval
    assert request is not None
    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("succeeded", "true") == (rig.execution().status, rig.flag())


def test_a_scope_may_only_ask_for_its_own_runbooks() -> None:
    """A valid webhook requests; it does not choose."""
    rig = Rig(settings=configuration(scopes=(Scope(name="local", runbooks=("billing-*",)),)))

    receipt = rig.fire()

    assert () == receipt.opened
    reason = rig.journal.arrivals(receipt.incidents[0])[0].decisions[0].reason
    assert "scope local may not ask for runbook checkout-high-error-rate" == reason


def test_a_run_by_hand_makes_exactly_the_plan_that_was_shown() -> None:
    """The person's yes is bound to the plan; nothing undoes it by itself."""
    rig = Rig()
    rig.healed_by_flag()
    plan, execution = rig.engine.plan_by_hand(
        "checkout-high-error-rate", target=None, inputs={}, by="ann", reason="drill", now=rig.now
    )

    rig.engine.start(execution, plan, plan_hash=plan.plan_hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("succeeded", "held", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())
    with pytest.raises(InvalidTarget, match="already has apps/deployment/checkout"):
        rig.engine.start(
            replace(execution, id="other", incident_id="other"), plan, plan_hash=plan.plan_hash, by="ann", now=rig.now
        )


def test_a_run_by_hand_that_could_not_start_is_refused() -> None:
    """The parameter is on no allow-list: a person's yes does not put it there."""
    rig = Rig(settings=configuration(targets=("deployment=apps/*",)))
    plan, execution = rig.engine.plan_by_hand(
        "checkout-high-error-rate", target=None, inputs={}, by="ann", reason="", now=rig.now
    )

    with pytest.raises(GuardrailBlocked, match="degraded_mode is not in the targets"):
        rig.engine.start(execution, plan, plan_hash=plan.plan_hash, by="ann", now=rig.now)


def test_a_run_by_hand_of_another_plan_is_refused() -> None:
    """What would be done now is not what was shown."""
    rig = Rig()
    plan, execution = rig.engine.plan_by_hand(
        "checkout-high-error-rate", target=None, inputs={}, by="ann", reason="", now=rig.now
    )
    rig.simulated.set_parameter(FLAG, "partial")

    with pytest.raises(StalePlan):
        rig.engine.start(execution, plan, plan_hash="feedbeef", by="ann", now=rig.now)


def test_a_firing_and_its_resolve_in_one_delivery_change_nothing() -> None:
    """The run that the firing opened hears of the resolve that came with it."""
    rig = Rig()
    rig.healed_by_flag()
    started = rig.now.isoformat()
    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps"}
    rig.simulated.push(SECOND)

    rig.post(
        {"status": "firing", "labels": labels, "startsAt": started},
        {"status": "resolved", "labels": labels, "startsAt": started, "endsAt": rig.now.isoformat()},
    )
    rig.run(MINUTE)

    assert ("cancelled", "false") == (rig.execution().status, rig.flag())


def test_an_undo_that_failed_waits_until_a_person_takes_it_over() -> None:
    """It is not tried for ever, and it is not forgotten: somebody says that they have it."""
    rig = holding()
    rig.errors(lambda world: 0.001)
    rig.simulated.fail_next("flags.write", Permanent("access denied"))
    rig.resolve()
    rig.run(12 * MINUTE)
    failed = (rig.execution().status, rig.execution().compensation)

    rig.engine.take_over(rig.execution().id, undo=False, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("succeeded", "failed") == failed
    assert ("handed_over", "true") == (rig.execution().status, rig.flag())
    assert "notFixed" in rig.told("oncall")
