"""The adapters of one machine together, on the checkout service: what they change is what they then measure."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_adapters import files, process, scrape
from runbook_adapters.process.master import master_pid
from runbook_engine.errors import Unreadable
from runbook_engine.model.configuration import Configuration, SeriesRule
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext
from tests.lab import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2] / "apps" / "checkout"
TARGET = Target("deployment", "local", "apps", "checkout")
FLAG = Target("parameter", "local", "", "/checkout/degraded_mode")
ERROR_RATIO = SeriesRule(
    name="checkout:error_ratio",
    kind="ratio",
    metric="checkout_errors_total",
    over="checkout_requests_total",
    window=timedelta(seconds=1),
)


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Platform:
    """The checkout service under gunicorn, a flag store, traffic, and the adapters that look and touch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.deployment = folder / "deployments" / "checkout"
        self.port = free_port()
        self.answers: list[int] = []
        context = AdapterContext(
            clock=SystemClock(),
            configuration=Configuration(series=(ERROR_RATIO,)),
            base=folder,
            state=folder,
            secret=lambda reference: reference.env,
        )
        self.cluster = process.ADAPTER.build("cluster", process.ProcessSettings(folder="deployments"), context)
        self.flags = files.ADAPTER.build("flags", files.FilesSettings(path="flags.json"), context)
        url = f"http://127.0.0.1:{self.port}/metrics"
        self.metrics = scrape.ADAPTER.build("metrics", scrape.ScrapeSettings(url=url), context).reader
        self.master = 0

    def start(self) -> None:
        (self.folder / "flags.json").write_text(
            '{"flags": {"/checkout/degraded_mode": {"value": "false", "version": 1}}}'
        )
        process.create_deployment(
            self.deployment,
            namespace="apps",
            name="checkout",
            server=process.Server(
                application="wsgi:app",
                bind=f"127.0.0.1:{self.port}",
                source=str(CHECKOUT),
                ready_path="/healthz/ready",
            ),
            settings=self.settings(),
            now=datetime.now(UTC),
        )
        self.master = process.start_master(self.deployment).pid

    def settings(self, **settings: str) -> dict[str, str]:
        return {"FLAG_STORE": str(self.folder / "flags.json"), "FLAG_TTL": "0.05", **settings}

    def release(self, name: str, **settings: str) -> None:
        process.release(self.deployment, name, self.settings(**settings), by="ci/alice", now=datetime.now(UTC))

    def settle(self) -> None:
        self.until(lambda: self.cluster.reader.workload(TARGET).rollout == "complete")

    def error_ratio(self) -> float | None:
        """Return the measured ratio, None when there is no figure."""
        try:
            found = self.metrics.query("checkout:error_ratio", {}, datetime.now(UTC))
        except Unreadable:
            return None
        return found[0].value if found else None

    def until(self, holds: Callable[[], bool], within: float = PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, (self.error_ratio(), self.answers[-20:])
            time.sleep(0.1)

    def visit(self, stop: threading.Event) -> None:
        """Buy something, again and again."""
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("GET", "/checkout")
                self.answers.append(connection.getresponse().status)
            except (OSError, http.client.HTTPException):
                self.answers.append(0)
            finally:
                connection.close()
            time.sleep(0.02)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A healthy service under a little traffic."""
    platform = Platform(tmp_path)
    platform.start()
    stop = threading.Event()
    visitor = threading.Thread(target=platform.visit, args=(stop,))
    visitor.start()
    yield platform
    stop.set()
    visitor.join()
    os.killpg(platform.master, signal.SIGKILL)
    os.waitpid(platform.master, 0)


def test_errors_end_when_the_flag_is_written(platform):
    """A release that breaks an optional feature is healed by the flag that switches the features off."""
    platform.until(lambda: platform.error_ratio() == 0.0)
    platform.release("r2", ERROR_RATE="1")
    platform.until(lambda: platform.error_ratio() == 1.0)

    platform.flags.writer.write(FLAG, "true", expected="false")

    platform.until(lambda: platform.error_ratio() == 0.0)


def test_errors_end_when_the_release_is_rolled_back(platform):
    """Counters survive the reload, so the ratio falls by what is measured; no request fails on the way."""
    platform.release("r2", ERROR_RATE="1")
    platform.until(lambda: platform.error_ratio() == 1.0)

    platform.cluster.writer.rollback(TARGET, 1, expected=2)
    platform.settle()

    platform.until(lambda: platform.error_ratio() == 0.0)
    assert 0 not in platform.answers


def test_master_lives_on_when_workers_crash_in_a_loop(platform):
    """A service whose every request kills a worker is still a deployment that can be rolled back."""
    platform.release("r2", CRASH_RATE="1")
    platform.until(lambda: platform.answers[-5:] == [0] * 5)

    platform.cluster.writer.rollback(TARGET, 1, expected=2)
    platform.settle()

    platform.until(lambda: platform.answers[-5:] == [200] * 5)
    assert master_pid(platform.deployment) == platform.master
