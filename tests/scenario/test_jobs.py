"""A pinned job in a whole run: a person says yes first, whatever the mode, unless engine.yaml says otherwise."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.runbook import Runbook, Step
from tests.scenario.rig import MINUTE, Rig, configuration, runbook

DUMP = JobTemplate(name="collect-heap", namespace="ops", spec="{}", says="writes a heap dump")
STEP = Step(name="heap", action="kubernetesJob", arguments={"job": "collect-heap"})


def rig_with(template: JobTemplate) -> Rig:
    """Return a rig whose runbook starts the job and does nothing else."""
    wanted: Runbook = runbook(steps=(STEP,), strategy="sequence", verify=())
    rig = Rig(wanted, settings=configuration(targets=("deployment=apps/*", "job=ops/*")))
    rig.simulated.jobs.allow(template)
    return rig


def test_job_waits_for_a_yes_when_the_mode_is_auto() -> None:
    """An escape hatch is approved unless engine.yaml says otherwise."""
    rig = rig_with(DUMP)
    rig.fire()

    rig.run(MINUTE)

    execution = rig.execution()
    assert execution.status == "awaiting_approval"
    assert execution.approval is not None
    assert (execution.approval.by, rig.simulated.jobs.started) == ("team-checkout", ())


def test_job_runs_to_its_end_when_approved() -> None:
    """After the yes it is started once and watched to its end."""
    rig = rig_with(DUMP)
    rig.fire()
    rig.run(timedelta(seconds=5))
    waiting = rig.execution()
    assert waiting.approval is not None

    rig.engine.approve(waiting.id, plan_hash=waiting.approval.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert rig.execution().status == "succeeded"
    assert rig.simulated.jobs.started == (("collect-heap", {}),)


def test_job_runs_unasked_when_engine_yaml_says_so() -> None:
    """`approval: none` leaves it to the runbook's own mode."""
    rig = rig_with(replace(DUMP, approval=False))
    rig.fire()

    rig.run(MINUTE)

    assert rig.execution().status == "succeeded"


def test_job_is_blocked_when_the_installation_does_not_allow_it() -> None:
    """A job is a target like any other."""
    rig = Rig(runbook(steps=(STEP,), strategy="sequence", verify=()))
    rig.simulated.jobs.allow(replace(DUMP, approval=False))
    rig.fire()

    rig.run(MINUTE)

    execution = rig.execution()
    assert (execution.status, execution.reason) == (
        "blocked",
        "job=ops/collect-heap is not in the targets of engine.yaml",
    )
