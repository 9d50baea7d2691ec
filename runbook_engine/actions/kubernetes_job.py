"""KubernetesJob: start a pinned job of engine.yaml. The escape hatch for what no other action does.

What runs is written in engine.yaml and reviewed with it; a runbook names it and hands over declared parameters,
which its containers read from their environment. The job's name follows from the effect's key, so that a repeat
after a crash finds the job that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field

from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=5)
LONGEST_NAME = 63  # of a job: its pods bear it as a label
LONGEST_VALUE = 1024


class KubernetesJobParams(ActionParams):
    """Which job, and what it is told."""

    job: str = Field(min_length=1, description="The job's name, as under jobs in engine.yaml.")
    arguments: Mapping[str, str] = Field(
        {}, description="Values for its parameters; its containers read them as RUNBOOK_<NAME>."
    )


def prepare(params: KubernetesJobParams, target: Target, world: World) -> Change:
    """Return the run of the job as a change. Raises Permanent when its parameters are not those it takes."""
    template = world.jobs.template(params.job)
    _check_arguments(params, template)
    return Change(
        target=Target("job", target.place, template.namespace, template.name),
        field="run",
        before=None,
        after=_shown(template, params.arguments),
        arguments={
            "digest": template.digest,
            **{f"argument:{name}": value for name, value in params.arguments.items()},
        },
        asks=template.approval,
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Start the job; one of that name is this very one."""
    arguments = {
        name.partition(":")[2]: str(value) for name, value in change.arguments.items() if name.startswith("argument:")
    }
    job = Target("job", change.target.place, change.target.namespace, job_name(change.target.name, key))
    try:
        receipt = effects.jobs.start(job, change.target.name, arguments, digest=str(change.arguments["digest"]))
    except Conflict as error:
        return Outcome.conflict(str(error))
    # That it is there already means that an earlier call of ours started it: never that there is nothing to do.
    return Outcome(status="done", receipt={**receipt, "job": job.name})


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look how far the job has come."""
    name = receipt.get("job")
    if not isinstance(name, str):
        return Progress.absent(f"nothing says that job {change.target.name} was started")
    job = world.jobs.job(Target("job", change.target.place, change.target.namespace, name))
    if job is None:
        return Progress.failed(f"job {name} is gone: somebody has removed it before its end was seen")
    match job.status:
        case "succeeded":
            return Progress.done(f"job {name} has succeeded")
        case "failed":
            return Progress.failed(f"job {name} has failed: {job.reason or 'no reason given'}")
        case "running":
            return Progress.progressing(job.reason or f"job {name} is running", LOOK_AGAIN)


def job_name(template: str, key: str) -> str:
    """Return the name of the job that one effect starts: the same in every repeat of it."""
    token = hashlib.sha256(key.encode()).hexdigest()[:12]
    return f"{template[: LONGEST_NAME - len(token) - 1]}-{token}"


def _shown(template: JobTemplate, arguments: Mapping[str, str]) -> str:
    """Return what an approver reads: what the job does, in the words of whoever allowed it, and what it is told."""
    told = ", ".join(f"{name}={value}" for name, value in sorted(arguments.items()))
    return f"{template.says} ({told})" if told else template.says


def _check_arguments(params: KubernetesJobParams, template: JobTemplate) -> None:
    takes = ", ".join(template.parameters) or "none"
    for name, value in params.arguments.items():
        if name not in template.parameters:
            raise Permanent(f"job {params.job} takes no parameter {name!r}; it takes {takes}")
        if len(value) > LONGEST_VALUE or not value.isprintable():
            raise Permanent(
                f"parameter {name!r} of job {params.job} must be at most {LONGEST_VALUE} printable characters"
            )
    missing = [name for name in template.parameters if name not in params.arguments]
    if missing:
        raise Permanent(f"job {params.job} needs the parameter {missing[0]!r} (add it under arguments)")


ACTION = ActionSpec(
    name="kubernetesJob",
    summary="Start a pinned job of engine.yaml. Cannot be undone.",
    params=KubernetesJobParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"job": "rebuild-cache", "arguments": {"service": "checkout"}},
    repeat="token",
    reversible=False,
    permissions=("batch/jobs:get", "batch/jobs:create"),
    time_limit=timedelta(minutes=30),
)
