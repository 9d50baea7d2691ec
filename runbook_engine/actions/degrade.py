"""Degrade: set a parameter that a service reads, to shed an optional feature.

The parameter is the target of the change, not the workload that reads it, so two runbooks that flip the same
parameter meet at its lock and its cooldown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field, field_validator

from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.wording import not_ours, shown, written
from runbook_engine.errors import Conflict
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

# What Parameter Store accepts, which every flag store can hold.
ABSOLUTE_NAME = re.compile(r"(?:/[A-Za-z0-9_.-]+){1,15}")
LONGEST_NAME = 1011


class DegradeParams(ActionParams):
    """Which parameter is set to what."""

    parameter: str = Field(description="The parameter's absolute name, as in /checkout/degraded_mode.")
    value: str = Field(description='The value to set, as text: quote it, as in "true".', max_length=4096)

    @field_validator("parameter")
    @classmethod
    def _absolute(cls, name: str) -> str:
        if not ABSOLUTE_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise ValueError(
                f"{name!r} is not a parameter's absolute name "
                "(letters, digits and _ . - between slashes, as in /checkout/degraded_mode)"
            )
        return name


def prepare(params: DegradeParams, target: Target, world: World) -> Change | None:
    """Return the parameter's change, or None when it has that value already."""
    parameter = Target("parameter", target.place, "", params.parameter)
    flag = world.flags.flag(parameter)
    before = flag.value if flag is not None else None
    if before == params.value:
        return None
    return Change(target=parameter, field="value", before=before, after=params.value)


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Set the parameter, or remove it when the change restores its absence."""
    after, before = _text(change.after), _text(change.before)
    try:
        receipt = effects.flags.write(change.target, after, expected=before)
    except Conflict as error:
        return Outcome.conflict(str(error))
    return written(receipt)


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Read the parameter back."""
    flag = world.flags.flag(change.target)
    live = flag.value if flag is not None else None
    if live == change.after:
        return Progress.done(f"{change.target} is {shown(live)}")
    return not_ours(change, live, receipt)


def _text(value: Value) -> str | None:
    return None if value is None else str(value)


ACTION = ActionSpec(
    name="degrade",
    summary="Set a parameter that a service reads, to shed an optional feature.",
    params=DegradeParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=1),
    permissions=("ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter"),
)
