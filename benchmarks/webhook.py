"""Webhooks over HTTP: the same alerts posted to the engine's own server and to a real Alertmanager; and too many.

Bodies of a hundred alerts, half of them seen before; a thousand runbooks, and as many sibling routes. Both servers
run in processes of their own and are asked by one client in turn; what counts is the CPU that they spend.
Alertmanager keeps alerts in memory, and calls nobody while this runs: it decodes, routes and groups. The front door of
the engine reads and stores; whoever decides matches and opens executions besides, in a process of its own in
production, in the same one here, so that all of it is counted.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import msgspec
import urllib3

from benchmarks import deliveries
from benchmarks.timing import table
from runbook_engine.entrypoints.backlog import MOST_WAITING
from runbook_engine.matching.placement import Entry
from runbook_engine.model.matcher import Matcher

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
SIZE = 100
BODIES, QUICK_BODIES = 60, 12
TICKS = os.sysconf("SC_CLK_TCK")
UNLIMITED = 10_000_000


class Cost(msgspec.Struct, frozen=True):
    """What one server took."""

    cpu: float  # seconds an alert
    middle: float  # seconds a body


def run(*, quick: bool = False) -> str:
    """Return what both servers cost, and what happens when nobody decides."""
    entries = deliveries.entries()
    told = deliveries.half_new(entries, SIZE, QUICK_BODIES if quick else BODIES)
    with tempfile.TemporaryDirectory() as folder:
        bodies = deliveries.bodies(told)
        with _engine(Path(folder) / "stored.sqlite3", UNLIMITED) as (pid, address):
            stored = _cost(pid, f"{address}/hooks/bench", bodies)
        with _engine(Path(folder) / "decided.sqlite3", UNLIMITED, "deciding") as (pid, address):
            decided = _cost(pid, f"{address}/hooks/bench", bodies, lambda: _await_empty(address))
        theirs = _alertmanager_cost(Path(folder), entries, told)
        pressed = _under_pressure(Path(folder) / "pressed.sqlite3", entries)
    rows = [
        ("engine, stored on disk", *_said(stored, theirs), ">= 3"),
        ("engine, stored and decided", *_said(decided, theirs), "-"),
    ]
    if theirs:
        rows.append(("Alertmanager, in memory", 1 / theirs.cpu, theirs.middle * 1e3, 1.0, "-"))
    return table(("server", "alerts a CPU s", "p50 ms", "x Alertmanager", "goal"), rows) + f"\n\n{pressed}"


def _said(ours: Cost, theirs: Cost | None) -> tuple[float, float, float | str]:
    return 1 / ours.cpu, ours.middle * 1e3, theirs.cpu / ours.cpu if theirs else "-"


def _cost(pid: int, address: str, bodies: Sequence[bytes], rest: Callable[[], None] = lambda: None) -> Cost:
    """Post all bodies one after the other, and wait until it rests; the first two are not measured."""
    pool = urllib3.PoolManager(maxsize=1)
    walls: list[float] = []
    for number, body in enumerate(bodies):
        if number == 2:
            spent = _cpu(pid)
        started = time.perf_counter()
        answer = pool.request("POST", address, body=body, headers={"Content-Type": "application/json"})
        walls.append(time.perf_counter() - started)
        if answer.status not in (200, 202):
            raise RuntimeError(f"{address} answered {answer.status}: {answer.data[:200]!r}")
    rest()
    return Cost((_cpu(pid) - spent) / (len(bodies) - 2) / SIZE, median(walls[2:]))


def _under_pressure(journal: Path, entries: Sequence[Entry]) -> str:
    """Post new alerts while nobody decides, until the server takes no more; then count what it stored."""
    told = deliveries.half_new(entries, SIZE, MOST_WAITING // SIZE + 500)  # the count is believed for a second
    pool = urllib3.PoolManager(maxsize=1, retries=False)
    paces: list[float] = []
    with _engine(journal, UNLIMITED) as (_, address):
        for body in deliveries.bodies(told):
            started = time.perf_counter()
            answer = pool.request(
                "POST", f"{address}/hooks/bench", body=body, headers={"Content-Type": "application/json"}
            )
            if answer.status != 202:
                break
            paces.append(time.perf_counter() - started)
    with closing(deliveries.sqlite_journal(journal)) as stored:
        kept = stored.inbox.fill().alerts
    third = max(1, len(paces) // 3)
    rows = [
        ("alerts that wait before the bound", kept, f">= {MOST_WAITING}"),
        ("answer, and Retry-After", f"{answer.status}, {answer.headers.get('Retry-After', 'none')}", "503, seconds"),
        ("acknowledged and not stored", len(paces) * SIZE - kept, "0"),
        ("pace of the last third, of the first", median(paces[:third]) / median(paces[-third:]), ">= 0.8"),
    ]
    return table(("nobody decides", "measured", "wanted"), rows)


def _alertmanager_cost(folder: Path, entries: Sequence[Entry], told: Sequence[list[deliveries.Told]]) -> Cost | None:
    if ALERTMANAGER is None:
        return None
    config = folder / "alertmanager.json"  # JSON is YAML
    config.write_text(json.dumps(_routes(entries)))
    port = _free_port()
    command = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]
    with _started(command, port) as pid:
        return _cost(pid, f"http://127.0.0.1:{port}/api/v2/alerts", [_posted(each) for each in told])


def _posted(told: Sequence[deliveries.Told]) -> bytes:
    """Return alerts as Prometheus posts them to Alertmanager; their begin is now, or they would be over."""
    begin = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    names = ("labels", "annotations", "generatorURL")
    return msgspec.json.encode([{**{name: each[name] for name in names}, "startsAt": begin} for each in told])


def _routes(entries: Sequence[Entry]) -> dict[str, object]:
    routes = [{"matchers": [_matcher(one) for one in entry.matchers], "continue": True} for entry in entries]
    waits = {"group_wait": "1h", "group_interval": "1h", "repeat_interval": "4h", "group_by": ["alertname"]}
    return {"route": {"receiver": "nobody", **waits, "routes": routes}, "receivers": [{"name": "nobody"}]}


def _matcher(matcher: Matcher) -> str:
    return f"{matcher.name}{matcher.op}{json.dumps(matcher.value)}"


@contextmanager
def _engine(journal: Path, most_open: int, *words: str) -> Iterator[tuple[int, str]]:
    port = _free_port()
    with _started(
        [sys.executable, "-m", "benchmarks.webhook_server", str(port), str(journal), str(most_open), *words], port
    ) as pid:
        yield pid, f"http://127.0.0.1:{port}"


@contextmanager
def _started(command: Sequence[str], port: int) -> Iterator[int]:
    """Run a server until the block ends."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(port)
            yield server.pid
        finally:
            server.terminate()


def _await_empty(address: str) -> None:
    """Wait until all that was stored is decided."""
    while b"runbook_inbox_deliveries 0.0" not in urllib3.request("GET", f"{address}/metrics").data:
        time.sleep(0.2)


def _await(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _cpu(pid: int) -> float:
    """Return the CPU seconds that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(_cpu(int(child)) for child in children)
