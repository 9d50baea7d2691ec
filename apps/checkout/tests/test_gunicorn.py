"""The service under a real gunicorn: what several workers count adds up, also when one of them is killed."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from apps.checkout.tests.bench import Bench, read_series
from tests.ports import free_port

HERE = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds until a test gives up waiting: no promise about time


class Service:
    """A running gunicorn master with the checkout service."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def get(self, path: str) -> tuple[int, str]:
        """Ask once, on a connection of its own, so that every worker gets its share."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def load(self, count: int) -> Counter[int]:
        """Check out many times, from several clients at once; return how often each code was answered."""
        with ThreadPoolExecutor(4) as clients:
            return Counter(code for code, _ in clients.map(self.get, ["/checkout"] * count))

    def load_until_healthy(self, count: int) -> tuple[Counter[int], Counter[int]]:
        """Check out so many times over and over until none failed; return what was answered before, and then.

        While one thread of a worker reads a setting anew, its others still use the old one; and a worker may be idle
        until then.
        """
        before, deadline = Counter[int](), time.monotonic() + PATIENCE
        while (answers := self.load(count)) != {200: count} and time.monotonic() < deadline:
            before += answers
        return before, answers

    def scrape(self) -> dict[str, float]:
        """Read the metrics."""
        return read_series(self.get("/metrics")[1])

    def wait_until_ready(self) -> None:
        """Wait for the first good answer."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.get("/healthz/ready")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the service did not become ready:\n{self.log.read_text()}")

    def wait_for_starts(self, number: int) -> None:
        """Wait until so many workers have been started in all."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(OSError):
                if self.scrape()["checkout_worker_starts_total"] >= number:
                    return
            time.sleep(0.05)
        raise AssertionError(f"no worker was started anew:\n{self.log.read_text()}")

    def workers(self) -> set[int]:
        """The process ids of the workers, from the log of the master."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        booted = [re.search(r"Booting worker with pid: (\d+)", line["event"]) for line in lines]
        return {int(found.group(1)) for found in booted if found}


def start(folder: Path, **environ: str) -> Service:
    """Start gunicorn with the service's own configuration, on a free port."""
    port = free_port()
    log = folder / "gunicorn.log"
    removed = {"PYTHONDONTWRITEBYTECODE", "PROMETHEUS_MULTIPROC_DIR"}
    inherited = {name: value for name, value in os.environ.items() if name not in removed}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", str(HERE / "gunicorn.conf.py")],
            cwd=folder,
            stderr=stream,
            env={
                **inherited,
                "BIND": f"127.0.0.1:{port}",
                "WORKERS": "2",
                "TMPDIR": str(folder),
                **environ,
            },
        )
    return Service(process, port, log)


@pytest.fixture
def service(bench: Bench) -> Iterator[Service]:
    """Two workers, degraded mode off, no fault, the metrics folder left to the configuration."""
    service = start(
        bench.folder,
        FLAG_STORE=str(bench.flag_store),
        KNOBS_FILE=str(bench.knobs_file),
        FLAG_TTL="0.05",
        RELEASE="r42",
    )
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.process.terminate()
        service.process.wait(timeout=PATIENCE)


def answered(series: dict[str, float]) -> Counter[int]:
    """How often each code was answered, by the service's own account."""
    pattern = re.compile(r'checkout_requests_total\{code="(\d+)"\}')
    return Counter(
        {int(found.group(1)): int(value) for name, value in series.items() if (found := pattern.match(name))}
    )


def test_service_counts_what_its_clients_counted(bench: Bench, service: Service) -> None:
    """Totals equal the client's over two workers, a killed one and its successor; degrading ends the errors."""
    bench.set_knobs(ERROR_RATE="0.5")
    time.sleep(0.6)
    counted = service.load(150)
    before = service.scrape()
    bench.set_flag("true")
    noticing, degraded = service.load_until_healthy(100)
    os.kill(min(service.workers()), signal.SIGKILL)
    service.wait_for_starts(3)
    noticing_again, after_kill = service.load_until_healthy(50)
    after = service.scrape()

    assert counted[502] > 30
    assert answered(before) == counted
    assert before["checkout_errors_total"] == counted[502]
    assert degraded == {200: 100}
    assert after_kill == {200: 50}
    assert answered(after) == counted + noticing + degraded + noticing_again + after_kill
    assert after["checkout_request_duration_seconds_count"] == answered(after).total()
    assert (before["checkout_degraded_mode"], after["checkout_degraded_mode"]) == (0, 1)
    assert after['checkout_release_info{release="r42"}'] == 1
    assert after["checkout_worker_starts_total"] == 3


def test_service_loses_nothing_when_its_workers_are_replaced(bench: Bench, service: Service) -> None:
    """A reload fails no checkout and forgets none."""
    counted = service.load(20)
    service.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while service.scrape()["checkout_worker_starts_total"] < 4 and time.monotonic() < deadline:
        counted += service.load(20)
    counted += service.load(20)

    assert set(counted) == {200}
    assert answered(service.scrape()) == counted


def test_service_counts_on_after_a_worker_was_killed_before_it_counted(bench: Bench, service: Service) -> None:
    """Such a worker leaves an empty file for ever; the scrapes after it must not fail for ever."""
    [folder] = bench.folder.glob("checkout-metrics-*")
    (folder / "counter_1.db").touch()
    counted = service.load(20)

    assert answered(service.scrape()) == counted


def test_service_leaves_no_metrics_folder_behind_when_it_ends(bench: Bench, service: Service) -> None:
    """The folder that the configuration chose is there while the service runs, and gone after it."""
    running = list(bench.folder.glob("checkout-metrics-*"))

    service.process.terminate()
    service.process.wait(timeout=PATIENCE)

    assert len(running) == 1
    assert list(bench.folder.glob("checkout-metrics-*")) == []


def test_service_replaces_a_worker_that_crashed(bench: Bench, service: Service) -> None:
    """A crash costs its request and no more: the next worker answers, and the start is counted."""
    bench.set_knobs(CRASH_RATE="1")
    time.sleep(0.6)
    with pytest.raises(ConnectionError):
        service.load(1)
    bench.set_knobs()
    service.wait_for_starts(3)
    time.sleep(0.6)

    assert [service.get("/checkout")[0] for _ in range(20)] == [200] * 20


def test_service_does_not_start_with_a_bad_knob(tmp_path: Path) -> None:
    """The master ends instead of starting the same worker for ever, and its log says why."""
    service = start(tmp_path, ERROR_RATE="lots")

    code = service.process.wait(timeout=PATIENCE)

    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    reasons = {line["reason"] for line in lines if line["event"] == "cannot_start"}
    assert code == 3
    assert reasons == {'ERROR_RATE="lots" is not a number from 0 to 1: correct it or leave it out'}
