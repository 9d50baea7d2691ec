"""Degrade by an environment value or an entry of a ConfigMap: exactly that value, and exactly what was there back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.actions.degrade import ACTION
from runbook_engine.errors import InvalidTarget, Permanent, Retryable, Unreadable
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import NO_TARGET, Target
from runbook_engine.testing import SimulatedWorld

WORKLOAD = Target("deployment", "local", "apps", "checkout")
FLAGS = Target("configmap", "local", "apps", "flags")
ENV = {"env": "DEGRADED", "value": "true"}
ENTRY = {"configMap": "flags", "key": "degraded", "value": "true"}
SECRET = 'entry {"name":"DEGRADED","valueFrom":{"secretKeyRef":{"name":"flags","key":"degraded"}}}'


def test_an_environment_value_that_kubernetes_would_expand_is_refused() -> None:
    """A label such as $(DB_PASSWORD) must never become the value of another variable; elsewhere it is only text."""
    with pytest.raises(ValueError, match=r"cannot hold `\$\(`: Kubernetes would put another value in its place"):
        ACTION.params.model_validate({**ENV, "value": "x$(DB_PASSWORD)"})

    assert ACTION.params.model_validate({**ENTRY, "value": "x$(DB_PASSWORD)"})


@pytest.fixture
def simulated() -> SimulatedWorld:
    """A world with one deployment and one ConfigMap."""
    world = SimulatedWorld()
    world.deploy("apps", "checkout", replicas=3, environment={"REGION": "eu", "DEGRADED": "false", "PORT": "80"})
    world.add_config_map("apps", "flags", {"degraded": "false", "limit": "9"})
    return world


def prepare(simulated: SimulatedWorld, target: Target = WORKLOAD, **written: str) -> Change | None:
    """Prepare as an author would write it."""
    return ACTION.prepare(ACTION.params.model_validate(written), target, simulated.world)


def test_prepare_targets_the_workload_when_its_environment_is_set(simulated: SimulatedWorld) -> None:
    """It rolls out, so its lock and its cooldown are the workload's."""
    change = prepare(simulated, **ENV)

    assert change is not None
    assert (change.target.key, change.field) == (WORKLOAD.key, "env:/DEGRADED")
    assert (change.before, change.after) == ("false", "true")
    assert change.target.uid


def test_prepare_targets_the_config_map_when_an_entry_is_set(simulated: SimulatedWorld) -> None:
    """In the namespace of the run's target."""
    change = prepare(simulated, **ENTRY)

    assert change is not None
    assert (change.target.key, change.field) == (FLAGS.key, "data:degraded")
    assert (change.before, change.after) == ("false", "true")


@pytest.mark.parametrize("written", [ENV, ENTRY], ids=["environment", "config map"])
def test_prepare_returns_none_when_it_is_so(simulated: SimulatedWorld, written: dict[str, str]) -> None:
    """Though the workload is paused and the ConfigMap immutable: nothing would be written."""
    simulated.cluster.state(WORKLOAD).paused = True
    simulated.settings.state(FLAGS).immutable = True

    assert prepare(simulated, **{**written, "value": "false"}) is None


@pytest.mark.parametrize(
    ("fact", "says"),
    [
        pytest.param(
            "paused",
            "cannot set DEGRADED of apps/deployment/checkout: its rollouts are paused (resume them first)",
            id="paused",
        ),
        pytest.param(
            "manual_updates",
            "cannot set DEGRADED of apps/deployment/checkout: it is updated by hand, so nothing would roll "
            "(set it in a release instead)",
            id="updated by hand",
        ),
    ],
)
def test_prepare_is_refused_when_a_new_environment_would_not_roll_out(
    simulated: SimulatedWorld, fact: str, says: str
) -> None:
    """A value that no replica reads degrades nothing."""
    setattr(simulated.cluster.state(WORKLOAD), fact, True)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, **ENV)

    assert str(caught.value) == says


