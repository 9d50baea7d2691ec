"""What the actions on a function's alias share: which alias, and why it must be left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.looking import FUNCTION_LOOKS
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.serverless import Function
from runbook_engine.model.target import Target
from runbook_engine.ports import World

POINTING = (*FUNCTION_LOOKS, "lambda:UpdateAlias")


def find_alias(target: Target, world: World, refusal: str) -> Function:
    """Return the function whose alias is to be moved. Raises Permanent when moving it would reach nobody."""
    if not target.alias:
        raise Permanent(
            f"{refusal}: the target names no alias, and unpublished code has nothing to return to "
            "(write alias: NAME, and let every caller use it)"
        )
    function = world.functions.function(target)
    if function.version == 0:
        raise Permanent(
            f"{refusal}: its alias points to the unpublished code (publish a version, and point the alias to it)"
        )
    if function.bypassed:
        raise Permanent(f"{refusal}: {function.bypassed} (let every caller use the alias)")
    return function


def seen_function(change: Change, world: World) -> Function | Progress:
    """Return the function of a change as it is now, or the look that says that it is gone."""
    try:
        return world.functions.function(change.target)
    except InvalidTarget:
        return Progress.superseded(f"{change.target} is gone: somebody else has removed it")


def canary_version(canary: str) -> int:
    """Return the version that a canary such as 8=10 sends calls to; 0 = there is none."""
    number = canary.partition("=")[0]
    return int(number) if number.isdecimal() else 0


def needs_of_alias(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what moving an alias needs; nothing for what has none."""
    return POINTING if kind == "function" else ()
