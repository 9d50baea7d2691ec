"""Touching a deployment of this machine: write what is wanted, let the configuration follow, send HUP.

TTIN and TTOU are not used: what they do is lost at the next HUP. The state is written first, so a crash in
between is healed by the same call again: it finds the value written but not taken in, and sends HUP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runbook_adapters import disk
from runbook_adapters.process import master
from runbook_adapters.process.deployment import (
    ENGINE,
    Deployment,
    is_rolled_back,
    restarted,
    rolled_back,
    scaled,
)
from runbook_adapters.process.folder import STATE, find_folder, load_deployment, store_deployment
from runbook_adapters.process.reader import not_running
from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Retryable, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

Step = Callable[[Deployment], Deployment | None]  # the next state, or None when it is so already; raises Conflict


class ProcessWriter:
    """Scales, restarts and rolls back a gunicorn master; every method is a compare-and-set."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    def scale(self, target: Target, replicas: int, *, expected: int, minimum: bool = False) -> Mapping[str, Value]:
        """Set the number of workers, if it still is `expected`. No autoscaler sets it here."""
        if minimum:
            raise Conflict(f"no autoscaler sets the replicas of {target}; nothing was changed")
        if replicas < 1:
            raise Permanent(f"{target} cannot run {replicas} workers: a gunicorn master keeps at least one")

        def step(live: Deployment) -> Deployment | None:
            if live.replicas == replicas:
                return None
            if live.replicas != expected:
                raise Conflict(f"{target} has {live.replicas} replicas, not {expected} any more; nothing was changed")
            return scaled(live, replicas, by=ENGINE, now=self._clock.now())

        return self._change(target, step)

    def restart(self, target: Target, mark: str) -> Mapping[str, Value]:
        """Replace every worker, new ones first; the same mark again does nothing."""

        def step(live: Deployment) -> Deployment | None:
            return None if live.restarted_at == mark else restarted(live, mark, by=ENGINE, now=self._clock.now())

        return self._change(target, step)

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        """Run an older revision's release and settings again, if the current revision still is `expected`."""

        def step(live: Deployment) -> Deployment | None:
            if is_rolled_back(live, to=revision, expected=expected):
                return None
            if live.current.number != expected:
                raise Conflict(
                    f"{target} is at revision {live.current.number}, not {expected} any more; nothing was changed"
                )
            wanted = live.find_revision(revision)
            if wanted is None:
                kept = ", ".join(str(release.number) for release in live.revisions)
                raise Permanent(f"{target} cannot return to revision {revision}: it is not kept (kept: {kept})")
            return rolled_back(live, wanted, by=ENGINE, now=self._clock.now())

        return self._change(target, step)

    def _change(self, target: Target, step: Step) -> Mapping[str, Value]:
        """Take one step under the lock and make the master take it in; the receipt says where it led."""
        try:
            folder = find_folder(self._root, target)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        except Unreadable as error:
            raise Retryable(str(error)) from error
        with disk.locked(folder / STATE):
            try:
                live = load_deployment(folder)
                pid = master.master_pid(folder)
                observed = master.observed_generation(folder)
            except Unreadable as error:
                raise Retryable(str(error)) from error
            if target.uid and target.uid != live.uid:
                raise Conflict(f"{target} was removed and created again; nothing was changed")
            if pid is None:
                raise Permanent(not_running(live, folder))
            wanted = step(live) or live
            receipt: dict[str, Value] = {"generation": wanted.generation, "revision": wanted.current.number}
            if wanted is live and observed >= live.generation:
                return {**receipt, "unchanged": True}
            store_deployment(folder, wanted)
            master.reload(folder, pid, wanted.generation)
        return receipt
