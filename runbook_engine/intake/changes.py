"""Changes that a sender tells of: whose they are, in this installation's words, and whether the sender may say so.

A scope may say what a foreign name stands for (`about`): a pipeline for the deployment that it releases. What somebody
else changed decides what runbooks look at, so a sender may tell only of targets that are its own.
"""

from __future__ import annotations

from msgspec.structs import replace

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.configuration import SERVED_BY, Configuration, Scope
from runbook_engine.model.delivery import Parsed, Rejected
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.resolution import allowed, scope_refusal


def own_changes(
    parsed: Parsed, scope_name: str, configuration: Configuration
) -> tuple[tuple[tuple[Target, ChangeEvent], ...], tuple[Rejected, ...]]:
    """Return the changes that are kept, each under its own target, and those that are refused."""
    if not parsed.changes:
        return (), ()
    scope = next((scope for scope in configuration.scopes if scope.name == scope_name), Scope(name=scope_name))
    kept: list[tuple[Target, ChangeEvent]] = []
    refused: list[Rejected] = []
    for index, (told, event) in enumerate(parsed.changes):
        try:
            kept += [(_own(target, scope, configuration), event) for target in _meant(told, scope)]
        except InvalidTarget as error:
            refused.append(Rejected(index, str(error)))
    return tuple(kept), tuple(refused)


def _meant(told: Target, scope: Scope) -> tuple[Target, ...]:
    """Return what a target stands for in this scope: itself, unless the scope says what else."""
    return tuple(each.target for each in scope.about if allowed(told, (each.pattern,))) or (told,)


def _own(target: Target, scope: Scope, configuration: Configuration) -> Target:
    if refusal := scope_refusal(configuration, scope.name, target=target):
        raise InvalidTarget(f"invalid_target: {refusal}")
    return target if target.place else replace(target, place=_only_place(target, configuration))


def _only_place(target: Target, configuration: Configuration) -> str:
    """Return where a target is that was told without its place. Raises InvalidTarget when there are several."""
    served = target.kind in SERVED_BY
    known = configuration.places(target.kind) if served else configuration.clusters or ("local",)
    if len(known) == 1:
        return known[0]
    if served and ("" in known or not known):
        return ""
    raise InvalidTarget(f"invalid_target: {target} names no place, and there are several: {', '.join(known)}")
