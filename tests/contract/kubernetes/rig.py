"""Rigs: one workload of a cluster with the adapter's ports, as the contracts ask for it."""

from __future__ import annotations

from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.model.observation import Workload
from runbook_engine.model.target import Target
from tests.contract.kubernetes.bed import NEW, OLD, Bed


class WorkloadRig:
    """One workload, its reader and its writer."""

    def __init__(self, bed: Bed, kind: str, name: str = "web") -> None:
        self.bed = bed
        self.reader = KubernetesReader(bed.transport, bed.clock)
        self.writer = KubernetesWriter(bed.transport, bed.clock)
        self.target: Target = bed.target(kind, name)

    def settle(self) -> None:
        """Let time pass until nothing rolls out."""
        self.bed.settle(self.target.kind, self.target.name)

    def look(self) -> Workload:
        return self.reader.workload(self.target)

    def release(self, image: str) -> None:
        """Somebody releases another image, and it rolls out."""
        self.bed.release(self.target.kind, self.target.name, image)
        self.settle()


def two_releases(bed: Bed, kind: str, name: str = "web") -> WorkloadRig:
    """Return a workload at its second release, at rest."""
    rig = WorkloadRig(bed, kind, name)
    if kind == "daemonset":
        bed.daemonset(name, image=OLD)
    else:
        getattr(bed, kind)(name, replicas=2, image=OLD)
    rig.settle()
    rig.release(NEW)
    return rig
