"""Scale: from a wish to an absolute change, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.actions.scale import ACTION, ScaleParams
from runbook_engine.errors import InvalidTarget, Permanent, Retryable, RunbookError, Unhelpful, Unreadable
from runbook_engine.model.observation import Autoscaler
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld


@pytest.fixture
def simulated() -> SimulatedWorld:
    """A world with nothing in it."""
    return SimulatedWorld()


def prepare(simulated: SimulatedWorld, target: Target, **written: object) -> Change | None:
    """Prepare a scaling as an author would write it."""
    return ACTION.prepare(ScaleParams.model_validate(written), target, simulated.world)


@pytest.mark.parametrize(
    ("replicas", "written", "after"),
    [
        pytest.param(4, {"by": "50%", "upTo": 12}, 6, id="half more"),
        pytest.param(4, {"by": "50%", "upTo": 5}, 5, id="stopped by the upper bound"),
        pytest.param(4, {"by": "+2"}, 6, id="two more"),
        pytest.param(4, {"to": 9}, 9, id="to a number"),
        pytest.param(4, {"by": "-50%"}, 2, id="half less"),
        pytest.param(4, {"by": -9}, 1, id="never to nothing"),
        pytest.param(4, {"by": -3, "downTo": 3}, 3, id="stopped by the lower bound"),
    ],
)
def test_prepare_returns_the_absolute_number_when_there_is_room(
    simulated: SimulatedWorld, replicas: int, written: dict[str, object], after: int
) -> None:
    """What was relative is a number before anything is touched."""
    target = simulated.deploy("apps", "checkout", replicas=replicas)

    change = prepare(simulated, target, **written)

    assert change is not None
    assert (change.field, change.before, change.after) == ("replicas", replicas, after)
    assert change.target.key == target.key


@pytest.mark.parametrize(
    ("replicas", "written"),
    [
        pytest.param(4, {"to": 4}, id="already so"),
        pytest.param(12, {"by": "50%", "upTo": 12}, id="at the bound"),
        pytest.param(15, {"by": "50%", "upTo": 12}, id="above the bound, where growth must not shrink"),
        pytest.param(2, {"by": -1, "downTo": 3}, id="below the bound, where shrinking must not grow"),
        pytest.param(4, {"by": "-10%"}, id="less than one replica"),
    ],
)
def test_prepare_returns_none_when_there_is_nothing_to_do(
    simulated: SimulatedWorld, replicas: int, written: dict[str, object]
) -> None:
    """No room and no need are no change."""
    target = simulated.deploy("apps", "checkout", replicas=replicas)

    assert prepare(simulated, target, **written) is None


def test_prepare_is_refused_when_scaled_to_nothing(simulated: SimulatedWorld) -> None:
    """What somebody stopped is not started."""
    target = simulated.deploy("apps", "checkout", replicas=0)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target, by=1)

    assert str(caught.value) == (
        "cannot scale apps/deployment/checkout: it is scaled to 0, and starting what somebody stopped is for a person "
        "(scale it to 1 or more by hand first)"
    )


def test_prepare_is_refused_when_autoscaled_and_not_said(simulated: SimulatedWorld) -> None:
    """An autoscaler would undo it, so the author must say what is meant."""
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=10)
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target, by="50%")

    assert str(caught.value) == (
        "cannot scale apps/deployment/checkout: HorizontalPodAutoscaler checkout sets its replicas and would undo it "
        "(say autoscaler: minReplicas to raise the autoscaler's minimum instead)"
    )


def test_prepare_is_refused_when_autoscaled_and_shrinking(simulated: SimulatedWorld) -> None:
    """Lowering a maximum is not done."""
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=10)
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target, by="-50%", autoscaler="minReplicas")

    assert str(caught.value) == (
        "cannot scale apps/deployment/checkout down: HorizontalPodAutoscaler checkout sets its replicas "
        "(lower the autoscaler's maximum by hand)"
    )


@pytest.mark.parametrize(
    ("maximum", "after"),
    [
        pytest.param(10, 6, id="room below the maximum"),
        pytest.param(5, 5, id="stopped by the maximum"),
    ],
)
def test_minimum_is_raised_when_autoscaled(simulated: SimulatedWorld, maximum: int, after: int) -> None:
    """The autoscaler's minimum is raised to what the replicas shall be."""
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=maximum)
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)

    change = prepare(simulated, target, by="50%", autoscaler="minReplicas")

    assert change is not None
    assert (change.field, change.before, change.after) == ("minReplicas", 2, after)
    assert change.size == after / 4 - 1  # of the replicas that run, not of the minimum


