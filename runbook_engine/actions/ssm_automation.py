"""SsmAutomation: start a pinned automation of engine.yaml. The escape hatch for what no other action does in a cloud.

What runs, in which version and under whose rights is written in engine.yaml and reviewed with it; a runbook names it
and hands over declared parameters. The token of a start follows from the effect's key, so that a repeat after a crash
starts no second run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field

from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=5)
LONGEST_VALUE = 1024
ARGUMENT = "argument:"
STARTING = ("ssm:StartAutomationExecution", "ssm:GetAutomationExecution")


class SsmAutomationParams(ActionParams):
    """Which automation, and what it is told."""

    automation: str = Field(min_length=1, description="Its name, as under automations in engine.yaml.")
    arguments: Mapping[str, str] = Field({}, description="Values for its parameters, as the document names them.")


def prepare(params: SsmAutomationParams, target: Target, world: World) -> Change:
    """Return the run of the automation as a change. Raises Permanent when its parameters are not those it takes."""
    template = world.automations.template(params.automation)
    _check_arguments(params, template)
    return Change(
        target=Target("automation", template.place, "", template.name),
        field="run",
        before=None,
        after=_shown(template, params.arguments),
        arguments={
            "digest": template.digest,
            **{f"{ARGUMENT}{name}": value for name, value in params.arguments.items()},
        },
        asks=template.approval,
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Start the run; one with this token is this very one."""
    told = {
        name.removeprefix(ARGUMENT): str(value) for name, value in change.arguments.items() if name.startswith(ARGUMENT)
    }
    digest = str(change.arguments["digest"])
    try:
        receipt = effects.automations.start(change.target.name, told, digest=digest, token=token_of(key))
    except Conflict as error:
        return Outcome.conflict(str(error))
    return Outcome(status="done", receipt=receipt)  # one that is there already was started by an earlier call of ours


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look how far the run has come."""
    run_id = receipt.get("run")
    if not isinstance(run_id, str):
        return Progress.absent(f"nothing says that automation {change.target.name} was started")
    run = world.automations.run(change.target.name, run_id)
    if run is None:
        unseen = f"run {run_id} of automation {change.target.name} is not known, and may not be yet"
        return Progress.progressing(unseen, LOOK_AGAIN)  # until the step's time is up
    match run.status:
        case "succeeded":
            return Progress.done(f"automation {change.target.name} has succeeded (run {run_id})")
        case "failed":
            why = run.reason or "no reason given"
            return Progress.failed(f"automation {change.target.name} has failed: {why} (run {run_id})")
        case "running":
            return Progress.progressing(run.reason or f"run {run_id} is under way", LOOK_AGAIN)


def token_of(key: str) -> str:
    """Return the token of the run that one effect starts: the same in every repeat of it."""
    return str(uuid5(NAMESPACE_URL, f"runbook-engine:{key}"))


def _shown(template: AutomationTemplate, arguments: Mapping[str, str]) -> str:
    """Return what an approver reads: what it does, in the words of whoever allowed it, and what it is told."""
    told = ", ".join(f"{name}={value}" for name, value in sorted(arguments.items()))
    return f"{template.says} ({told})" if told else template.says


def _check_arguments(params: SsmAutomationParams, template: AutomationTemplate) -> None:
    takes = ", ".join(template.parameters) or "none"
    for name, value in params.arguments.items():
        if name not in template.parameters:
            raise Permanent(f"automation {params.automation} takes no parameter {name!r}; it takes {takes}")
        if len(value) > LONGEST_VALUE or not value.isprintable():
            raise Permanent(
                f"parameter {name!r} of automation {params.automation} must be at most "
                f"{LONGEST_VALUE} printable characters"
            )
    missing = [name for name in template.parameters if name not in params.arguments]
    if missing:
        raise Permanent(f"automation {params.automation} needs the parameter {missing[0]!r} (add it under arguments)")


ACTION = ActionSpec(
    name="ssmAutomation",
    summary="Start a pinned automation of engine.yaml. Cannot be undone.",
    params=SsmAutomationParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"automation": "restart-appliance"},
    repeat="token",
    reversible=False,
    permissions=STARTING,
    time_limit=timedelta(minutes=30),
)
