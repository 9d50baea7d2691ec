"""A simulated cluster: workloads whose rollouts take simulated time, and may get stuck."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.observation import Autoscaler, Revision, Workload
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

Remedy = Literal["scale", "restart", "rollback"]


@dataclass(slots=True, kw_only=True)
class SimulatedWorkload:
    """The state of one workload. `broken` replicas never become ready, until a `remedy` mends them."""

    target: Target
    replicas: int
    revision: int
    revisions: tuple[Revision, ...]
    service: str = ""
    zone: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    autoscaler: Autoscaler | None = None
    paused: bool = False
    broken: int = 0
    mended_by: tuple[Remedy, ...] = ()
    stuck: str = ""  # why the next rollout will not complete
    failing: str = ""  # why the one under way, or the last one, does not
    rollout_time: timedelta = timedelta(seconds=10)
    restarted_at: str = ""
    generation: int = 1
    began_at: datetime | None = None  # the rollout under way, or the last one
    began_ready: int = 0
    began_updated: int = 0
    containers: dict[str, dict[str, str]] = field(default_factory=dict)  # the environment of each, in its order
    partition: int = 0
    manual_updates: bool = False
    downtime: bool = False
    deleting: bool = False
    renumbers: bool = False  # a revision that is returned to gets a new number, as a deployment's does
    gitops: str = ""
    ignored: str = ""
    quota_left: int | None = None
    away: Callable[[datetime], int] = field(default=lambda now: 0)  # replicas that left their node and are not back
    failed_since: int = 0  # the generation whose rollout failed: what tells one failure from the next

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every number by which the present revision is or was known."""
        former = next((kept.formerly for kept in self.revisions if kept.number == self.revision), ())
        return (self.revision, *former)

    @property
    def wanted(self) -> int:
        """How many replicas there shall be; an autoscaler never goes below its minimum."""
        return self.replicas if self.autoscaler is None else max(self.replicas, self.autoscaler.minimum)

    def seen(self, now: datetime) -> Workload:
        """Return the workload as a reader sees it."""
        share = self._share(now)
        final_ready = max(0, min(self.wanted, self.wanted - self.broken - self.away(now)))
        final_updated = max(0, self.wanted - self.partition)
        rollout: Literal["complete", "progressing", "failed"] = "complete" if share >= 1 else "progressing"
        if self.failing:
            final_ready, final_updated = self.began_ready, self.began_updated
            rollout = "failed" if share >= 1 else "progressing"
        return Workload(
            target=self.target,
            replicas=self.wanted,
            ready=_between(self.began_ready, final_ready, share),
            updated=_between(self.began_updated, final_updated, share),
            generation=self.generation,
            observed_generation=self.generation,
            service=self.service,
            zone=self.zone,
            paused=self.paused,
            revision=self.revision,
            revisions=self.revisions,
            restarted_at=self.restarted_at,
            settings=self.settings,
            rollout=rollout,
            rollout_reason=self.failing if rollout == "failed" else "",
            autoscaler=self.autoscaler,
            partition=self.partition,
            manual_updates=self.manual_updates,
            downtime=self.downtime,
            failure_mark=f"failure {self.failed_since}" if rollout == "failed" else "",
            deleting=self.deleting,
            gitops=self.gitops,
            ignored=self.ignored,
            quota_left=self.quota_left,
        )

    def begin(self, now: datetime, *, replace: bool, remedy: Remedy | None = None) -> None:
        """Begin a rollout; with `replace`, no replica counts as updated yet."""
        seen = self.seen(now)
        self.began_ready = seen.ready
        self.began_updated = 0 if replace else seen.updated
        self.began_at = now
        self.failing = self.stuck
        self.generation += 1
        self.failed_since = self.generation if self.stuck else 0
        if remedy in self.mended_by:
            self.broken = 0

    def return_to(self, number: int) -> None:
        """Run an older revision again, under its own number or under a new one."""
        self.revision = number
        if not self.renumbers:
            return
        self.revision = max(kept.number for kept in self.revisions) + 1
        old = next(kept for kept in self.revisions if kept.number == number)
        new = msgspec.structs.replace(old, number=self.revision, formerly=(*old.formerly, number))
        self.revisions = (new, *(kept for kept in self.revisions if kept is not old))

    def _share(self, now: datetime) -> float:
        if self.began_at is None or not self.rollout_time:
            return 1.0
        return min(1.0, (now - self.began_at) / self.rollout_time)


