"""A target: what a change is made to, resolved and absolute."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

WORKLOAD_KINDS = frozenset(("deployment", "statefulset", "daemonset"))
FOUND_KINDS: Mapping[str, frozenset[str]] = {"workloadOf": WORKLOAD_KINDS, "nodeOf": frozenset(("node",))}
PROVISIONAL_KINDS: Mapping[str, frozenset[str]] = {
    "workloadOf": frozenset(("pod",)),
    "nodeOf": frozenset(("pod", "instance")),
}
SERVERLESS_KINDS = frozenset(("function", "queue"))  # of no cluster: their place is the one that an adapter is given


class Target(msgspec.Struct, frozen=True, gc=False, order=True):
    """One thing in the world. `place` is a cluster alias, `account/region`, or `local`."""

    # deployment, statefulset, daemonset, pod, instance, node, configmap, job, parameter,
    # function (named NAME or NAME:ALIAS), queue, automation, request (named NAME or NAME:WHAT IT CHANGES), none
    kind: str
    place: str
    namespace: str
    name: str
    uid: str = ""  # empty until the world was asked

    @property
    def key(self) -> str:
        """The identity that locks, cooldowns and budgets are kept under; never holds the uid."""
        return f"{self.place}/{self.kind}/{self.namespace}/{self.name}"

    @property
    def whole(self) -> Target:
        """The function that a target's alias belongs to; any other target is whole as it is."""
        if self.kind != "function" or ":" not in self.name:
            return self
        return Target(self.kind, self.place, self.namespace, self.name.partition(":")[0], self.uid)

    @property
    def alias(self) -> str:
        """The alias of a function that is named; empty = none."""
        return self.name.partition(":")[2] if self.kind == "function" else ""

    def __str__(self) -> str:
        """Return the target as people write it: `apps/deployment/checkout`, `/checkout/degraded_mode`."""
        if self.kind == "parameter":
            return self.name
        if self.kind == "none":
            return "nothing"
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)

    @property
    def pattern_form(self) -> str:
        """The form that allow-list patterns are written in: `deployment=apps/checkout`, `node=ip-10-0-0-1`.

        A request is allowed by its own name: what it changes is a value that an alert may have brought.
        """
        name = self.name.partition(":")[0] if self.kind == "request" else self.name
        return f"{self.kind}={self.namespace}/{name}" if self.namespace else f"{self.kind}={name}"


NO_TARGET = Target("none", "", "", "")


class TargetTemplate(msgspec.Struct, frozen=True):
    """A target as an author writes it; each field may be a template over `inputs` and `alert`.

    Of the kinds `workloadOf` and `nodeOf` the rest names a pod (with a namespace) or an instance (without one),
    and what is acted on is found in the cluster: `provisional` says whether a target is still to be found.
    """

    kind: str
    name: str = ""
    namespace: str = ""
    cluster: str = ""  # or, of a function or a queue, the place

    @property
    def finds(self) -> frozenset[str]:
        """The kinds that may be found, through the cluster; empty = the target is what is written."""
        return FOUND_KINDS.get(self.kind, frozenset())

    def provisional(self, target: Target) -> bool:
        """Whether the cluster must be asked what a target of this template leads to."""
        return target.kind in PROVISIONAL_KINDS.get(self.kind, frozenset())
