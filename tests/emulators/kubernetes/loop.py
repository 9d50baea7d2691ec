"""The control loop: one thread that runs every controller at its interval, or a test that steps them."""

import threading
import time
from collections.abc import Callable

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers import (
    daemonset,
    deployment,
    disruption,
    garbage,
    hpa,
    job,
    keda,
    kubelet,
    nodes,
    replicaset,
    scheduler,
    statefulset,
)
from tests.emulators.kubernetes.settings import Settings

Sync = Callable[[Context], None]

# In the order of a step. `timed` ones act by the clock alone; the others look again only after something changed.
CONTROLLERS: dict[str, tuple[Sync, Callable[[Settings], int], bool]] = {
    "garbage": (garbage.sync, lambda settings: settings.controller_sync, False),
    "nodes": (nodes.sync, lambda settings: settings.node_sync, False),
    "keda": (keda.sync, lambda settings: settings.keda_sync, False),
    "hpa": (hpa.sync, lambda settings: settings.hpa_sync, True),
    "deployment": (deployment.sync, lambda settings: settings.controller_sync, False),
    "statefulset": (statefulset.sync, lambda settings: settings.controller_sync, False),
    "daemonset": (daemonset.sync, lambda settings: settings.controller_sync, False),
    "job": (job.sync, lambda settings: settings.controller_sync, False),
    "replicaset": (replicaset.sync, lambda settings: settings.controller_sync, False),
    "scheduler": (scheduler.sync, lambda settings: settings.scheduler_sync, False),
    "kubelet": (kubelet.sync, lambda settings: settings.tick, True),
    "disruption": (disruption.sync, lambda settings: settings.pdb_sync, False),
}
_LOOK_AGAIN = 0.2  # s; deadlines pass without anything changing


class Loop:
    """Runs the controllers."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.paused: set[str] = set()
        self.failure: BaseException | None = None
        self._ran: dict[str, tuple[float, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="kubernetes-controllers")
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        self._thread = None

    def step(self) -> None:
        """Run every controller once."""
        for name in CONTROLLERS:
            self._sync(name)

    def check(self) -> None:
        """Raise what ended the thread, if a controller failed."""
        if self.failure is not None:
            raise AssertionError("a controller of the emulator failed") from self.failure

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.context.settings.tick / 1000):
                for name in filter(self._due, CONTROLLERS):
                    self._sync(name)
        except BaseException as error:
            self.failure = error
            raise

    def _due(self, name: str) -> bool:
        _, interval, timed = CONTROLLERS[name]
        last, revision = self._ran.get(name, (0.0, -1))
        waited = time.monotonic() - last
        if waited * 1000 < interval(self.context.settings):
            return False
        return timed or revision != self.context.store.revision or waited > _LOOK_AGAIN

    def _sync(self, name: str) -> None:
        if name in self.paused:
            return
        with self.context.store.lock:
            before = self.context.store.revision
            CONTROLLERS[name][0](self.context)
            self._ran[name] = (time.monotonic(), before)
