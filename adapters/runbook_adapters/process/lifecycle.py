"""What people and pipelines do to a deployment of this machine: create it, start it, release to it, stop it."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import structs

from runbook_adapters import disk
from runbook_adapters.process import master
from runbook_adapters.process.deployment import (
    Deployment,
    Event,
    Release,
    Server,
    judged,
    next_release,
    released,
)
from runbook_adapters.process.folder import CONFIGURATION, LOG, METRICS, STATE, load_deployment, store_deployment
from runbook_engine.errors import Conflict, Permanent

START_TIME_LIMIT = timedelta(seconds=20)
STOP_TIME_LIMIT = timedelta(seconds=10)


def create_deployment(
    folder: Path,
    *,
    namespace: str,
    name: str,
    server: Server,
    service: str = "",
    replicas: int = 2,
    release: str = "r1",
    settings: Mapping[str, str] | None = None,
    by: str = "setup",
    now: datetime,
) -> Deployment:
    """Make a folder a deployment, its first revision included. Raises Conflict when it is one already."""
    folder.mkdir(parents=True, exist_ok=True)
    first = Release(number=1, release=release, settings=dict(settings or {}), released_at=now, summary=release)
    identity = f"{namespace}/{name}@{now.isoformat()}"
    deployment = Deployment(
        uid=hashlib.sha256(identity.encode()).hexdigest()[:16],
        namespace=namespace,
        name=name,
        service=service or name,
        server=structs.replace(server, source=str(Path(server.source).resolve())),
        replicas=replicas,
        generation=1,
        changed_at=now,
        revisions=(first,),
        events=(Event(at=now, who=by, what=f"created with release {release}"),),
    )
    with disk.locked(folder / STATE):
        if (folder / STATE).exists():
            raise Conflict(f"{folder} already is a deployment; remove the folder to start afresh")
        store_deployment(folder, deployment)
    return deployment


def start_master(
    folder: Path, *, python: str = sys.executable, time_limit: timedelta = START_TIME_LIMIT
) -> subprocess.Popen[bytes]:
    """Start the gunicorn master and wait until every worker has loaded the application.

    The master leads a process group of its own. The workers' shared counters are emptied: left-over files of dead
    workers would be added to the new ones. It keeps no bytecode: Python tells a configuration by its second and its
    size, so of two that are written within a second the master would load the first one twice. Raises Permanent with
    the end of the log when it does not come up.
    """
    deployment = load_deployment(folder)
    if master.master_pid(folder) is not None:
        raise Conflict(f"{deployment} is running already; stop it first")
    shutil.rmtree(folder / METRICS, ignore_errors=True)
    (folder / METRICS).mkdir()
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [python, "-m", "gunicorn", "--config", str((folder / CONFIGURATION).resolve())],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    if _within(time_limit, lambda: process.poll() is not None or _is_up(folder)) and process.poll() is None:
        return process
    _kill_group(process.pid)
    process.wait()
    raise Permanent(f"{deployment} did not start; the end of {folder / LOG}:\n{_last_lines(folder / LOG)}")


def stop_master(folder: Path, *, time_limit: timedelta = STOP_TIME_LIMIT) -> None:
    """End the master and its workers, gracefully first; nothing happens when it is not running."""
    pid = master.master_pid(folder)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    if not _within(time_limit, lambda: master.master_pid(folder) is None):
        _kill_group(pid)


def release(folder: Path, name: str, settings: Mapping[str, str], *, by: str, now: datetime) -> Deployment:
    """Release a version with its settings, as a person or a pipeline does; a running master rolls to it."""
    with disk.locked(folder / STATE):
        live = load_deployment(folder)
        wanted = released(live, next_release(live, name, settings, now=now), f"release {name}", by=by)
        store_deployment(folder, wanted)
        pid = master.master_pid(folder)
        if pid is not None:
            master.reload(folder, pid, wanted.generation)
    return wanted


def mark_healthy(folder: Path, *, healthy: bool = True) -> Deployment:
    """Record that the running revision has proved itself (or has not); nothing is restarted."""
    with disk.locked(folder / STATE):
        wanted = judged(load_deployment(folder), healthy=healthy)
        store_deployment(folder, wanted)
    return wanted


def _is_up(folder: Path) -> bool:
    deployment = load_deployment(folder)
    if master.master_pid(folder) is None:
        return False
    workers = [worker for worker in master.live_workers(folder) if worker.generation == deployment.generation]
    return len(workers) == deployment.replicas


def _within(limit: timedelta, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + limit.total_seconds()
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _last_lines(path: Path, lines: int = 40) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
