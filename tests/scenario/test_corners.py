"""Corners in which an engine that is nearly right does harm: each was wrong once, or nearly was."""

from __future__ import annotations

from dataclasses import replace as replaced
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.actions import degrade
from runbook_engine.engine import Engine
from runbook_engine.errors import Conflict, EffectUnknown, Forbidden, Permanent, Retryable, StalePlan, UnknownAction
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.configuration import Scope, Team
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.observation import Pause
from runbook_engine.model.plan import Change, Outcome
from runbook_engine.model.runbook import Approval, Compensate, ModeRule, NotifyRule, Retry, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import ActionSpec, Effects, World
from runbook_engine.registry import Registry
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, NO_HARM, SCALE, SECOND, VERIFY, Rig, configuration, runbook

RULES = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)
ON_FAILURE = Compensate(when="onFailure")
BY_RELEASE = replace(SCALE, approval=Approval(by="team-release", timeout=10 * MINUTE))
TEAMS = (
    Team(name="team-checkout", members=("ann",), receiver="chat"),
    Team(name="team-release", members=("rob",), receiver="chat"),
)


def proposing(*steps: Step, **changes: object) -> Rig:
    """Return a rig whose installation only proposes, with an alert that fires."""
    rig = Rig(runbook(steps=steps or (DEGRADE, SCALE), **changes), settings=configuration(mode_ceiling=(), teams=TEAMS))
    rig.errors(lambda world: 0.001 if rig.replicas() >= 6 else 0.12)
    rig.fire()
    rig.run(2 * SECOND)
    return rig


def doubtful(rig: Rig, times: int = 1) -> None:
    """Let the first answer be lost and the next call put off: it is not known whether the change is there."""
    rig.simulated.fail_next("flags.write", EffectUnknown("connection reset"), after_effect=True)
    rig.simulated.fail_next("flags.write", Retryable("throttled", after=MINUTE), times=times)
    rig.fire()
    rig.run(10 * SECOND)
    effect = rig.execution().steps[0].effect
    assert effect is not None
    assert ("retrying", True) == (effect.status, effect.doubtful)


# --- what cannot be read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "status", "reason"),
    [
        pytest.param(
            "verify",
            "unresolved",
            "cannot tell whether it is fixed: checkout:error_ratio below 0.02 for 15s: cannot be read: "
            "alert.labels.shard has no value",
            id="verify cannot tell",
        ),
        pytest.param(
            "require",
            "blocked",
            "require: checkout:error_ratio below 0.02 for 15s: cannot be read: alert.labels.shard has no value",
            id="require blocks",
        ),
        pytest.param(
            "do_no_harm",
            "blocked",
            "do-no-harm: checkout:latency_p99 cannot be read: alert.labels.shard has no value",
            id="do-no-harm blocks",
        ),
    ],
)
def test_a_where_that_cannot_be_filled_ends_the_run(part: str, status: str, reason: str) -> None:
    """The alert lacks the label: the check cannot be read, and the run ends instead of failing for ever."""
    where = {"shard": "{{ alert.labels.shard }}"}
    value = replace(NO_HARM, where=where) if part == "do_no_harm" else (replace(VERIFY, where=where),)
    rig = Rig(runbook(**{part: value}))
    rig.errors(lambda world: 0.001)
    rig.simulated.compute("checkout:latency_p99", lambda world: 1.0)

    rig.fire()
    rig.run(3 * MINUTE)

    assert (status, reason) == (rig.execution().status, rig.execution().reason)


def test_a_when_that_cannot_be_filled_skips_its_step() -> None:
    """What cannot be read does not hold."""
    check = replace(VERIFY, where={"shard": "{{ alert.labels.shard }}"})
    rig = Rig(runbook(steps=(replace(DEGRADE, when=(check,)),)))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(3 * MINUTE)

    assert "skipped" == rig.execution().steps[0].progress


# --- who is told ----------------------------------------------------------------------------------------------


