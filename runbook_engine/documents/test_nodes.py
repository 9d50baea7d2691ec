"""Nodes as tests describe them: the nodes and pods of the simulated world, what others do to them, what is demanded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

from pydantic import model_validator

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Flag, Span, Text, refuse


class NodeDocument(Document):
    """A node of the simulated world."""

    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it is of."""
    ready: Flag = True
    """Whether its kubelet answers."""
    reason: str = ""
    """Why it is not ready."""
    cordoned: Flag = False
    """Whether somebody keeps new pods off it."""
    zone: str = ""
    """The zone that it is in."""
    pool: str = ""
    """The group of nodes that it is of."""
    labels: Mapping[str, str] = {}
    """Its labels."""
    pressures: tuple[Text, ...] = ()
    """What its kubelet suffers from, as in DiskPressure."""
    capacity: Count = 110
    """How many pods it takes."""
    ignored: str = ""
    """Why it is out of bounds, to be read after its name; it is not when absent."""
    holds_us: Flag = False
    """Whether this engine runs on it."""


class PodDocument(Document):
    """A pod of the simulated world; without a workload or a daemonset nothing brings it back."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    node: Text
    """The node that it runs on."""
    cluster: Text = "local"
    """The cluster that it runs in."""
    workload: Text | None = None
    """The workload that it is of, one of world.deployments in its namespace."""
    daemonset: Text | None = None
    """The daemonset that it is of."""
    ready: Flag = True
    """Whether it is ready."""
    waiting: str = ""
    """Why its container waits, as in CrashLoopBackOff."""
    restarts: Count = 0
    """How often its container restarted."""
    heals: Flag = True
    """Whether the pod that takes its place becomes ready."""
    empty_dir: Flag = False
    """Whether it keeps data in an emptyDir."""
    mirror: Flag = False
    """Whether it is static: its kubelet brings it back."""
    ignored: str = ""
    """Why it is out of bounds, to be read after its name; it is not when absent."""
    stops_in: Span = timedelta(seconds=5)
    """How long it takes to stop."""
    starts_in: Span = timedelta(seconds=10)
    """How long the pod that takes its place needs to be ready."""

    @model_validator(mode="after")
    def _has_one_controller(self) -> Self:
        if self.workload is not None and self.daemonset is not None:
            message = "a pod is of a workload or of a daemonset, not of both"
            raise refuse("pod-controller", message, "remove one of them", "daemonset")
        return self


class BudgetDocument(Document):
    """A disruption budget of the simulated world."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it is of."""
    workload: Text
    """The workload whose pods it covers, one of world.deployments in its namespace."""
    min_available: Count
    """How many must stay healthy."""


class NodeEdit(Document):
    """What others do to a node."""

    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it is of."""
    ready: Flag | None = None
    """Whether its kubelet answers now."""
    cordoned: Flag | None = None
    """Whether somebody keeps new pods off it now."""
    gone: Literal[True] | None = None
    """It is taken away."""


class NodeExpectation(Document):
    """What must be true of a node."""

    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it is of."""
    cordoned: Flag | None = None
    """Whether new pods are kept off it."""
    pods: Count | None = None
    """How many pods are on it."""
