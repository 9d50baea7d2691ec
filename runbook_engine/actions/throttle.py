"""Throttle: bound how many calls of a function run at once, to shield what it calls. 0 stops it altogether.

The bound holds for the function as a whole, whatever alias is called, so that is what the change is made to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from runbook_engine.actions.functions import seen_function
from runbook_engine.actions.params import ActionParams
from runbook_engine.actions.wording import not_ours, shown, written
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.looking import FUNCTION_LOOKS
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LIMITING = (*FUNCTION_LOOKS, "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency")


class ThrottleParams(ActionParams):
    """How many at once."""

    concurrency: int = Field(
        ge=0, le=100_000, description="How many calls may run at once, at most; 0 stops every call, and always asks."
    )


def prepare(params: ThrottleParams, target: Target, world: World) -> Change | None:
    """Return the change of the bound, or None when it is that already."""
    function = world.functions.function(target.whole)
    before = function.concurrency
    if before == params.concurrency:
        return None
    if before == 0:
        raise Permanent(
            f"cannot throttle {function.target}: it is stopped, and starting what somebody stopped is for a person "
            "(remove its reserved concurrency by hand first)"
        )
    return Change(
        target=function.target,
        field="concurrency",
        before=before,
        after=params.concurrency,
        asks=params.concurrency == 0,
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Set the bound, or remove it when the change restores its absence."""
    try:
        return written(effects.functions.limit(change.target, _bound(change.after), expected=_bound(change.before)))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Read the bound back."""
    function = seen_function(change, world)
    if isinstance(function, Progress):
        return function
    if function.concurrency != change.after:
        return not_ours(change, function.concurrency, receipt)
    return Progress.done(f"concurrency of {change.target} is {shown(function.concurrency)}")


def _bound(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what bounding a function needs: it is removed again when there was no bound before."""
    return LIMITING if kind == "function" else ()


ACTION = ActionSpec(
    name="throttle",
    summary="Bound how many calls of a function run at once; 0 stops it.",
    params=ThrottleParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"concurrency": 5},
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=1),
    permissions=LIMITING,
    needs=needs,
    target_kinds=("function",),
)
