"""Admission: which scope a message of the platform belongs to. Only who brought it counts, and engine.yaml decides.

The platform vouches for its own origin (the role that may call the function limits who that is), so no token is asked
for; what no scope admits is refused. Among several the first in engine.yaml is meant.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from runbook_engine.errors import Unauthenticated
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.sender import Sender
from runbook_engine.sources.envelope.delivered import Origin


def scope_of(origin: Origin, configuration: Configuration, account: str) -> Scope:
    """Return the scope that admits this origin; `account` is the function's own. Raises Unauthenticated."""
    for scope in configuration.scopes:
        if any(_admits(sender, origin, account) for sender in scope.senders):
            return scope
    raise Unauthenticated(f"no scope of engine.yaml admits {origin} {_remedy(origin)}")


def _admits(sender: Sender, origin: Origin, own_account: str) -> bool:
    if sender.kind != origin.kind or not origin.name:
        return False
    if sender.kind == "alarm":
        return fnmatchcase(origin.name, sender.name)
    if sender.kind in ("topic", "queue"):
        return sender.name == origin.name
    return sender.name == origin.name and bool(origin.account) and origin.account == (sender.account or own_account)


def _remedy(origin: Origin) -> str:
    if origin.kind == "task":
        return "(a state machine drives executions, it sends no alerts)"
    written = origin.name if origin.name.startswith("arn:") else f"{origin.kind}:{origin.name}@{origin.account}"
    return f"(add it to the scope that it belongs to: from: [{written!r}])"
