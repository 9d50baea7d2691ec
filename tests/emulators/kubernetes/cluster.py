"""The fake cluster: the server, its controllers and what a test needs to arrange and inspect them."""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.emulators.kubernetes.access import ADMINISTRATORS, Access
from tests.emulators.kubernetes.api import Api
from tests.emulators.kubernetes.arranging import Arranging
from tests.emulators.kubernetes.clock import Clock
from tests.emulators.kubernetes.context import Context, Runtime
from tests.emulators.kubernetes.faults import Faults
from tests.emulators.kubernetes.kubeconfig import write_kubeconfig
from tests.emulators.kubernetes.loop import CONTROLLERS, Loop
from tests.emulators.kubernetes.registry import Registry
from tests.emulators.kubernetes.requestlog import RequestLog
from tests.emulators.kubernetes.server import ApiServer
from tests.emulators.kubernetes.settings import Settings
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.tls import server_context
from tests.emulators.kubernetes.trees import Tree

__all__ = ["CONTROLLERS", "FakeCluster"]

_COUNTS = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
_DAEMON_COUNTS = ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class FakeCluster(Arranging):
    """A cluster that a test owns. As a context manager it starts, and stops leaving no thread behind."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        background: bool = True,
        tls: bool = False,
        authenticate: bool = False,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = Clock()
        store = Store(self.settings.watch_history)
        registry = Registry(store, self.clock)
        super().__init__(Context(registry, store, self.clock, self.settings, Runtime()))
        self.access = Access(required=authenticate)
        self.faults = Faults()
        self.log = RequestLog()
        self.loop = Loop(self.context)
        self._folder = tempfile.TemporaryDirectory(prefix="emulated-kubernetes-") if tls else None
        secure = server_context(Path(self._folder.name)) if self._folder else None
        self.server = ApiServer(
            Api(self.registry, self.access, self.settings, self.runtime), self.faults, self.log, secure
        )
        self._background = background
        self._returning: threading.Thread | None = None
        for name in _NAMESPACES:
            self.namespace(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        self.server.start()
        if self._background:
            self.loop.start()

    def close(self) -> None:
        if self._returning:
            self._returning.join()
        self.loop.stop()
        self.server.stop()
        if self._folder:
            self._folder.cleanup()

    def restart(self, away: float = 0.2) -> threading.Thread:
        """Take the socket away and bring it back later on the same port; join the thread to wait for it."""
        self.server.stop()

        def back() -> None:
            time.sleep(away)
            self.server.start()

        self._returning = threading.Thread(target=back, name="kubernetes-restart")
        self._returning.start()
        return self._returning

    @property
    def url(self) -> str:
        return f"{'https' if self._folder else 'http'}://127.0.0.1:{self.server.port}"

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def ca_file(self) -> Path | None:
        return Path(self._folder.name) / "ca.crt" if self._folder else None

    @property
    def images(self) -> dict[str, str]:
        """How images behave: pattern to behaviour. Change it under the lock or before pods start."""
        return self.runtime.images

    def step(self) -> None:
        """Run every controller once, whatever its interval."""
        self.loop.step()

    def settle(self, limit: float = 90) -> None:
        """Step until a few rounds in a row changed nothing and no pod is about to change."""
        ends, quiet = time.monotonic() + limit, 0
        longest = max(self.settings.pod_start, self.settings.pod_ready, self.settings.pod_stop) / 1000
        since = time.monotonic()
        while time.monotonic() < ends:
            before = self.store.revision
            self.step()
            if self.store.revision != before:
                quiet, since = 0, time.monotonic()
            quiet += 1
            if quiet > 2 and time.monotonic() - since > longest + 0.02:
                return
            time.sleep(0.005)
        raise AssertionError(f"the cluster did not settle within {limit} s")

    def wait(self, condition: Callable[[], Any], timeout: float = 90, what: str = "the condition") -> Any:
        """Wait for a condition, stepping when no thread does, and return what it answered."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends:
            self.loop.check()
            with self.store.lock:
                found = condition()
            if found:
                return found
            if not self.loop.running:
                self.step()
            time.sleep(0.005)
        raise AssertionError(f"{what} did not come true within {timeout} s")

    def wait_rollout(
        self, name: str, namespace: str = "default", plural: str = "deployments", timeout: float = 90
    ) -> Tree:
        """Wait until a workload is observed, rolled out and ready."""
        return self.wait(lambda: self.ready(plural, name, namespace), timeout, f"the rollout of {plural}/{name}")  # type: ignore[no-any-return]

    def ready(self, plural: str, name: str, namespace: str = "default") -> Tree | None:
        """Return a workload when all its pods are updated, ready and observed."""
        item = self.get(plural, name, namespace)
        status, spec = item.get("status", {}), item["spec"]
        if status.get("observedGeneration", 0) < item["metadata"]["generation"]:
            return None
        if plural == "daemonsets":
            counts = {status.get(each, 0) for each in _DAEMON_COUNTS}
            return item if len(counts) == 1 else None
        counts = {status.get(each, 0) for each in _COUNTS}
        return item if counts == {spec["replicas"]} else None

    def pause_controller(self, name: str) -> None:
        """Stop one controller; see CONTROLLERS for names."""
        self.loop.paused.add(_known(name))

    def resume_controller(self, name: str) -> None:
        self.loop.paused.discard(_known(name))

    def expire_watches(self) -> None:
        """Forget history, so that watches and continue tokens of before answer 410."""
        with self.store.lock:
            self.store.forget()

    def token(self, user: str, groups: Sequence[str] = ()) -> str:
        """Return a bearer token of a user."""
        return self.access.token(user, tuple(groups))

    def kubeconfig(self, path: Path, token: str | None = None, namespace: str = "default") -> Path:
        """Write a kubeconfig with one context named "emulator"; without a token it is an administrator's."""
        token = token or self.access.token("system:admin", (ADMINISTRATORS,))
        return write_kubeconfig(path, self.url, token, self.ca_file, namespace)


def _known(name: str) -> str:
    if name not in CONTROLLERS:
        raise KeyError(f"no controller is called {name!r}; there are: {', '.join(CONTROLLERS)}")
    return name
