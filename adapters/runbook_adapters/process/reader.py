"""Looking at a deployment of this machine: its workers, its history, its log. Nothing here can change anything."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from runbook_adapters.process import master
from runbook_adapters.process.deployment import ENGINE, Deployment
from runbook_adapters.process.folder import LOG, find_folder, load_deployment
from runbook_adapters.process.master import Worker
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.observation import ChangeEvent, LogExcerpt, Workload
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

Rollout = tuple[Literal["complete", "progressing", "failed"], str]

MOST_LOG_LINES = 1000
MOST_LOG_BYTES = 256 * 1024


class ProcessReader:
    """Counts a master's workers and reads what is wanted of it."""

    def __init__(self, root: Path, clock: Clock, rollout_deadline: timedelta) -> None:
        self._root = root
        self._clock = clock
        self._rollout_deadline = rollout_deadline

    def workload(self, target: Target) -> Workload:
        """Return the deployment as it is now. Raises InvalidTarget, or Unreadable when its master does not run."""
        folder = find_folder(self._root, target)
        deployment = load_deployment(folder)
        if target.uid and target.uid != deployment.uid:
            raise InvalidTarget(f"{target} was removed and created again since this run looked at it; start a new run")
        if master.master_pid(folder) is None:
            raise Unreadable(not_running(deployment, folder))
        observed = master.observed_generation(folder)
        workers = master.live_workers(folder)
        rollout, reason = self._rollout(deployment, observed, workers)
        return Workload(
            target=replace(target, uid=deployment.uid),
            replicas=deployment.replicas,
            ready=len(workers) if master.answers(deployment.server) else 0,
            updated=sum(worker.generation == deployment.generation for worker in workers),
            generation=deployment.generation,
            observed_generation=observed,
            service=deployment.service,
            revision=deployment.current.number,
            revisions=tuple(release.as_revision() for release in deployment.revisions),
            restarted_at=deployment.restarted_at,
            settings=deployment.current.settings,
            rollout=rollout,
            rollout_reason=reason,
        )

    def glance(self, target: Target) -> Workload:
        """Return the deployment: one look is all that any look takes here."""
        return self.workload(target)

    def _rollout(self, deployment: Deployment, observed: int, workers: tuple[Worker, ...]) -> Rollout:
        """Tell a rollout in progress from one that hangs; a worker that dies later is no rollout."""
        updated = sum(worker.generation == deployment.generation for worker in workers)
        counts = f"{updated} of {deployment.replicas} workers run generation {deployment.generation}"
        if observed < deployment.generation:
            counts = f"generation {deployment.generation} was not taken in yet, the master runs {observed}"
        elif len(workers) > updated:
            counts = f"{counts}, {len(workers) - updated} of an older one are left"
        elif updated == deployment.replicas:
            return "complete", ""
        late = self._clock.now() - deployment.changed_at > self._rollout_deadline
        if not late:
            return "progressing", counts
        if observed == deployment.generation and len(workers) == updated > 0:
            return "complete", ""
        return "failed", f"{counts} after {self._rollout_deadline.total_seconds():g}s (see {LOG})"


class HistoryReader:
    """Tells who changed a deployment, from its history."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return releases, scalings, restarts and rollbacks since then, newest first."""
        deployment = load_deployment(_found(self._root, target))
        return tuple(
            ChangeEvent(at=event.at, who=event.who, what=event.what, ours=event.who == ENGINE)
            for event in deployment.events
            if event.at >= since
        )


class LogFileReader:
    """Shows the end of a master's log."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the last lines of the log that master, workers and application share, those before a crash too."""
        path = _found(self._root, target) / LOG
        try:
            with path.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - MOST_LOG_BYTES))
                text = stream.read(MOST_LOG_BYTES).decode(errors="replace")
        except OSError as error:
            raise Unreadable(f"the log of {target}, {path}, cannot be read: {error.strerror}") from error
        wanted = max(0, min(lines, MOST_LOG_LINES))
        return (LogExcerpt(name=LOG, lines=tuple(text.splitlines()[-wanted:]) if wanted else ()),)


def not_running(deployment: Deployment, folder: Path) -> str:
    """Return the sentence for a deployment whose master is gone."""
    return f"no gunicorn master serves {deployment} (see {folder / LOG} for why it ended, and start it again)"


def _found(root: Path, target: Target) -> Path:
    """History and logs are evidence: a target without any is unreadable, not invalid."""
    try:
        return find_folder(root, target)
    except InvalidTarget as error:
        raise Unreadable(str(error)) from error
