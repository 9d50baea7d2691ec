"""A grant: one verb on one resource, as narrow as it can be said, and what needs it."""

from __future__ import annotations

import msgspec

EVERYWHERE = "*"  # every namespace; the empty namespace = a resource that has none
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
