"""What degrade means for a function: one value of its environment. Every other one stays as it is, and unseen.

Only unpublished code has an environment that can change: a published version keeps its own for ever, so a target
that names an alias is refused rather than changed where no caller of the alias would notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from runbook_engine.actions.degrade_params import DegradeParams
from runbook_engine.actions.functions import seen_function
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.looking import FUNCTION_LOOKS
from runbook_engine.model.naming import VARIABLE_NAME
from runbook_engine.model.plan import Change, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import World

LOOK_AGAIN = timedelta(seconds=2)
ENVIRONMENT = (*FUNCTION_LOOKS, "lambda:UpdateFunctionConfiguration")


def environment_change(params: DegradeParams, target: Target, world: World) -> Change:
    """Return the change of the one value; it never shows what was there."""
    refusal = f"cannot set {params.env} of {target}"
    if params.container is not None:
        raise Permanent(f"{refusal}: a function has no containers (remove container)")
    if not VARIABLE_NAME.fullmatch(str(params.env)):
        raise Permanent(f"{refusal}: a function's variable has letters, digits and _, and begins with a letter")
    if target.alias:
        raise Permanent(
            f"{refusal}: an alias points to a published version, whose environment never changes "
            "(roll the alias back, or name the function without it)"
        )
    key = f"env:/{params.env}"
    setting = world.settings.setting(target, key)
    function = world.functions.function(target)
    if setting.text != params.value and function.state == "updating":
        raise Retryable(f"{refusal}: it is being updated (wait until that has ended)")
    return Change(target=setting.target, field=key, before=setting.text, after=params.value, sensitive=True)


def observe_environment(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look whether the value is there, and whether the function runs with it."""
    function = seen_function(change, world)
    if isinstance(function, Progress):
        return function
    live = world.settings.setting(change.target, change.field).text
    name = f"{change.field} of {change.target}"
    if live != change.after:
        if live == change.before and not receipt:
            return Progress.absent(f"{name} is still as it was")
        return Progress.superseded(f"{name} is another one than we set: somebody else has changed it")
    match function.state:
        case "updating":
            return Progress.progressing(f"{name} is set, and {change.target} is being updated", LOOK_AGAIN)
        case "failed":
            return Progress.failed(
                f"{name} is set, and {change.target} cannot run: {function.reason or 'not said why'}"
            )
        case "active":
            return Progress.done(f"{name} is {'removed' if change.after is None else 'set'}")
