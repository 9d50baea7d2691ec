"""Restart: once for each mark, and never into a moving rollout."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.actions.restart import ACTION, RestartParams, next_mark
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.plan import Change, Progress, hash_change
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld


def prepare(simulated: SimulatedWorld, target: Target) -> Change | None:
    """Prepare a restart."""
    return ACTION.prepare(RestartParams(), target, simulated.world)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "restart-1", id="never restarted"),
        pytest.param("restart-1", "restart-2", id="restarted by us"),
        pytest.param("2026-01-05T09:00:00Z", "restart-1 after 2026-01-05T09:00:00Z", id="restarted by another tool"),
        pytest.param(
            "restart-9 after 2026-01-05T09:00:00Z",
            "restart-10 after 2026-01-05T09:00:00Z",
            id="restarted by us after another tool",
        ),
    ],
)
def test_mark_follows_the_mark_before_when_counted_on(before: str, after: str) -> None:
    """The next mark depends on the present one and on nothing else."""
    assert next_mark(before) == after


def test_prepare_is_the_same_change_when_looked_at_twice() -> None:
    """While the world stays as it is, an approval of the change stays valid, however late the answer."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3)

    first = prepare(simulated, target)
    simulated.push(timedelta(minutes=9))

    assert first == prepare(simulated, target)
    assert first is not None
    assert (first.field, first.before, first.after) == ("restartedAt", "", "restart-1")


def test_prepare_returns_none_when_nothing_runs() -> None:
    """What is scaled to 0 has nothing to restart."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=0)

    assert prepare(simulated, target) is None


def test_prepare_is_refused_when_the_quota_is_used_up() -> None:
    """A rolling restart needs a pod more for a while; begun without, it hangs half way."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2)
    simulated.cluster.state(target).quota_left = 0

    with pytest.raises(Permanent) as refused:
        prepare(simulated, target)

    assert str(refused.value) == (
        "cannot restart apps/deployment/checkout: the quota of namespace apps admits no pod more, and a rolling "
        "restart needs one (raise the quota)"
    )


def test_prepare_is_refused_when_paused() -> None:
    """A paused workload would not roll."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, paused=True)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target)

    assert str(caught.value) == ("cannot restart apps/deployment/checkout: its rollouts are paused (resume them first)")


def test_prepare_is_refused_when_a_rollout_is_in_progress() -> None:
    """Two rollouts at once hide each other's end."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3)
    simulated.release(target)

    with pytest.raises(Retryable) as caught:
        prepare(simulated, target)

    assert str(caught.value) == (
        "cannot restart apps/deployment/checkout: a rollout is in progress (wait until it has ended)"
    )


def test_restart_happens_once_when_applied_twice() -> None:
    """The same mark again does nothing, and broken replicas are mended by the one restart."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, broken=2, mended_by=("restart",))
    change = prepare(simulated, target)
    assert change is not None

    first = ACTION.apply(change, "key", simulated.effects)
    simulated.settle()
    second = ACTION.apply(change, "key", simulated.effects)

    assert (first.status, second.status) == ("done", "noop")
    assert len(simulated.effects_made) == 1
    assert simulated.seen(target).ready == 3


def test_observe_says_each_stage_when_time_passes() -> None:
    """Absent, progressing, done; another mark is somebody else's restart."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3)
    change = prepare(simulated, target)
    assert change is not None

    absent = ACTION.observe(change, {}, simulated.world)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    progressing = ACTION.observe(change, receipt, simulated.world)
    simulated.settle()
    done = ACTION.observe(change, receipt, simulated.world)
    simulated.cluster.restart(target, "2026-01-05T09:30:00Z")
    superseded = ACTION.observe(change, receipt, simulated.world)

    assert absent == Progress.absent('restartedAt of apps/deployment/checkout is still ""')
    assert progressing == Progress.progressing("3 ready and 0 updated of 3 replicas", timedelta(seconds=2))
    assert done == Progress.done("3 of 3 replicas ready and updated")
    assert superseded.status == "superseded"


def test_observe_is_done_when_replicas_stay_broken() -> None:
    """A restart that mends nothing is over too: whether it helped is for verify, and the next step gets its turn."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, broken=1)
    change = prepare(simulated, target)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    replacing = ACTION.observe(change, receipt, simulated.world)
    simulated.settle()

    assert replacing.status == "progressing"
    assert ACTION.observe(change, receipt, simulated.world) == Progress.done(
        "3 of 3 replicas replaced, and 2 ready: no fewer than before"
    )


def test_observe_waits_when_fewer_are_ready_than_before() -> None:
    """A restart that makes it worse is not over."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, broken=1)
    change = prepare(simulated, target)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.cluster.state(target).broken = 2
    simulated.settle()

    assert ACTION.observe(change, receipt, simulated.world) == Progress.progressing(
        "1 ready and 3 updated of 3 replicas", timedelta(seconds=2)
    )


def test_approval_stays_valid_when_readiness_flickers() -> None:
    """How many are ready while they crash is no part of what a person says yes to."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3, broken=1)
    first = prepare(simulated, target)
    simulated.cluster.state(target).broken = 2
    second = prepare(simulated, target)
    assert first is not None
    assert second is not None

    assert hash_change("digest", "restart", first) == hash_change("digest", "restart", second)


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        pytest.param(
            "manual_updates",
            "cannot restart apps/deployment/checkout: it is updated by hand, so nothing would roll "
            "(use deletePod on its pods)",
            id="updated by hand",
        ),
        pytest.param(
            "downtime",
            "cannot restart apps/deployment/checkout: its rollouts take every replica away before a new one is there "
            "(let it surge by one replica, as in strategy RollingUpdate with maxSurge: 1)",
            id="every replica away at once",
        ),
    ],
)
def test_prepare_is_refused_when_no_rolling_restart_is_possible(fact: str, says: str) -> None:
    """A restart rolls, or is not done; of nothing it is not needed."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=3)
    idle = simulated.deploy("apps", "idle", replicas=0)
    for each in (target, idle):
        setattr(simulated.cluster.state(each), fact, True)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, target)

    assert str(caught.value) == says
    assert prepare(simulated, idle) is None


@pytest.mark.parametrize(
    ("broken", "when_ready", "restarts"),
    [
        pytest.param(5, None, True, id="none is ready, and nobody asked"),
        pytest.param(3, "70%", False, id="2 of 5 are less than 70 percent"),
        pytest.param(1, "80%", True, id="4 of 5 are 80 percent"),
        pytest.param(1, "80.1%", False, id="and not a little more"),
        pytest.param(5, "0%", True, id="any share is at least nothing"),
    ],
)
def test_prepare_is_refused_when_fewer_are_ready_than_the_author_wants(
    broken: int, when_ready: str | None, restarts: bool
) -> None:
    """However few are ready, unless the author says otherwise: a restart is the remedy for those that are not."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=5, broken=broken)
    params = RestartParams.model_validate({} if when_ready is None else {"whenReady": when_ready})

    if restarts:
        assert ACTION.prepare(params, target, simulated.world) is not None
        return
    with pytest.raises(Permanent) as caught:
        ACTION.prepare(params, target, simulated.world)

    assert str(caught.value) == (
        f"cannot restart apps/deployment/checkout: {5 - broken} of 5 replicas are ready, and whenReady wants "
        f"{when_ready} (mend what is not ready first, or leave whenReady out)"
    )
