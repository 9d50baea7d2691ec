"""Pods whose workload and node somebody knows: all that the resolution of a target asks of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runbook_engine.errors import InvalidTarget, RunbookError
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SimulatedWorld


class Pods:
    """Pod -> workload, pod or address -> node; fails as it is told."""

    def __init__(self, workloads: Mapping[str, Target], nodes: Mapping[str, Target] | None = None) -> None:
        self.workloads = dict(workloads)
        self.nodes = dict(nodes or {})
        self.fails: RunbookError | None = None
        self.looks = 0

    def workload_of(self, pod: Target) -> Target:
        """Return the workload of a pod."""
        return self._look(self.workloads, pod)

    def node_of(self, pod_or_instance: Target) -> Target:
        """Return the node of a pod, or of an address."""
        return self._look(self.nodes, pod_or_instance)

    def _look(self, known: Mapping[str, Target], asked: Target) -> Target:
        self.looks += 1
        if self.fails is not None:
            raise self.fails
        if asked.name not in known:
            raise InvalidTarget(f"{asked} does not exist")
        return known[asked.name]


def deployment(name: str, place: str = "local") -> Target:
    """A deployment of apps."""
    return Target("deployment", place, "apps", name, uid=f"uid-of-{name}")


def with_pods(simulated: SimulatedWorld, pods: Pods) -> SimulatedWorld:
    """Return the world with eyes for these pods."""
    simulated.world = replace(simulated.world, nodes=pods)  # type: ignore[arg-type]  # the rest is never asked
    return simulated