def test_mode_observe_tells_nobody() -> None:
    """It is a rehearsal: on record, and no pager goes."""
    rules = (
        NotifyRule(receiver="chat", events=("started", "ended")),
        NotifyRule(receiver="oncall", events=("notFixed",), after=timedelta(0)),
    )
    rig = Rig(runbook(mode=(ModeRule(mode="observe"),), notify=rules))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(MINUTE)

    assert "cancelled" == rig.execution().status
    assert [] == rig.told("chat") + rig.told("oncall")
    assert rig.execution().finished


def test_a_notice_that_cannot_ever_arrive_goes_to_the_owner_instead() -> None:
    """The pager's receiver is gone: that it is not fixed must still reach somebody."""
    rig = Rig()
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(2 * SECOND)
    rig.simulated.inbox._receivers = frozenset(("chat",))

    rig.run(6 * MINUTE)

    assert "unresolved" == rig.execution().status
    assert "notFixed" in rig.told("chat")
    texts = [kept.message.text for kept in rig.simulated.inbox.messages if kept.message.event == "notFixed"]
    assert [
        "unresolved: every step was tried and verification still does not pass "
        "(oncall could not be told: no receiver is named 'oncall' (add it to receivers in engine.yaml))"
    ] == texts


# --- approvals ------------------------------------------------------------------------------------------------


def test_a_yes_to_a_plan_is_no_yes_for_another_team() -> None:
    """The owner starts the plan; the step that another team must approve is asked of that team."""
    rig = proposing(DEGRADE, BY_RELEASE)
    request = rig.execution().approval
    assert request is not None

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(3 * MINUTE)

    asked = rig.execution().approval
    assert asked is not None
    assert ("true", 4, "team-release", "step") == (rig.flag(), rig.replicas(), asked.by, asked.kind)
    with pytest.raises(Forbidden, match="ann is not in team-release, which must answer: rob"):
        rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)


@pytest.mark.parametrize(
    ("by", "replicas", "status"),
    [
        pytest.param("ann", 4, "awaiting_approval", id="a stranger to the team that must approve"),
        pytest.param("rob", 6, "succeeded", id="a member of it"),
    ],
)
def test_a_run_by_hand_asks_the_team_that_a_step_names(by: str, replicas: int, status: str) -> None:
    """Starting a plan by hand is a yes in one's own name only."""
    rig = Rig(runbook(steps=(DEGRADE, BY_RELEASE)), settings=configuration(teams=TEAMS))
    rig.errors(lambda world: 0.001 if rig.replicas() >= 6 else 0.12)
    plan, execution = rig.engine.plan_by_hand(
        "checkout-high-error-rate", target=None, inputs={}, by=by, reason="", now=rig.now
    )

    rig.engine.start(execution, plan, plan_hash=plan.plan_hash, by=by, now=rig.now)
    rig.run(3 * MINUTE)

    assert ("true", replicas, status) == (rig.flag(), rig.replicas(), rig.execution().status)


def test_nobody_answers_for_a_team_that_is_unknown() -> None:
    """The configuration changed under a waiting run: fail closed."""
    rig = proposing()
    request = rig.execution().approval
    assert request is not None
    other = Rig(runbook(), settings=configuration(teams=()), journal=rig.journal, world=rig.simulated)

    with pytest.raises(Forbidden) as caught:
        other.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)

    assert "engine.yaml names no team team-checkout, so nobody can answer for it (add it under teams)" == str(
        caught.value
    )


def test_a_yes_after_the_question_has_lapsed_is_no_yes() -> None:
    """The driver was away when the time ran out; what no answer means holds all the same."""
    asking = replace(DEGRADE, approval=Approval(by="team-checkout", timeout=10 * MINUTE))
    rig = Rig(runbook(steps=(asking,)))
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(2 * SECOND)
    request = rig.execution().approval
    assert request is not None
    rig.simulated.push(11 * MINUTE)

    with pytest.raises(StalePlan, match="the question lapsed at 09:10"):
        rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)


