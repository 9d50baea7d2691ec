"""Http: send a pinned request of engine.yaml. The escape hatch for what no other action does and some service offers.

Where it goes, what it says and with which credentials is written in engine.yaml and reviewed with it; a runbook names
it and hands over declared parameters. Whether it may be sent again when nobody knows whether it arrived, each request
says of itself: so after a crash one looks first, and the look says that nothing was sent (once more does no harm) or
that a person must find out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field

from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.configuration import RequestTemplate
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.request import ANSWER_ID, check_value, fill_address
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=5)
ARGUMENT = "argument:"
ARGUMENTS = (
    "Values for its parameters. Locks, cooldowns and budgets count for the request, whatever it is told; where its "
    "`effect.changes` in engine.yaml names a parameter, for each value of that."
)
_PLAIN = re.compile(r"[A-Za-z0-9._:/@+-]+")


class HttpParams(ActionParams):
    """Which request, and what it is told."""

    request: str = Field(min_length=1, description="Its name, as under requests in engine.yaml.")
    arguments: Mapping[str, str] = Field({}, description=ARGUMENTS)


def prepare(params: HttpParams, target: Target, world: World) -> Change:
    """Return the request as a change. Raises Permanent when its parameters are not those it takes."""
    template = world.requests.template(params.request)
    _check_arguments(params, template)
    return Change(
        target=_target(template, params.arguments),
        field="sent",
        before=None,
        after=_shown(template, params.arguments),
        arguments={
            "digest": template.digest,
            "repeat": template.repeat,
            "status": template.status is not None,
            "asks": template.approval,  # part of what is compared when one looks again before sending
            **{f"{ARGUMENT}{name}": value for name, value in params.arguments.items()},
        },
        asks=template.approval,
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Send it; a repeat goes with the same token."""
    digest = str(change.arguments["digest"])
    try:
        receipt = effects.requests.send(_request(change), _arguments(change), digest=digest, token=key)
    except Conflict as error:
        return Outcome.conflict(str(error))
    return Outcome(status="done", receipt={**receipt, "sent": True})


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look what became of it. Without a receipt nobody knows whether it was sent."""
    name = _request(change)
    if not receipt.get("sent"):
        if change.arguments["repeat"] == "once":
            return Progress.failed(
                f"request {name} may have been sent, and must not be sent again: look whether it was"
            )
        return Progress.absent(f"nothing says that request {name} was sent, and once more does no harm")
    if not change.arguments["status"]:
        return Progress.done(f"request {name} was answered")
    state = world.requests.state(name, _arguments(change), str(receipt.get("id", "")))
    match state.status:
        case "done":
            return Progress.done(f"request {name} is done: {state.reason}")
        case "failed":
            return Progress.failed(f"request {name} has failed: {state.reason}")
        case "running":
            return Progress.progressing(f"request {name} is under way: {state.reason}", LOOK_AGAIN)


def _target(template: RequestTemplate, arguments: Mapping[str, str]) -> Target:
    """Return what locks and cooldowns are kept under: the request, and what it changes where engine.yaml says that.

    Which of its parameters that is, nobody can guess: two runs that change one thing for two reasons must meet.
    """
    changed = f":{arguments[template.changes]}" if template.changes else ""
    return Target("request", "", "", f"{template.name}{changed}")


def _request(change: Change) -> str:
    return change.target.name.partition(":")[0]


def _arguments(change: Change) -> dict[str, str]:
    return {
        name.removeprefix(ARGUMENT): str(value) for name, value in change.arguments.items() if name.startswith(ARGUMENT)
    }


def _shown(template: RequestTemplate, arguments: Mapping[str, str]) -> str:
    """Return what an approver reads: what it does, in the words of whoever allowed it, and what it is told."""
    told = ", ".join(f"{name}={_told(value)}" for name, value in sorted(arguments.items()))
    return f"{template.says} ({told})" if told else template.says


def _told(value: str) -> str:
    """Return a value as an approver reads it: in quotes when it might be read as more than one."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _check_arguments(params: HttpParams, template: RequestTemplate) -> None:
    takes = ", ".join(template.parameters) or "none"
    for name, value in params.arguments.items():
        if name not in template.parameters:
            raise Permanent(f"request {params.request} takes no parameter {name!r}; it takes {takes}")
        check_value(name, value)
    missing = [name for name in template.parameters if name not in params.arguments]
    if missing:
        raise Permanent(f"request {params.request} needs the parameter {missing[0]!r} (add it under arguments)")
    values = {f"parameters.{name}": value for name, value in params.arguments.items()}
    fill_address(template.url, values)
    if template.status is not None:  # what is sent must be asked for by the same values
        fill_address(template.status.url, {**values, ANSWER_ID: "id"})


ACTION = ActionSpec(
    name="http",
    summary="Send a pinned request of engine.yaml. Cannot be undone.",
    params=HttpParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"request": "flush-cache"},
    repeat="observable",
    reversible=False,
    permissions=("requests:send",),
    looks_tell=False,  # what `absent` says here is that once more does no harm, not that nothing was sent
    time_limit=timedelta(minutes=10),
)
