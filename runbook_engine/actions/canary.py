"""Canary: send a share of an alias' calls to a second published version, or end that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runbook_engine.actions.functions import POINTING, find_alias, needs_of_alias, seen_function
from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.wording import not_ours, shown, written
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.serverless import Function
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

MOST_NAMED = 5


class CanaryParams(ActionParams):
    """Which version, and how much of the calls."""

    version: Literal["newest"] | Annotated[int, Field(ge=1)] = Field(
        "newest", description="newest: the newest that is published; or its number."
    )
    percent: float = Field(
        ge=0, lt=100, description="The share of the calls, as in 10; 0 ends the canary, whichever version it is."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.percent == 0 and self.version != "newest":
            raise ValueError("percent: 0 ends the canary, whichever version it is (remove version)")
        return self


def prepare(params: CanaryParams, target: Target, world: World) -> Change | None:
    """Return the change of the canary, or None when it is so already."""
    function = find_alias(target, world, f"cannot shift calls of {target}")
    after = "" if params.percent == 0 else _wanted(params, function)
    if after == function.canary or after is None:
        return None
    return Change(
        target=function.target,
        field="canary",
        before=function.canary,
        after=after,
        arguments={"version": function.version},  # that the others go to: a yes binds it
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Shift the calls, if the canary still is as it was."""
    version = change.arguments.get("version")
    if not isinstance(version, int):
        return Outcome.failed(f"cannot shift calls of {change.target}: {version} is not a version")
    after, before = str(change.after), str(change.before)
    try:
        return written(effects.functions.shift(change.target, after, expected=before, version=version))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look where the calls go."""
    function = seen_function(change, world)
    if isinstance(function, Progress):
        return function
    if function.canary != change.after:
        return not_ours(change, function.canary, receipt)
    return Progress.done(f"canary of {change.target} is {shown(function.canary)}")


def _wanted(params: CanaryParams, function: Function) -> str | None:
    """Return the canary as `8=10`; None when that version has every call already. Raises Permanent."""
    published = [revision.number for revision in function.versions]
    wanted = max(published, default=function.version) if params.version == "newest" else params.version
    if wanted == function.version:
        return None
    if wanted not in published:
        named = ", ".join(str(number) for number in sorted(published, reverse=True)[:MOST_NAMED]) or "none"
        raise Permanent(
            f"cannot shift calls of {function.target}: version {wanted} is not published (published: {named})"
        )
    return f"{wanted}={params.percent:g}"


ACTION = ActionSpec(
    name="canary",
    summary="Send a share of a function alias' calls to a second version, or end that.",
    params=CanaryParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"version": "newest", "percent": 10},
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=1),
    permissions=POINTING,
    needs=needs_of_alias,
    target_kinds=("function",),
)