@pytest.mark.parametrize(
    ("scaler", "refusal"),
    [
        pytest.param(
            Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=4),
            Unhelpful(
                "HorizontalPodAutoscaler checkout cannot help: already at its maximum of 4 (raise the maximum by hand)"
            ),
            id="at the maximum",
        ),
        pytest.param(
            Autoscaler(kind="ScaledObject", name="checkout", minimum=0, maximum=10, current=10),
            Unhelpful("ScaledObject checkout cannot help: already at its maximum of 10 (raise the maximum by hand)"),
            id="on its way to the maximum",
        ),
        pytest.param(
            Autoscaler(
                kind="ScaledObject",
                name="checkout",
                minimum=0,
                maximum=10,
                paused="ScaledObject checkout is paused at 4 replicas",
            ),
            Permanent(
                "cannot scale apps/deployment/checkout: ScaledObject checkout is paused at 4 replicas "
                "(let it act again first)"
            ),
            id="paused",
        ),
    ],
)
def test_prepare_is_refused_when_the_autoscaler_cannot_help(
    simulated: SimulatedWorld, scaler: Autoscaler, refusal: RunbookError
) -> None:
    """A minimum that nobody acts on is no capacity; at the maximum, the run may go on to its next step."""
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)

    with pytest.raises(type(refusal)) as caught:
        prepare(simulated, target, by="50%", autoscaler="minReplicas")

    assert str(caught.value) == str(refusal)


@pytest.mark.parametrize("scaled", [False, True], ids=["by its replicas", "by its autoscaler's minimum"])
@pytest.mark.parametrize(("left", "fits"), [(None, True), (2, True), (1, False), (0, False)])
def test_prepare_is_refused_when_the_quota_does_not_admit_the_growth(
    simulated: SimulatedWorld, scaled: bool, left: int | None, fits: bool
) -> None:
    """Two replicas more need room for two pods more."""
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=10) if scaled else None
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)
    simulated.cluster.state(target).quota_left = left

    if fits:
        assert prepare(simulated, target, by=2, autoscaler="minReplicas") is not None
        return
    with pytest.raises(Permanent) as caught:
        prepare(simulated, target, by=2, autoscaler="minReplicas")

    assert str(caught.value) == (
        f"cannot scale apps/deployment/checkout from 4 to 6: the quota of namespace apps admits {left} more "
        f"{'pod' if left == 1 else 'pods'}, not 2 (ask for fewer, or raise the quota)"
    )


def test_prepare_waits_when_shrinking_during_a_rollout(simulated: SimulatedWorld) -> None:
    """Which replicas would go is not known while old and new ones run; growing is no such question."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    simulated.release(target)

    with pytest.raises(Retryable) as caught:
        prepare(simulated, target, by="-50%")

    assert str(caught.value) == (
        "cannot scale apps/deployment/checkout down: a rollout is in progress (wait until it has ended)"
    )
    assert prepare(simulated, target, by="50%") is not None


def test_minimum_takes_effect_and_is_restored_when_undone(simulated: SimulatedWorld) -> None:
    """Raising gives the replicas; lowering is done at once, the autoscaler shrinks in its own time."""
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=2, maximum=10)
    target = simulated.deploy("apps", "checkout", replicas=4, autoscaler=scaler)
    change = prepare(simulated, target, by="50%", autoscaler="minReplicas")
    assert change is not None

    outcome = ACTION.apply(change, "key", simulated.effects)
    simulated.settle()

    assert simulated.seen(target).replicas == 6
    assert ACTION.observe(change, outcome.receipt, simulated.world) == Progress.done(
        "6 of 6 replicas ready and updated"
    )
    undone = ACTION.apply(change.inverse(), "key-undo", simulated.effects)
    assert ACTION.observe(change.inverse(), undone.receipt, simulated.world) == Progress.done(
        "minReplicas is 2; the autoscaler shrinks apps/deployment/checkout in its own time"
    )


def test_prepare_raises_when_the_workload_is_unknown_or_unreadable(simulated: SimulatedWorld) -> None:
    """What cannot be seen is not scaled."""
    with pytest.raises(InvalidTarget):
        prepare(simulated, Target("deployment", "local", "apps", "checkout"), by=1)

    target = simulated.deploy("apps", "checkout", replicas=4)
    simulated.faults.make_unreadable("cluster")
    with pytest.raises(Unreadable):
        prepare(simulated, target, by=1)


def test_apply_happens_once_when_repeated(simulated: SimulatedWorld) -> None:
    """A second apply finds the wanted count and sends nothing."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    change = prepare(simulated, target, by=2)
    assert change is not None

    statuses = [ACTION.apply(change, "key", simulated.effects).status for _ in range(2)]

    assert statuses == ["done", "noop"]
    assert len(simulated.effects_made) == 1