def test_prepare_waits_when_a_rollout_is_in_progress(simulated: SimulatedWorld) -> None:
    """Two rollouts at once hide each other's end."""
    simulated.release(WORKLOAD)

    with pytest.raises(Retryable) as caught:
        prepare(simulated, **ENV)

    assert str(caught.value) == (
        "cannot set DEGRADED of apps/deployment/checkout: a rollout is in progress (wait until it has ended)"
    )


@pytest.mark.parametrize(
    ("target", "written", "error", "says"),
    [
        pytest.param(
            Target("node", "local", "", "ip-10-0-0-1"),
            ENV,
            Permanent,
            "degrade with env works on deployment, statefulset, daemonset, function, and the target is "
            "node/ip-10-0-0-1 (give the step another one)",
            id="the environment of a node",
        ),
        pytest.param(
            NO_TARGET,
            ENTRY,
            Permanent,
            "cannot tell in which namespace ConfigMap flags is: the target is nothing "
            "(give the step a target with a namespace)",
            id="a ConfigMap of no namespace",
        ),
        pytest.param(
            Target("deployment", "local", "other", "checkout"),
            ENTRY,
            InvalidTarget,
            "other/configmap/flags does not exist in cluster 'local'",
            id="a ConfigMap of another namespace",
        ),
        pytest.param(
            WORKLOAD,
            {**ENV, "container": "sidecar"},
            InvalidTarget,
            "apps/deployment/checkout has no container 'sidecar' (it has checkout)",
            id="a container that is not there",
        ),
    ],
)
def test_prepare_is_refused_when_there_is_no_such_thing(
    simulated: SimulatedWorld, target: Target, written: dict[str, str], error: type[Exception], says: str
) -> None:
    """Nothing is guessed."""
    with pytest.raises(error) as caught:
        prepare(simulated, target, **written)

    assert str(caught.value) == says


def test_prepare_is_refused_when_several_containers_could_be_meant(simulated: SimulatedWorld) -> None:
    """A sidecar is not degraded by accident."""
    simulated.cluster.state(WORKLOAD).containers["proxy"] = {}

    with pytest.raises(InvalidTarget) as caught:
        prepare(simulated, **ENV)

    assert str(caught.value) == "apps/deployment/checkout has several containers (checkout, proxy): say which"
    assert prepare(simulated, **ENV, container="checkout") is not None


def test_prepare_is_refused_when_the_config_map_is_immutable(simulated: SimulatedWorld) -> None:
    """An API server would refuse it, too."""
    simulated.settings.state(FLAGS).immutable = True

    with pytest.raises(Permanent) as caught:
        prepare(simulated, **ENTRY)

    assert str(caught.value) == (
        "cannot set degraded of apps/configmap/flags: it is immutable (release another one instead)"
    )


@pytest.mark.parametrize("written", [ENV, ENTRY], ids=["environment", "config map"])
def test_prepare_raises_when_settings_are_unreadable(simulated: SimulatedWorld, written: dict[str, str]) -> None:
    """What cannot be read is not overwritten."""
    simulated.faults.make_unreadable("settings", "forbidden")

    with pytest.raises(Unreadable, match="settings cannot be read: forbidden"):
        prepare(simulated, **written)


@pytest.mark.parametrize("written", [ENV, ENTRY], ids=["environment", "config map"])
def test_apply_is_a_conflict_when_somebody_set_it(simulated: SimulatedWorld, written: dict[str, str]) -> None:
    """Somebody else's value is left alone, on the way there and on the way back."""
    change = prepare(simulated, **written)
    assert change is not None
    simulated.cluster.state(WORKLOAD).containers["checkout"]["DEGRADED"] = "partly"
    simulated.settings.state(FLAGS).entries["degraded"] = "partly"

    there = ACTION.apply(change, "key", simulated.effects)
    back = ACTION.apply(change.inverse(), "key-undo", simulated.effects)

    what = f"{change.field} of {change.target}"
    assert there == Outcome.conflict(f"{what} is 'partly', not 'false': nothing was written")
    assert back == Outcome.conflict(f"{what} is 'partly', not 'true': nothing was written")