def test_a_yes_in_time_counts_although_its_driver_was_late() -> None:
    """The person answered in time; the host was down."""
    asking = replace(DEGRADE, approval=Approval(by="team-checkout", timeout=10 * MINUTE))
    rig = Rig(runbook(steps=(asking,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(2 * SECOND)
    request = rig.execution().approval
    assert request is not None
    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.simulated.push(11 * MINUTE)

    rig.run(MINUTE)

    assert ("succeeded", "true") == (rig.execution().status, rig.flag())


def test_a_proposal_is_asked_although_a_guardrail_says_not_yet() -> None:
    """A passing no is waited for after the yes; it does not block the question."""
    rig = proposing(guardrails=replace(RULES, minimum_fault_age=MINUTE))
    request = rig.execution().approval
    assert request is not None

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(30 * SECOND)
    early = rig.flag()
    rig.run(MINUTE)

    assert ("false", "true") == (early, rig.flag())


def test_a_proposal_that_is_blocked_for_good_is_not_asked() -> None:
    """Nobody is woken for a change that no yes could start."""
    rig = Rig(settings=configuration(mode_ceiling=(), targets=("deployment=apps/*",)))
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(MINUTE)

    assert "blocked" == rig.execution().status
    assert (
        "shed-optional-features: parameter=/checkout/degraded_mode is not in the targets of engine.yaml"
        == rig.execution().reason
    )


# --- effects in doubt -----------------------------------------------------------------------------------------


def test_a_change_in_doubt_is_not_called_nothing_when_the_alert_resolves() -> None:
    """The first answer was lost: `before anything was changed` would be a guess."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.healed_by_flag()
    doubtful(rig)

    rig.resolve()
    rig.run(3 * MINUTE)

    assert ("succeeded", "changed") == (rig.execution().status, rig.execution().steps[0].progress)


def test_a_change_in_doubt_is_undone_when_a_person_wants_it_undone() -> None:
    """It may be there, so the undo is tried, as a compare-and-set."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.errors(lambda world: 0.12)
    rig.simulated.fail_next("flags.write", EffectUnknown("connection reset"), after_effect=True)
    rig.simulated.fail_next("flags.write", Retryable("throttled", after=MINUTE))
    rig.fire()
    rig.run(10 * SECOND)

    rig.engine.cancel(rig.execution().id, undo=True, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ("unknown", "undone", "false") == (rig.execution().status, rig.execution().compensation, rig.flag())


def test_a_change_in_doubt_that_is_not_tried_again_is_unknown() -> None:
    """A guardrail ends the run in between: a person must look."""
    rig = Rig(runbook(steps=(DEGRADE,), guardrails=replace(RULES, deadline=30 * SECOND)))
    rig.errors(lambda world: 0.12)
    doubtful(rig)

    rig.run(2 * MINUTE)

    assert "unknown" == rig.execution().status
    assert (
        "the deadline of 30s has passed; it is not known whether shed-optional-features happened"
        == rig.execution().reason
    )


def test_what_somebody_else_set_in_between_is_not_ours() -> None:
    """Our call surely did nothing, and a person flipped the flag before the next: it is never undone by us."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled", after=10 * SECOND))
    rig.fire()
    rig.run(2 * SECOND)
    rig.simulated.set_parameter(FLAG, "true", by="ann")
    rig.run(MINUTE)

    rig.resolve()
    rig.errors(lambda world: 0.001)
    rig.run(15 * MINUTE)

    assert ("succeeded", "none", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())


def test_a_service_that_asks_for_a_day_does_not_outlast_the_deadline() -> None:
    """The lock and the slot are not held for a day."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.errors(lambda world: 0.12)
    rig.simulated.fail_next("flags.write", Retryable("come back tomorrow", after=timedelta(days=1)))
    rig.fire()

    rig.run(41 * MINUTE, step=10 * SECOND)

    assert ("blocked", "the deadline of 40m has passed") == (rig.execution().status, rig.execution().reason)
    assert rig.journal.lock_holder(f"local/parameter//{FLAG}") is None


# --- undoing --------------------------------------------------------------------------------------------------


def test_two_changes_of_one_thing_are_undone_newest_first() -> None:
    """4 -> 6 -> 9 goes back to 4, although the first may go earlier than the second."""
    first = replace(SCALE, name="some", compensate=Compensate(when="resolved", hold_for=10 * MINUTE))
    second = replace(SCALE, name="more", compensate=Compensate(when="resolved", hold_for=20 * MINUTE))
    rig = Rig(runbook(steps=(first, second)))
    rig.errors(lambda world: 0.001 if rig.replicas() >= 9 else 0.12)
    rig.fire()
    rig.run(6 * MINUTE)
    assert ("succeeded", 9) == (rig.execution().status, rig.replicas())
    rig.errors(lambda world: 0.001)

    rig.resolve()
    rig.run(15 * MINUTE)
    meanwhile = rig.replicas()
    rig.run(10 * MINUTE)

    assert (9, 4, "undone") == (meanwhile, rig.replicas(), rig.execution().compensation)


def test_harm_seen_before_a_change_undoes_what_was_done() -> None:
    """Worse means abort and undo, wherever it is seen."""
    steps = (replace(DEGRADE, settle=10 * SECOND), SCALE)
    rig = Rig(runbook(strategy="sequence", verify=(), do_no_harm=NO_HARM, steps=steps))
    rig.simulated.compute("checkout:latency_p99", lambda world: 3.0 if world.value_of(FLAG) == "true" else 1.0)

    rig.fire()
    rig.run(MINUTE)

    assert ("blocked", "undone", "false") == (rig.execution().status, rig.execution().compensation, rig.flag())
    assert "checkout:latency_p99 rose to 3 from 1 (at most 1.25)" == rig.execution().reason


def held_and_undoing() -> Rig:
    """Return a rig whose undo was made a moment ago and is being verified: it will fail."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.run(10 * MINUTE + 5 * SECOND)
    assert ("undoing", "false") == (rig.execution().compensation, rig.flag())
    return rig


@pytest.mark.parametrize("stop", ["cancel", "take_over"])
def test_nothing_is_made_again_once_a_person_stopped_it(stop: str) -> None:
    """They said keep: the engine makes no further change, not even to put one back."""
    rig = held_and_undoing()

    getattr(rig.engine, stop)(rig.execution().id, undo=False, by="ann", now=rig.now)
    rig.run(10 * MINUTE)

    assert "false" == rig.flag()
    assert rig.execution().verification is None


def test_a_person_who_wants_it_undone_is_heard_while_a_failed_run_unwinds() -> None:
    """The failed run would keep the first change; the person says undo, and the later word counts."""
    last = replace(DEGRADE, name="last", arguments={"parameter": "/checkout/last", "value": "true"})
    steps = (DEGRADE, replace(SCALE, compensate=ON_FAILURE), last)
    rig = Rig(runbook(strategy="sequence", verify=(), steps=steps))
    rig.fire()
    rig.run(3 * SECOND)
    rig.simulated.fail_next("flags.write", Permanent("access denied"))
    rig.simulated.fail_next("cluster.scale", Retryable("throttled", after=10 * MINUTE))
    rig.run(MINUTE)
    assert ("unwinding", "true", 6) == (rig.execution().stage, rig.flag(), rig.replicas())

    rig.engine.take_over(rig.execution().id, undo=True, by="ann", now=rig.now)
    rig.run(2 * MINUTE)

    assert ("handed_over", "undone") == (rig.execution().status, rig.execution().compensation)
    assert "last failed: access denied; taken over by ann, undoing what was changed" == rig.execution().reason
    assert ("false", 4) == (rig.flag(), rig.replicas())


def test_a_person_who_wants_it_kept_is_heard_while_another_had_it_undone() -> None:
    """The undo waits for the pause to end; before that, somebody says keep."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.simulated.pauses.throw(Pause(until=rig.now + 10 * MINUTE, by="eve"))
    rig.engine.cancel(rig.execution().id, undo=True, by="ann", now=rig.now)
    rig.run(MINUTE)
    assert "unwinding" == rig.execution().stage

    rig.engine.take_over(rig.execution().id, undo=False, by="rob", now=rig.now)
    rig.simulated.pauses.lift()
    rig.run(MINUTE)

    assert ("handed_over", "true") == (rig.execution().status, rig.flag())
    assert "taken over by rob, keeping what was changed" == rig.execution().reason


# --- time -----------------------------------------------------------------------------------------------------


def test_a_change_settles_although_one_of_two_alerts_resolves() -> None:
    """The second step waits until the first has had its time."""
    rig = Rig(runbook(strategy="sequence", verify=(), steps=(replace(DEGRADE, settle=MINUTE), SCALE)))
    rig.fire(pod="one")
    rig.fire(pod="two")
    rig.run(5 * SECOND)

    rig.resolve(pod="one")
    rig.run(30 * SECOND)
    early = rig.replicas()
    rig.run(40 * SECOND)

    assert (4, 6) == (early, rig.replicas())


def test_a_clock_that_goes_back_neither_ends_nor_hurries_a_run() -> None:
    """An hour back in the middle of a hold: the run waits, makes nothing twice, and ends."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(10 * SECOND)

    rig.simulated.clock._now -= timedelta(minutes=5)
    rig.run(6 * MINUTE)

    assert "succeeded" == rig.execution().status
    assert 1 == len(rig.simulated.effects_made)


# --- where ----------------------------------------------------------------------------------------------------


def test_two_runbooks_that_flip_one_parameter_meet_although_one_has_no_target() -> None:
    """A lock is kept under the parameter's own name, wherever the runbook points."""
    free = runbook(name="flip", digest="digest-of-flip", target=TargetTemplate("none"), steps=(DEGRADE,))
    rig = Rig(free)
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(5 * SECOND)

    assert rig.execution().id == rig.journal.lock_holder(f"local/parameter//{FLAG}")


def test_a_sender_that_the_installation_does_not_know_starts_nothing() -> None:
    """A scope that was removed allows nothing, rather than everything."""
    rig = Rig(settings=configuration(scopes=(Scope(name="another"),)))

    receipt = rig.fire()

    assert () == receipt.opened
    decision = rig.journal.arrivals(receipt.incidents[0])[0].decisions[0]
    assert ("refused", "engine.yaml names no scope local") == (decision.outcome, decision.reason)


def test_a_run_whose_runbook_is_no_longer_loaded_goes_on_with_its_own() -> None:
    """It keeps its digest to the end."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.drive()
    other = Rig(runbook(name="another", digest="other"), journal=rig.journal, world=rig.simulated)

    other.run(MINUTE)

    assert ("succeeded", "true") == (rig.execution().status, rig.flag())


def test_a_trail_stays_short_when_a_step_cannot_be_looked_at_for_long() -> None:
    """The same outage is one record, not one for every look."""
    rig = Rig()
    rig.errors(lambda world: 0.12)
    rig.simulated.faults.make_unreadable("flags")

    rig.fire()
    rig.run(20 * MINUTE)

    failed = [record for record in rig.journal.audit(rig.execution().id) if record.event == "prepare_failed"]
    assert [("shed-optional-features", 1)] == [(record.step, len(failed)) for record in failed]


def test_a_retry_gives_up_after_its_last_attempt() -> None:
    """It surely did nothing, each time."""
    rig = Rig(runbook(steps=(replace(DEGRADE, retry=Retry(attempts=2, backoff=SECOND)),)))
    rig.simulated.fail_next("flags.write", Retryable("throttled"), times=9)

    rig.fire()
    rig.run(MINUTE)

    assert ("failed", "shed-optional-features failed: throttled (attempt 2 of 2)") == (
        rig.execution().status,
        rig.execution().reason,
    )
    first, last = (record.says for record in rig.journal.audit(rig.execution().id) if record.event == "apply_put_off")
    assert "shed-optional-features: to be tried again, throttled" == first
    assert "failed: shed-optional-features failed: throttled (attempt 2 of 2)" == last


def test_three_conflicts_in_a_row_end_the_run() -> None:
    """Somebody else keeps changing it: a person should look, and nothing was overwritten."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.simulated.fail_next("flags.write", Conflict("the value is not false any more"), times=3)

    rig.fire()
    rig.run(MINUTE)

    assert ("failed", "false") == (rig.execution().status, rig.flag())
    assert "shed-optional-features failed: the value is not false any more" == rig.execution().reason


def test_a_message_only_runbook_tells_and_succeeds() -> None:
    """Nothing is changed, nothing is judged, nobody is asked."""
    tell = Step(name="tell", action="notify", arguments={"receiver": "oncall", "text": "look at {{ alert.name }}"})
    rig = Rig(runbook(verify=(), strategy="sequence", target=TargetTemplate("none"), steps=(tell,), notify=()))

    rig.fire()
    rig.run(MINUTE)

    assert ("succeeded", "none") == (rig.execution().status, rig.execution().compensation)
    assert ["look at CheckoutHighErrorRate"] == [kept.message.text for kept in rig.simulated.inbox.messages]


def test_an_undo_that_fails_for_good_is_told_and_frees_the_lock() -> None:
    """It is not tried for ever."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)
    rig.simulated.fail_next("flags.write", Permanent("access denied"))

    rig.resolve()
    rig.run(12 * MINUTE)

    assert ("failed", "true") == (rig.execution().compensation, rig.flag())
    assert ["notFixed"] == rig.told("oncall")
    assert rig.journal.lock_holder(f"local/parameter//{FLAG}") is None


def test_a_step_on_a_target_of_its_own_locks_that_target() -> None:
    """Claims are keyed by the change's own target; verification stays with the run's."""
    other = replace(SCALE, target=TargetTemplate(kind="deployment", name="cart", namespace="apps"))
    ready = QueryCheck(query="checkout:error_ratio", comparison="below", value=0.02)
    rig = Rig(runbook(steps=(other,), verify=(ready,)))
    rig.simulated.deploy("apps", "cart", replicas=2)
    rig.errors(lambda world: 0.12)

    rig.fire()
    rig.run(3 * SECOND)

    assert rig.execution().id == rig.journal.lock_holder("local/deployment/apps/cart")
    assert rig.journal.lock_holder("local/deployment/apps/checkout") is None


# --- keys, secrets, and actions that went away ----------------------------------------------------------------


class Watched(Registry):
    """The registry, with a `degrade` that a test has changed."""

    def __init__(self, **changes: object) -> None:
        self._changes = changes

    def action(self, name: str) -> ActionSpec:
        spec = super().action(name)
        return spec if name != "degrade" else replaced(spec, **self._changes)  # type: ignore[arg-type]  # a table


def with_registry(rig: Rig, registry: Registry, book: Runbook) -> Rig:
    """Return the rig with another registry, as after an upgrade."""
    rig.engine = Engine(
        bundle=Bundle((book,), configuration()),
        journal=rig.journal,
        world=rig.simulated.world,
        effects=rig.simulated.effects,
        registry=registry,
    )
    return rig


def test_every_effect_has_a_key_of_its_own_and_keeps_it() -> None:
    """A second undo under the key of the first would be dropped as already done."""
    keys: list[str] = []

    def apply(change: Change, key: str, effects: Effects) -> Outcome:
        keys.append(key.partition("/")[2])
        return degrade.apply(change, key, effects)

    rig = with_registry(Rig(), Watched(apply=apply), runbook())
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled", after=SECOND))
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.run(15 * MINUTE)
    assert "handed_over" == rig.execution().status

    rig.engine.cancel(rig.execution().id, undo=True, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert ["0/do", "0/do", "0/undo", "0/redo", "0/undo/2"] == keys


def test_a_change_after_a_conflict_has_another_key() -> None:
    """It is another change: what the service remembers of the first says nothing of it."""
    keys: list[str] = []

    def apply(change: Change, key: str, effects: Effects) -> Outcome:
        keys.append(key.partition("/")[2])
        return degrade.apply(change, key, effects)

    rig = with_registry(Rig(), Watched(apply=apply), runbook())
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Conflict("moved"))
    rig.fire()
    rig.run(MINUTE)

    assert ["0/do", "0/do/2"] == keys


def test_a_secret_is_not_told_when_it_is_asked_again() -> None:
    """The world moved; that it did is all that is said of a sensitive value."""

    def prepare(params: degrade.DegradeParams, target: Target, world: World) -> Change | None:
        change = degrade.prepare(params, target, world)
        return None if change is None else replace(change, arguments={"was": change.before}, sensitive=True)

    book = runbook(steps=(replace(DEGRADE, approval=Approval(by="team-checkout", timeout=10 * MINUTE)),))
    rig = with_registry(Rig(book), Watched(prepare=prepare), book)
    rig.simulated.set_parameter(FLAG, "hunter1")
    rig.fire()
    rig.run(2 * SECOND)
    request = rig.execution().approval
    assert request is not None
    rig.simulated.set_parameter(FLAG, "hunter2")

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.run(2 * SECOND)

    again = rig.execution().approval
    assert again is not None
    assert "it was another value (value not shown), now it is another value (value not shown)" == again.again_because
    told = " ".join(kept.message.text for kept in rig.simulated.inbox.messages)
    assert "hunter" not in told + " ".join(rig.says())


class Without(Registry):
    """A registry after an upgrade that lost `degrade`."""

    def action(self, name: str) -> ActionSpec:
        if name == "degrade":
            raise UnknownAction("unknown action 'degrade'")
        return super().action(name)


def test_an_undo_whose_action_went_away_is_told_and_ends() -> None:
    """Rather than failing at every turn, for ever and in silence."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)
    with_registry(rig, Without(), runbook())

    rig.resolve()
    rig.run(12 * MINUTE)

    assert ("succeeded", "failed", "true") == (rig.execution().status, rig.execution().compensation, rig.flag())
    texts = [kept.message.text for kept in rig.simulated.inbox.messages if kept.receiver == "oncall"]
    assert [
        "could not undo shed-optional-features (/checkout/degraded_mode value true -> false): unknown action 'degrade'"
    ] == texts
    assert rig.journal.lock_holder(f"local/parameter//{FLAG}") is None


def test_an_intent_whose_action_went_away_is_unknown() -> None:
    """The process died in the middle of the change, and the next one cannot make it: a person must look."""

    class Died(Exception):
        pass

    def die(name: str) -> None:
        if name == "after-apply":
            raise Died

    rig = Rig(runbook(steps=(DEGRADE,)), checkpoint=die)
    rig.errors(lambda world: 0.12)
    rig.fire()
    with pytest.raises(Died):
        rig.run(5 * SECOND)
    with_registry(rig, Without(), runbook(steps=(DEGRADE,)))

    rig.run(3 * MINUTE)

    assert "unknown" == rig.execution().status
    assert "unknown action 'degrade'" in rig.execution().reason


@pytest.mark.parametrize("word", ["cancel", "resolve"])
def test_what_is_said_while_the_engine_still_looks_is_heard_before_it_touches(word: str) -> None:
    """Looking may take seconds; a stop or a resolve that comes meanwhile starts no change."""
    book = runbook(steps=(DEGRADE,))
    rig = Rig(book)
    rig.errors(lambda world: 0.12)
    looks: list[int] = []

    def prepare(params: degrade.DegradeParams, target: Target, world: World) -> Change | None:
        looks.append(len(looks))
        if len(looks) == 1:  # the look that the change is begun with
            if word == "cancel":
                rig.engine.cancel(rig.execution().id, undo=False, by="ann", now=rig.now)
            else:
                rig.resolve()
        return degrade.prepare(params, target, world)

    with_registry(rig, Watched(prepare=prepare), book)

    rig.fire()
    rig.run(MINUTE)

    assert ("cancelled", ()) == (rig.execution().status, rig.simulated.effects_made)
