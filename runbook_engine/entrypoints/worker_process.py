"""The worker process of `runbook serve`: started by the supervisor, ends with it."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from datetime import timedelta
from types import FrameType

from runbook_engine.entrypoints import parent
from runbook_engine.entrypoints.bell import NOWHERE
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_runner
from runbook_engine.entrypoints.counted_notices import CountedNotices
from runbook_engine.entrypoints.deciding import Deciding
from runbook_engine.entrypoints.launch import Launch, read_launch
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics, watched
from runbook_engine.entrypoints.watching import Watching
from runbook_engine.entrypoints.worker import Worker
from runbook_engine.registry import Registry

YOUNG = 10_000  # things made before garbage is looked for: runs leave hardly any
DECISION_PATIENCE = 5.0  # seconds: a delivery that is cut off is decided by the next worker


def main(arguments: list[str]) -> None:
    """Run the worker until SIGTERM, SIGINT, or the end of the supervisor."""
    launch = read_launch(arguments[0])
    worker, watching, deciding = build_worker(launch)
    _let_be_what_stays()

    def stop(number: int, frame: FrameType | None) -> None:
        worker.stop.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    watching.start()
    deciding.start()
    rested = worker.run(lambda: parent.is_alive(launch.parent) and deciding.is_alive(), timedelta(seconds=launch.grace))
    watching.join()
    rested = deciding.join(DECISION_PATIENCE) and rested
    sys.stderr.flush()
    if not rested:
        os._exit(0)  # a stuck adapter keeps its thread; the next worker looks at its intent, or decides its delivery


def build_worker(launch: Launch) -> tuple[Worker, Watching, Deciding]:
    """Return the worker of a launch, and what watches and decides beside it until the worker is stopped."""
    metrics, log = Metrics(launch.metrics_folder), EventLog(process="worker", pid=os.getpid())
    if metrics.apart:
        log.event("metrics.apart", "warning", says=metrics.apart)
    bundle = launch.bundle()
    metrics.begin(bundle)
    registry = Registry()
    registry.load()
    runner = build_runner(
        launch.settings(),
        registry=registry,
        bundle=bundle,
        watch=lambda journal: watched(journal, metrics.count_commit),
        tell=lambda notifier: CountedNotices(notifier, metrics.notices),
    )
    worker = Worker(
        engine=runner.engine,
        clock=SystemClock(),
        log=log,
        owner=f"worker-{uuid.uuid4()}",
        threads=bundle.configuration.limits.threads,
        pid=os.getpid(),
        beat_file=launch.beat_file,
        count_error=lambda error: metrics.drive_errors.labels(error).inc(),
        count_incident=metrics.count_incident,
    )
    watching = Watching(
        watchers=runner.watchers,
        journal=runner.engine.journal,
        log=log,
        stop=worker.stop,
        seen=lambda kind: metrics.changes_seen.labels(kind).inc(),
    )
    deciding = Deciding(
        engine=runner.engine,
        clock=worker.clock,
        log=log,
        stop=worker.stop,
        decided=lambda receipt: worker.wake(),
        rest=launch.bell.wait if launch.bell.hears != NOWHERE else worker.stop.wait,
    )
    worker.is_behind = deciding.is_behind
    return worker, watching, deciding


def _let_be_what_stays() -> None:
    """Let nobody look for garbage in what was loaded: it stays, and looking through it took a twelfth of every run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)


if __name__ == "__main__":
    main(sys.argv[1:])