class SimulatedCluster:
    """Reader and writer of simulated workloads; both judge by the same state."""

    def __init__(self, clock: Clock, faults: Faults, changed: Callable[[Target, str], None]) -> None:
        self._clock = clock
        self._faults = faults
        self._changed = changed
        self._workloads: dict[str, SimulatedWorkload] = {}

    def add(self, workload: SimulatedWorkload) -> None:
        """Put a workload into the cluster."""
        self._workloads[workload.target.key] = workload

    def remove(self, target: Target) -> None:
        """Take a workload out of the cluster."""
        del self._workloads[target.key]

    def state(self, target: Target) -> SimulatedWorkload:
        """Return the state of a workload, for a test to change. Raises InvalidTarget."""
        if target.key not in self._workloads:
            raise InvalidTarget(f"{target} does not exist in cluster {target.place!r}")
        return self._workloads[target.key]

    def targets(self) -> tuple[Target, ...]:
        """Return every workload's target."""
        return tuple(workload.target for workload in self._workloads.values())

    def workload(self, target: Target) -> Workload:
        """Return the workload as it is now."""
        self._faults.look("cluster.workload")
        return self.state(target).seen(self._clock.now())

    def glance(self, target: Target) -> Workload:
        """Return the workload as it is now: here a look costs nothing."""
        return self.workload(target)

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the replicas, or the minimum of the autoscaler that sets them."""
        return self._faults.touch(
            "cluster.scale", str(target), replicas, lambda: self._scale(target, replicas, expected, minimum)
        )

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every replica, once for each mark."""
        return self._faults.touch("cluster.restart", str(target), mark, lambda: self._restart(target, mark))

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Return to an older revision."""
        return self._faults.touch(
            "cluster.rollback", str(target), revision, lambda: self._rollback(target, revision, expected)
        )

    def _scale(self, target: Target, replicas: int, expected: int, minimum: bool) -> Mapping[str, Value]:
        workload = self.owned(target)
        scaler = workload.autoscaler if minimum else None
        if minimum and scaler is None:
            raise Conflict(f"no autoscaler sets the replicas of {target} any more: nothing was scaled")
        live = workload.replicas if scaler is None else scaler.minimum
        if live == replicas:
            return _unchanged(workload)
        if workload.autoscaler is not None and scaler is None:
            raise Conflict(f"{workload.autoscaler.name} sets the replicas of {target} now: nothing was scaled")
        if live != expected:
            raise Conflict(f"{target} has {live} replicas, not {expected}: nothing was scaled")
        workload.begin(self._clock.now(), replace=False, remedy="scale")
        if scaler is None:
            workload.replicas = replicas
        else:
            workload.autoscaler = msgspec.structs.replace(scaler, minimum=replicas)
        self._changed(target, f"replicas {live} -> {replicas}")
        return {"generation": workload.generation}

    def _restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        workload = self.owned(target)
        if workload.restarted_at == mark:
            return _unchanged(workload)
        workload.begin(self._clock.now(), replace=True, remedy="restart")
        workload.restarted_at = mark
        self._changed(target, "restarted")
        return {"generation": workload.generation}

    def _rollback(self, target: Target, revision: int, expected: int) -> Mapping[str, Value]:
        workload = self.owned(target)
        if revision in workload.numbers:
            return _unchanged(workload)
        if workload.revision != expected:
            raise Conflict(f"{target} is at revision {workload.revision}, not {expected}: nothing was rolled back")
        if all(kept.number != revision for kept in workload.revisions):
            raise Permanent(f"{target} keeps no revision {revision}")
        workload.begin(self._clock.now(), replace=True, remedy="rollback")
        workload.return_to(revision)
        self._changed(target, f"revision {expected} -> {revision}")
        return {"generation": workload.generation, "revision": workload.revision}

    def owned(self, target: Target) -> SimulatedWorkload:
        """Return the state of a workload that is to be changed. Raises Permanent, Conflict when it is another one."""
        try:
            workload = self.state(target)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if target.uid and target.uid != workload.target.uid:
            raise Conflict(f"{target} is another one now: it was deleted and created since")
        return workload


def _unchanged(workload: SimulatedWorkload) -> Mapping[str, Value]:
    receipt: dict[str, Value] = {"generation": workload.generation, "unchanged": True}
    return receipt


def _between(first: int, last: int, share: float) -> int:
    return last if share >= 1 else first + int((last - first) * share)
