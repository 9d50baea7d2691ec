"""A target: what a change is made to, resolved and absolute."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct, frozen=True, order=True):
    """One thing in the world. `place` is a cluster alias, `account/region`, or `local`."""

    kind: str  # deployment, statefulset, daemonset, pod, node, parameter, function, queue, none
    place: str
    namespace: str
    name: str
    uid: str = ""  # empty until the world was asked

    @property
    def key(self) -> str:
        """The identity that locks, cooldowns and budgets are kept under; never holds the uid."""
        return f"{self.place}/{self.kind}/{self.namespace}/{self.name}"

    def __str__(self) -> str:
        """Return the target as people write it: `apps/deployment/checkout`, `/checkout/degraded_mode`."""
        if self.kind == "parameter":
            return self.name
        if self.kind == "none":
            return "nothing"
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)

    @property
    def pattern_form(self) -> str:
        """The form that allow-list patterns are written in: `deployment=apps/checkout`, `node=ip-10-0-0-1`."""
        return f"{self.kind}={self.namespace}/{self.name}" if self.namespace else f"{self.kind}={self.name}"


NO_TARGET = Target("none", "", "", "")


class TargetTemplate(msgspec.Struct, frozen=True):
    """A target as an author writes it; each field may be a template over `inputs` and `alert`."""

    kind: str
    name: str = ""
    namespace: str = ""
    cluster: str = ""
