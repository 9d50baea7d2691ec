"""The simulated world beyond the contracts: failures on order, the log of effects, what others do."""

from __future__ import annotations

from datetime import timedelta

import pytest

import runbook_engine.testing
from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, Unreadable
from runbook_engine.model.observation import Message, Pause
from runbook_engine.testing import SimulatedWorld, Touch

NAME = "/checkout/degraded_mode"


@pytest.mark.parametrize("name", sorted(runbook_engine.testing.__all__))
def test_public_name_is_there_when_asked_for(name: str) -> None:
    """Every public name can be had from the package."""
    assert getattr(runbook_engine.testing, name).__name__ == name


def test_unknown_name_is_refused_when_asked_for() -> None:
    """A misspelled name fails as any other attribute does."""
    with pytest.raises(AttributeError, match="has no attribute 'SimulatedWordl'"):
        _ = runbook_engine.testing.SimulatedWordl


def test_write_fails_so_many_times_when_ordered() -> None:
    """The effect is missing as long as the failure lasts."""
    simulated = SimulatedWorld()
    target = simulated.set_parameter(NAME, "false")
    simulated.fail_next("flags.write", Retryable("throttled"), times=2)

    for _ in range(2):
        with pytest.raises(Retryable):
            simulated.effects.flags.write(target, "true", expected="false")
        assert simulated.value_of(NAME) == "false"
    simulated.effects.flags.write(target, "true", expected="false")

    assert simulated.touches == (
        Touch("0s", "flags.write", NAME, "true", False, "Retryable: throttled"),
        Touch("0s", "flags.write", NAME, "true", False, "Retryable: throttled"),
        Touch("0s", "flags.write", NAME, "true", True),
    )


def test_effect_is_there_when_only_the_answer_is_lost() -> None:
    """The two halves of an unknown effect: here it happened."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2)
    simulated.fail_next("cluster.scale", EffectUnknown("connection reset"), after_effect=True)

    with pytest.raises(EffectUnknown):
        simulated.effects.cluster.scale(target, 3, expected=2)

    assert simulated.seen(target).replicas == 3
    assert [touch.changed for touch in simulated.touches] == [True]


def test_effects_are_counted_when_calls_repeat() -> None:
    """Calls that changed nothing are touches, and no effects; messages are not effects."""
    simulated = SimulatedWorld()
    target = simulated.set_parameter(NAME, "false")
    simulated.effects.flags.write(target, "true", expected="false")
    simulated.effects.flags.write(target, "true", expected="false")
    with pytest.raises(Conflict):
        simulated.effects.flags.write(target, "maybe", expected="false")
    simulated.effects.notifier.send("chat", Message(id="1", event="e", title="t", text="t", at=simulated.clock.now()))

    assert len(simulated.touches) == 4
    assert [touch.value for touch in simulated.effects_made] == ["true"]


@pytest.mark.parametrize(
    ("method", "after_effect", "sentence"),
    [
        pytest.param("flags.set", False, "no port has a method 'flags.set'", id="an unknown method"),
        pytest.param("flags.flag", True, "flags.flag reads, so it has no effect", id="the effect of a read"),
    ],
)
def test_failure_is_refused_when_it_cannot_happen(method: str, after_effect: bool, sentence: str) -> None:
    """A failure that would never come is a mistake of the test."""
    with pytest.raises(ValueError, match=sentence):
        SimulatedWorld().fail_next(method, Permanent("no"), after_effect=after_effect)


def test_unreadable_is_refused_when_the_port_is_unknown() -> None:
    """A port that nobody reads cannot be unreadable."""
    with pytest.raises(ValueError, match=r"no port 'flag' can be read \(choose from cluster, jobs, flags, metrics"):
        SimulatedWorld().faults.make_unreadable("flag")


def test_read_fails_once_when_ordered() -> None:
    """A read that fails on order does so as often as ordered."""
    simulated = SimulatedWorld()
    simulated.fail_next("flags.flag", Unreadable("gone for a moment"))

    with pytest.raises(Unreadable, match="gone for a moment"):
        simulated.world.flags.flag(simulated.parameter(NAME))

    assert simulated.world.flags.flag(simulated.parameter(NAME)) is None


def test_changes_tell_ours_from_others_when_listed() -> None:
    """Newest first; what the engine does is marked as ours."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2, released_ago=timedelta(hours=1))
    simulated.push(timedelta(seconds=1))
    simulated.effects.cluster.scale(target, 3, expected=2)
    simulated.push(timedelta(seconds=1))
    simulated.release(target, by="ci/alice", summary="r42")

    seen = simulated.world.changes.changes(target, simulated.clock.start - timedelta(hours=2))

    assert [(event.who, event.what, event.ours) for event in seen] == [
        ("ci/alice", "release r42", False),
        ("runbook-engine", "replicas 2 -> 3", True),
        ("somebody", "release 1", False),
    ]
    assert simulated.world.changes.changes(target, simulated.clock.now()) == seen[:1]


def test_rollout_gets_stuck_when_told_to() -> None:
    """Only the next rollout fails, and a workload at rest is not affected."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2)
    simulated.get_stuck(target, "ImagePullBackOff")
    at_rest = simulated.seen(target)

    simulated.release(target)
    simulated.settle()
    stuck = simulated.seen(target)
    simulated.get_stuck(target, "")
    simulated.effects.cluster.rollback(target, 1, expected=2)
    simulated.settle()

    assert (at_rest.rollout, at_rest.updated) == ("complete", 2)
    assert (stuck.rollout, stuck.rollout_reason, stuck.updated) == ("failed", "ImagePullBackOff", 0)
    assert (simulated.seen(target).rollout, simulated.seen(target).updated) == ("complete", 2)


def test_broken_replicas_are_mended_when_the_remedy_fits() -> None:
    """A restart does not mend what only a rollback mends."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, broken=2, mended_by=("rollback",))
    simulated.release(target)
    simulated.settle()

    simulated.effects.cluster.restart(target, "mark")
    simulated.settle()
    after_restart = simulated.seen(target).ready
    simulated.effects.cluster.rollback(target, 1, expected=2)
    simulated.settle()

    assert (after_restart, simulated.seen(target).ready) == (1, 3)


def test_pause_ends_when_its_time_has_come() -> None:
    """The kill switch is a lease."""
    simulated = SimulatedWorld()
    until = simulated.clock.now() + timedelta(minutes=5)
    simulated.pauses.throw(Pause(until=until, by="alice"))

    assert simulated.world.pauses.pause(until - timedelta(seconds=1)) is not None
    assert simulated.world.pauses.pause(until) is None
    simulated.pauses.lift()
    assert simulated.world.pauses.pause(simulated.clock.now()) is None


def test_message_is_kept_once_when_delivered_twice() -> None:
    """A second delivery of one id is harmless, and each receiver has an inbox of its own."""
    simulated = SimulatedWorld()
    message = Message(id="1", event="started", title="t", text="t", at=simulated.clock.now())
    for receiver in ("chat", "chat", "oncall"):
        simulated.effects.notifier.send(receiver, message)

    assert [told.receiver for told in simulated.inbox.messages] == ["chat", "oncall"]


def test_write_is_a_conflict_when_the_workload_is_another() -> None:
    """A workload that was deleted and created again is not the one that was looked at."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2)
    looked_at = simulated.world.cluster.workload(target).target
    simulated.cluster.state(target).target = simulated.parameter("/x")

    with pytest.raises(Conflict, match="apps/deployment/checkout is another one now"):
        simulated.effects.cluster.scale(looked_at, 3, expected=2)
