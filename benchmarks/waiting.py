"""Waiting: many runs that wait at once, a neighbour that hangs, and what must stay in order meanwhile.

The real worker and its threads over the real journal (SQLite, WAL, synchronous=FULL); only the world is simulated. A
wait is that of a change that takes 20 ms to arrive; the ideal is the waiting alone, which costs nobody anything.
"""

from __future__ import annotations

import io
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from benchmarks.deliveries import sqlite_journal
from benchmarks.timing import table
from benchmarks.waiting_actions import HELD, IN_ORDER, INCIDENTS, WAIT, WAITS, Site, engine_of
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.deciding import Deciding
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.worker import Worker
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.delivery import Request
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Journal

ASLEEP, QUICK_ASLEEP = 10_000, 500
STUCK, QUICK_STUCK = 30.0, 1.0  # seconds
NEIGHBOURS, QUICK_NEIGHBOURS = 150, 8
PACE = 0.12  # seconds between two of them
KEYS, QUICK_KEYS = 24, 4
LONGEST = 120.0


class Usage(NamedTuple):
    """What a process holds."""

    threads: int
    resident: float  # kB


def run(quick: bool) -> str:
    """Return how long waiting takes and what it holds, and count what came out of order."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        took = _crowd(place / "crowd")
        asleep = QUICK_ASLEEP if quick else ASLEEP
        grown = _asleep(place / "asleep", asleep)
        alone, beside = _neighbours(place, QUICK_STUCK if quick else STUCK, QUICK_NEIGHBOURS if quick else NEIGHBOURS)
        counts = _in_order(place / "order", QUICK_KEYS if quick else KEYS)
    ideal = WAITS * WAIT.total_seconds()
    name = f"{INCIDENTS} incidents x {WAITS} waits of {WAIT.total_seconds() * 1e3:.0f} ms"
    rows = [
        (f"{name}: ms, x ideal", took * 1e3, took / ideal, "<= 1.15"),
        (f"{asleep:,} runs that wait: threads, kB each", grown.threads, grown.resident / asleep, "<= 32, <= 4"),
        ("one adapter hangs: p99 of the others, ms, x without", beside * 1e3, beside / alone, "<= 1.5"),
    ]
    counted = table(("counted", "measured", "goal"), [(what, count, "0") for what, count in counts.items()])
    return f"{table(('waiting', 'measured', 'x, or each', 'goal'), rows)}\n\n{counted}"


def _crowd(folder: Path) -> float:
    """Return how long it takes until all of a crowd have waited three times."""
    with _site(folder) as (site, engine):
        for number in range(INCIDENTS):
            engine.ingest(_request("Waits", f"service-{number}"))
        started = time.perf_counter()
        with _worker(engine):
            _await(lambda: len(site.ended) == INCIDENTS)
        return max(site.ended.values()) - started


def _asleep(folder: Path, count: int) -> Usage:
    """Return what the worker holds, more than before, while so many runs wait."""
    with _site(folder) as (_, engine):
        [opened] = engine.ingest(_request("Sleeps", "service-0")).opened
        with _worker(engine):
            _await(lambda: engine.journal.load(opened).status == "waiting")
        _fill(engine.journal, engine.journal.load(opened), count)
        before = _usage()
        with _worker(engine):
            time.sleep(2.0)
            during = _usage()
        assert engine.journal.counts()["executions.waiting"] == count
    return Usage(during.threads, max(0.0, during.resident - before.resident))


def _fill(journal: Journal, slept: Execution, count: int) -> None:
    """Store copies of a run that waits, each for a target of its own."""
    numbers = range(1, count)
    copies = [
        replace(slept, id=f"{slept.id}-{number}", slot=f"{slept.slot}-{number}", version=0, lease=None)
        for number in numbers
    ]
    for at in range(0, len(copies), 500):
        journal.record(Intake(opened=tuple(copies[at : at + 500])))


def _neighbours(place: Path, stuck: float, count: int) -> tuple[float, float]:
    """Return the 99th percentile of a run from its alert to its last change, without and with one that hangs."""
    slowest = []
    for name, hangs in (("alone", 0.0), ("beside", stuck)):
        with _site(place / name) as (site, engine), _worker(engine) as worker:
            if hangs:
                site.hang.clear()
                engine.ingest(_request("Hangs", HELD))
                worker.wake()
                _await(lambda site=site: site.hanging)  # type: ignore[misc]
            began = {}
            for number in range(count):
                service = f"service-{number}"
                began[service] = time.perf_counter()
                engine.ingest(_request("Waits", service))
                worker.wake()
                time.sleep(PACE)
            _await(lambda site=site, began=began: began.keys() <= site.ended.keys())  # type: ignore[misc]
            time.sleep(max(0.0, hangs - count * PACE))
            site.hang.set()
            slowest.append(quantiles([site.ended[each] - at for each, at in began.items()], n=100)[98])
    return slowest[0], slowest[1]


def _in_order(folder: Path, keys: int) -> dict[str, int]:
    """Post the alerts of a few targets at once, three runbooks each, and count what came out of order."""
    decided: list[str] = []
    with _site(folder) as (site, engine), _worker(engine) as worker:
        log = io.StringIO()

        def note(receipt: Receipt) -> None:
            decided.extend(receipt.opened)
            worker.wake()

        deciding = Deciding(engine=engine, clock=SystemClock(), log=EventLog(log), stop=worker.stop, decided=note)
        deciding.start()
        with ThreadPoolExecutor(4) as posting:
            list(posting.map(lambda number: engine.accept(_request("Crowded", f"service-{number}")), range(keys)))
        _await(lambda: len(site.changes) == len(IN_ORDER) * keys * WAITS)
        numbers = [msgspec.json.decode(line)["delivery"] for line in log.getvalue().splitlines() if "decided" in line]
    return {
        "deliveries decided before one that was stored earlier": _inversions(numbers),
        "changes of one target while another was under way": site.overlaps,
        "changes of one run before those of an earlier step": site.inversions(),
        "runs of one target that went before an earlier one": site.overtakings(decided),
    }


def _inversions(numbers: Sequence[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))


@contextmanager
def _site(folder: Path) -> Iterator[tuple[Site, Engine]]:
    folder.mkdir()
    journal = sqlite_journal(folder / "journal.sqlite3")
    site = Site()
    yield site, engine_of(journal, site)
    journal.close()


@contextmanager
def _worker(engine: Engine) -> Iterator[Worker]:
    """Run a worker in a thread until the block ends."""
    worker = Worker(engine=engine, clock=SystemClock(), log=EventLog(io.StringIO(), least="error"), owner="bench")
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.set()
        worker.wake()
        thread.join()


def _await(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < limit, "what was waited for never came"
        time.sleep(0.005)


def _usage() -> Usage:
    return Usage(threading.active_count(), int(Path("/proc/self/statm").read_text().split()[1]) * 4.0)


def _request(name: str, service: str) -> Request:
    labels = {"alertname": name, "severity": "critical", "service": service}
    body = msgspec.json.encode({"version": "4", "alerts": [{"status": "firing", "labels": labels}]})
    return Request("bench", "alertmanager", {"content-type": "application/json"}, body, datetime.now(UTC))
