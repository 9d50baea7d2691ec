"""Nodes and the pods on them, as readers return them: facts only, no judgement of what may be done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.target import Target

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node as it is now. What its kubelet does not report counts as not ready."""

    target: Target  # with its uid
    ready: bool
    ready_reason: str = ""
    cordoned: bool = False
    cordoned_at: datetime | None = None
    cordoned_by: str = ""  # the field manager that cordoned it last, empty = cannot be told
    zone: str = ""
    pool: str = ""
    labels: Mapping[str, str] = {}
    pressures: tuple[str, ...] = ()  # conditions and taints of the kubelet's own, as in DiskPressure
    deleting: bool = False
    ignored: str = ""  # why it is out of bounds, to be read after its name; empty = it is not
    holds_us: bool = False  # the engine's own pod runs on it


class DisruptionBudget(msgspec.Struct, frozen=True, kw_only=True):
    """A disruption budget that covers a pod, and how much of it is left. Counts of pods."""

    name: str
    allowed: int
    healthy: int
    wanted: int  # how many must stay healthy
    expected: int  # how many there are meant to be
    observed: bool = True  # the counts speak of the budget as it is written now
    problem: str = ""  # why its controller cannot keep it
    frees_unready: bool = False  # AlwaysAllow: what is not ready may always leave

    @property
    def impossible(self) -> bool:
        """Whether it can never allow one, however healthy its pods are."""
        return bool(self.problem) or (self.observed and 0 < self.expected <= self.wanted)

    def spares(self, ready: bool) -> bool:
        """Whether a pod may leave without taking from what is left: one that is not ready, and is not needed."""
        return not ready and (self.frees_unready or 0 < self.wanted <= self.healthy)


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The controller of a pod."""

    kind: str  # as the API spells it: ReplicaSet, StatefulSet, DaemonSet, Job
    name: str
    uid: str


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod as it is now."""

    target: Target  # kind pod, with its uid
    node: str = ""
    phase: Phase = "Running"
    ready: bool = True
    owner: Owner | None = None  # None: nothing brings it back
    owner_exists: bool = True  # False: its DaemonSet is gone
    mirror: bool = False  # static: its kubelet brings it back whatever the API says
    empty_dirs: tuple[str, ...] = ()  # volumes whose content dies with it
    created_at: datetime | None = None
    deleted_at: datetime | None = None  # the deletion time stamp: when it was asked, plus its grace
    finalizers: tuple[str, ...] = ()
    tolerates_cordon: bool = False  # it would be put straight back onto a cordoned node
    ignored: str = ""  # why it is out of bounds, to be read after its name; empty = it is not
    waiting: str = ""  # why a container waits, as in CrashLoopBackOff
    restarts: int = 0  # of the container that restarted most
    budgets: tuple[DisruptionBudget, ...] = ()

    @property
    def terminal(self) -> bool:
        """Whether it has run to its end."""
        return self.phase in ("Succeeded", "Failed")


class Headroom(msgspec.Struct, frozen=True, kw_only=True):
    """Whether what runs on a node would fit elsewhere, with the numbers that say so."""

    fits: bool
    says: str