def test_observe_says_each_stage_when_the_environment_rolls_out(simulated: SimulatedWorld) -> None:
    """Absent, progressing, done, and somebody else's."""
    change = prepare(simulated, **ENV)
    assert change is not None

    absent = ACTION.observe(change, {}, simulated.world)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    progressing = ACTION.observe(change, receipt, simulated.world)
    simulated.settle()
    done = ACTION.observe(change, receipt, simulated.world)
    simulated.cluster.state(WORKLOAD).containers["checkout"]["DEGRADED"] = "partly"
    superseded = ACTION.observe(change, receipt, simulated.world)

    assert absent == Progress.absent('env:/DEGRADED of apps/deployment/checkout is still "false"')
    assert (progressing.status, progressing.reason) == ("progressing", "3 ready and 0 updated of 3 replicas")
    assert done == Progress.done("3 of 3 replicas ready and updated")
    assert superseded == Progress.superseded(
        'env:/DEGRADED of apps/deployment/checkout is "partly", not "true": somebody else has changed it'
    )


def test_observe_fails_when_the_environment_does_not_roll_out(simulated: SimulatedWorld) -> None:
    """The value is written, and no replica has it."""
    simulated.get_stuck(WORKLOAD, "exceeded quota")
    change = prepare(simulated, **ENV)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.settle()

    assert ACTION.observe(change, receipt, simulated.world) == Progress.failed(
        "the rollout of apps/deployment/checkout failed: exceeded quota"
    )


def test_observe_reads_back_when_an_entry_is_set(simulated: SimulatedWorld) -> None:
    """When the service picks it up is for verify to see."""
    change = prepare(simulated, **ENTRY)
    assert change is not None

    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    done = ACTION.observe(change, receipt, simulated.world)
    simulated.settings.state(FLAGS).entries["degraded"] = "partly"

    assert done == Progress.done('data:degraded of apps/configmap/flags is "true"')
    assert ACTION.observe(change, receipt, simulated.world).status == "superseded"


def test_an_entry_that_takes_its_value_from_elsewhere_is_restored_to_the_byte(simulated: SimulatedWorld) -> None:
    """The whole entry is what was there."""
    environment = simulated.cluster.state(WORKLOAD).containers["checkout"]
    environment["DEGRADED"] = SECRET
    change = prepare(simulated, **ENV)
    assert change is not None

    ACTION.apply(change, "key", simulated.effects)
    assert environment["DEGRADED"] == "true"
    ACTION.apply(change.inverse(), "key-undo", simulated.effects)

    assert environment["DEGRADED"] == SECRET


values = st.text(max_size=20).filter(lambda text: not text.startswith("entry ") and "$(" not in text)
names = st.sampled_from(["A", "B", "DEGRADED", "Z"])


@given(environment=st.dictionaries(names, values), name=names, value=values, in_environment=st.booleans())
def test_undo_restores_text_and_order_whatever_was_there(
    environment: dict[str, str], name: str, value: str, in_environment: bool
) -> None:
    """Later values may be made of earlier ones, so the order counts as well."""
    simulated = SimulatedWorld()
    simulated.deploy("apps", "checkout", replicas=2, environment=environment)
    simulated.add_config_map("apps", "flags", environment)
    change = prepare(
        simulated, value=value, **({"env": name} if in_environment else {"configMap": "flags", "key": name})
    )
    if change is None:
        assert environment[name] == value
        return

    done = ACTION.apply(change, "key", simulated.effects)
    simulated.settle()
    undone = ACTION.apply(change.inverse(), "key-undo", simulated.effects)
    simulated.settle()

    assert (done.status, undone.status) == ("done", "done")
    assert list(simulated.environment_of(WORKLOAD).items()) == list(environment.items())
    assert list(simulated.settings.state(FLAGS).entries.items()) == list(environment.items())
    assert ACTION.observe(change.inverse(), undone.receipt, simulated.world).status == "done"