def test_apply_is_a_conflict_when_the_count_has_moved(simulated: SimulatedWorld) -> None:
    """Somebody else's count is left alone."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    change = prepare(simulated, target, by=2)
    assert change is not None
    simulated.edit_replicas(target, 8)

    outcome = ACTION.apply(change, "key", simulated.effects)

    assert outcome == Outcome.conflict("apps/deployment/checkout has 8 replicas, not 4: nothing was scaled")
    assert simulated.seen(target).replicas == 8


def test_observe_says_each_stage_when_time_passes(simulated: SimulatedWorld) -> None:
    """Absent before, progressing on the way, done at the end, superseded when somebody moves it."""
    target = simulated.deploy("apps", "checkout", replicas=4, rollout_time=timedelta(seconds=10))
    change = prepare(simulated, target, by=2)
    assert change is not None

    absent = ACTION.observe(change, {}, simulated.world)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.push(timedelta(seconds=5))
    progressing = ACTION.observe(change, receipt, simulated.world)
    simulated.push(timedelta(seconds=5))
    done = ACTION.observe(change, receipt, simulated.world)
    simulated.edit_replicas(target, 9)
    superseded = ACTION.observe(change, receipt, simulated.world)

    assert absent == Progress.absent("replicas of apps/deployment/checkout is still 4")
    assert progressing == Progress.progressing("5 ready and 5 updated of 6 replicas", timedelta(seconds=2))
    assert done == Progress.done("6 of 6 replicas ready and updated")
    assert superseded == Progress.superseded(
        "replicas of apps/deployment/checkout is 9, not 6: somebody else has changed it"
    )


def test_observe_waits_when_too_many_replicas_run(simulated: SimulatedWorld) -> None:
    """On the way down, more than wanted is not done: only equality is."""
    target = simulated.deploy("apps", "checkout", replicas=5)
    change = prepare(simulated, target, to=2)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    assert ACTION.observe(change, receipt, simulated.world).status == "progressing"


def test_observe_is_superseded_when_set_back_after_our_write(simulated: SimulatedWorld) -> None:
    """With a receipt, the value of before means that somebody undid it, not that it never arrived."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    change = prepare(simulated, target, by=2)
    assert change is not None
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.edit_replicas(target, 4)

    assert ACTION.observe(change, receipt, simulated.world).status == "superseded"


def test_observe_fails_when_the_rollout_fails(simulated: SimulatedWorld) -> None:
    """A rollout that will not complete says why."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    simulated.get_stuck(target, "exceeded quota")
    change = prepare(simulated, target, by=2)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.settle()

    assert ACTION.observe(change, receipt, simulated.world) == Progress.failed(
        "the rollout of apps/deployment/checkout failed: exceeded quota"
    )


def test_observe_needs_no_rollout_when_paused(simulated: SimulatedWorld) -> None:
    """A paused workload still scales, and says that its rollout waits."""
    target = simulated.deploy("apps", "checkout", replicas=4, paused=True)
    change = prepare(simulated, target, by=2)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.settle()

    assert ACTION.observe(change, receipt, simulated.world) == Progress.done(
        "6 of 6 replicas ready; rollout incomplete: it is paused"
    )


def test_observe_is_superseded_when_the_workload_is_gone_or_another(simulated: SimulatedWorld) -> None:
    """A workload that was deleted is not ours any more."""
    target = simulated.deploy("apps", "checkout", replicas=4)
    change = prepare(simulated, target, by=2)
    assert change is not None
    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    simulated.cluster.remove(target)
    gone = ACTION.observe(change, receipt, simulated.world)
    simulated.deploy("apps", "checkout", replicas=6)
    simulated.cluster.state(target).target = Target("deployment", "local", "apps", "checkout", uid="another")
    another = ACTION.observe(change, receipt, simulated.world)

    assert gone == Progress.superseded("apps/deployment/checkout is gone: somebody else has removed it")
    assert another == Progress.superseded(
        "apps/deployment/checkout is another one now: somebody else has deleted and created it"
    )
