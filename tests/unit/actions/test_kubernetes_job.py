"""KubernetesJob: pinned by name, told only what was declared, started once for each effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.actions.kubernetes_job import ACTION, KubernetesJobParams, job_name
from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

TARGET = Target("deployment", "local", "apps", "checkout")
DUMP = JobTemplate(
    name="collect-heap", namespace="ops", spec="{}", says="writes a heap dump", parameters=("pod", "reason")
)
ARGUMENTS = {"pod": "checkout-1", "reason": "out of memory"}


@pytest.fixture
def simulated() -> SimulatedWorld:
    """A world that allows one job."""
    world = SimulatedWorld()
    world.jobs.allow(DUMP)
    return world


def prepare(simulated: SimulatedWorld, **written: object) -> Change:
    """Prepare a job as an author would write it."""
    change = ACTION.prepare(KubernetesJobParams.model_validate(written), TARGET, simulated.world)
    assert change is not None
    return change


def test_prepare_binds_what_would_run_when_the_job_is_known(simulated: SimulatedWorld) -> None:
    """A yes binds the template's digest, what it is told and what it says of itself."""
    change = prepare(simulated, job="collect-heap", arguments=ARGUMENTS)

    assert change.target == Target("job", "local", "ops", "collect-heap")
    shown = "writes a heap dump (pod=checkout-1, reason=out of memory)"
    assert (change.field, change.before, change.after, change.asks) == ("run", None, shown, True)
    assert change.arguments == {
        "digest": DUMP.digest,
        "argument:pod": "checkout-1",
        "argument:reason": "out of memory",
    }


@pytest.mark.parametrize(
    ("written", "kind", "sentence"),
    [
        pytest.param(
            {"job": "reboot"},
            InvalidTarget,
            "unknown job 'reboot'; known are collect-heap (add it under jobs in engine.yaml)",
            id="a job that engine.yaml does not name",
        ),
        pytest.param(
            {"job": "collect-heap", "arguments": {**ARGUMENTS, "command": "rm"}},
            Permanent,
            "job collect-heap takes no parameter 'command'; it takes pod, reason",
            id="a parameter that was not declared",
        ),
        pytest.param(
            {"job": "collect-heap", "arguments": {"pod": "checkout-1"}},
            Permanent,
            "job collect-heap needs the parameter 'reason' (add it under arguments)",
            id="a parameter that is missing",
        ),
        pytest.param(
            {"job": "collect-heap", "arguments": {**ARGUMENTS, "reason": "a\nb"}},
            Permanent,
            "parameter 'reason' of job collect-heap must be at most 1024 printable characters",
            id="a value with a line break",
        ),
    ],
)
def test_prepare_refuses_when_the_job_does_not_take_this(
    simulated: SimulatedWorld, written: dict[str, object], kind: type[Exception], sentence: str
) -> None:
    """What engine.yaml did not declare never reaches a job."""
    with pytest.raises(kind) as refused:
        prepare(simulated, **written)

    assert str(refused.value) == sentence


def test_apply_starts_one_job_when_sent_twice(simulated: SimulatedWorld) -> None:
    """A repeat after a lost answer finds the job that is there, and is done as well."""
    change = prepare(simulated, job="collect-heap", arguments=ARGUMENTS)

    first = ACTION.apply(change, "run-1/0/do", simulated.effects)
    second = ACTION.apply(change, "run-1/0/do", simulated.effects)

    assert (first.status, second.status) == ("done", "done")
    assert simulated.jobs.started == (("collect-heap", ARGUMENTS),)


def test_apply_starts_another_job_when_it_is_another_effect(simulated: SimulatedWorld) -> None:
    """The name follows from the effect, so a later run is not taken for this one."""
    change = prepare(simulated, job="collect-heap", arguments=ARGUMENTS)

    ACTION.apply(change, "run-1/0/do", simulated.effects)
    ACTION.apply(change, "run-2/0/do", simulated.effects)

    assert len(simulated.jobs.started) == 2


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        pytest.param("succeeded", Progress.done("job {name} has succeeded"), id="it succeeded"),
        pytest.param("failed", Progress.failed("job {name} has failed: it was told to fail"), id="it failed"),
    ],
)
def test_observe_tells_the_end_when_the_job_is_over(simulated: SimulatedWorld, end: str, expected: Progress) -> None:
    """A job runs, and then it has succeeded or failed."""
    simulated.jobs.ends["collect-heap"] = "failed" if end == "failed" else "succeeded"
    change = prepare(simulated, job="collect-heap", arguments=ARGUMENTS)
    receipt = ACTION.apply(change, "run-1/0/do", simulated.effects).receipt
    name = job_name("collect-heap", "run-1/0/do")

    during = ACTION.observe(change, receipt, simulated.world)
    simulated.push(timedelta(seconds=10))
    after = ACTION.observe(change, receipt, simulated.world)

    assert during == Progress.progressing(f"job {name} is running", timedelta(seconds=5))
    assert after == Progress(status=expected.status, reason=expected.reason.format(name=name))


def test_job_name_is_a_label_when_the_template_has_the_longest_name() -> None:
    """Pods bear their job's name as a label, which has 63 characters at most."""
    assert len(job_name("a" * 63, "run-1/0/do")) == 63
