"""A grant: one verb on one resource, as narrow as it can be said, and what needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

EVERYWHERE = "*"  # every namespace; the empty namespace = a resource that has none
ANY = "*"  # every group, resource or verb; no runbook ever needs it, and rules that people wrote may say it
READING = frozenset(("get", "list", "watch"))


class Grant(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One verb on one resource of a cluster. `names` empty = whatever its name."""

    namespace: str
    group: str  # empty = the core group
    resource: str  # as in deployments, deployments/scale
    verb: str
    names: tuple[str, ...] = ()
    because: str = ""  # which runbook needs it, and for what

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.verb in READING


class Permission(msgspec.Struct, frozen=True):
    """What an action says that it needs: `apps/deployments/scale:patch`, `core/pods:list`, `ssm:GetParameter`.

    Without a group it is a service's own operation, as IAM spells it.
    """

    group: str
    resource: str
    verb: str

    @property
    def of_cluster(self) -> bool:
        """Whether an API server grants it."""
        return bool(self.group)


def parse_permission(text: str) -> Permission:
    """Return a permission as an action writes it. Raises ValueError."""
    path, colon, verb = text.rpartition(":")
    if not colon or not path or not verb:
        raise ValueError(f"{text!r} is no permission (write apps/deployments:get or ssm:GetParameter)")
    group, slash, resource = path.partition("/")
    return Permission(group, resource, verb) if slash else Permission("", path, verb)


def uncovered(wanted: Iterable[Grant], given: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return what of the first the second does not allow, one name at a time where there are names."""
    rules = tuple(given)
    singles = (each for grant in wanted for each in _singles(grant))
    return tuple(sorted({each for each in singles if not any(_covers(rule, each) for rule in rules)}))


def _singles(grant: Grant) -> Iterator[Grant]:
    """Yield a grant for each of its names, so that several rules may cover it together."""
    if not grant.names:
        yield grant
    for name in grant.names:
        yield msgspec.structs.replace(grant, names=(name,))


def _covers(rule: Grant, single: Grant) -> bool:
    parts = ((rule.group, single.group), (rule.resource, single.resource), (rule.verb, single.verb))
    if any(allowed not in (ANY, asked) for allowed, asked in parts):
        return False
    if rule.namespace not in ("", EVERYWHERE, single.namespace):
        return False
    return not rule.names or (bool(single.names) and set(single.names) <= set(rule.names))
