"""What rollback means for a function: its alias points to an older published version again, and no canary is left.

A version never changes once it is published, so the older one is exactly what it was. While a canary is on trial it
is the newer release, and the version behind the alias is the older one already: it is the canary that has to end.
"""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.actions.functions import canary_version, find_alias, seen_function
from runbook_engine.actions.releases import choose, judged_by_changes
from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, Permanent
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.serverless import Function
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World


def prepare_alias(to: str | int, target: Target, world: World) -> Change | None:
    """Return the change of the version, or None when the alias points to that version already."""
    function = find_alias(target, world, f"cannot roll back {target}")
    if to == function.version:
        return None
    refusal = f"cannot roll back {target} from version {function.version}"
    if isinstance(to, str):
        _refuse_canary(function, refusal)
    older = judged_by_changes(function.versions, function.target, world)
    chosen = choose(to, function.version, older, refusal, noun="version")
    return Change(
        target=function.target,
        field="version",
        before=function.version,
        after=chosen.number,
        arguments=_bound(function, chosen.summary),
    )


def apply_alias(change: Change, effects: Effects) -> Outcome:
    """Point the alias to the version, if nobody has pointed it elsewhere since."""
    if not isinstance(change.after, int) or not isinstance(change.before, int):
        return Outcome.failed(f"cannot roll back {change.target}: {change.after} is not a version")
    try:
        return written(effects.functions.point(change.target, change.after, expected=change.before))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe_alias(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look where the alias points."""
    function = seen_function(change, world)
    if isinstance(function, Progress):
        return function
    if function.version != change.after:
        return not_ours(change, function.version, receipt)
    return Progress.done(f"{change.target} points to version {function.version}")


def _refuse_canary(function: Function, refusal: str) -> None:
    if canary_version(function.canary) <= function.version:
        return
    number, _, share = function.canary.partition("=")
    raise Permanent(
        f"{refusal}: {share}% of its calls go to version {number}, which is newer and may be at fault "
        "(end that first, with the action canary and percent: 0, or name a version)"
    )


def _bound(function: Function, summary: str) -> Mapping[str, Value]:
    """Return what a yes binds besides the version: from which one, and which canary ends with it."""
    bound: dict[str, Value] = {"from": function.version}
    if summary:
        bound["summary"] = summary
    if function.canary:
        bound["endsCanary"] = function.canary
    return bound
