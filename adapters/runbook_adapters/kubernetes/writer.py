"""Touching workloads. Every write is a compare-and-set on what was read a moment before; nothing is overwritten."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.objects import count_of, metadata_of, workload_path
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.rollbacks import rollback
from runbook_adapters.kubernetes.rollout import failure_mark, has_manual_updates
from runbook_adapters.kubernetes.scaling import scale
from runbook_adapters.kubernetes.templates import RESTARTED_AT, restarted_at, template_of
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_adapters.kubernetes.writes import (
    check_same,
    compare_and_set,
    set_annotation,
    unmoved,
)
from runbook_engine.errors import Permanent
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock


class KubernetesWriter:
    """Scales, restarts and rolls back deployments, statefulsets and daemonsets."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the count, or with `minimum` that of the autoscaler that sets the count, if it is `expected`."""
        return compare_and_set(
            lambda: scale(self._transport, target, replicas, expected=expected, minimum=minimum, clock=self._clock)
        )

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every pod, rolling; the same mark again does nothing."""
        return compare_and_set(lambda: self._restart(target, mark))

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older template, if the live one still is `expected`; asked again, clear one stuck pod."""
        return compare_and_set(lambda: rollback(self._transport, target, revision, expected=expected))

    def _restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        with before_touching():
            workload = get_workload(self._transport, target)
            check_same(target, workload)
        if restarted_at(template_of(workload)) == mark:
            return {**receipt_of(workload), "unchanged": True}
        check_rolls(target, workload, f"cannot restart {target}")
        marking = set_annotation(workload, RESTARTED_AT, mark, at=("spec", "template", "metadata"))
        written = self._transport.patch(workload_path(target), [*unmoved(workload), marking], kind="json")
        return receipt_of(written)


def check_rolls(target: Target, workload: Json, refusal: str) -> None:
    """Raise Permanent when a new template would change nothing that runs."""
    if (workload.get("spec") or {}).get("paused"):
        raise Permanent(f"{refusal}: its rollouts are paused (resume them first)")
    if has_manual_updates(workload):
        raise Permanent(
            f"{refusal}: its update strategy is OnDelete, so nothing would roll "
            "(set RollingUpdate, or delete its pods one by one)"
        )


def receipt_of(workload: Json) -> dict[str, Value]:
    """Return what `observe` needs to find a write again, from the object that the write returned."""
    return {"generation": count_of(metadata_of(workload), "generation"), "failureMark": failure_mark(workload)}
