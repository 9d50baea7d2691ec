"""Matching beside Alertmanager: what its own metric says of dispatching an alert to as many sibling routes.

The same rules as routes and as runbooks, the same alerts. Alertmanager's figure is the mean of
`alertmanager_dispatcher_alert_processing_duration_seconds`, which is routing an alert and putting it into its groups;
ours is the mean of a look-up, measured before and after it. Nothing is notified while this runs.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import urllib3

from benchmarks.mixes import Labels, alerts, runbooks
from benchmarks.timing import table
from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
METRIC = "alertmanager_dispatcher_alert_processing_duration_seconds"
SIZES = ((10, 3), (1_000, 15))  # routes, and how many times our cost is wanted at least
ALERTS, QUICK_ALERTS = 3_000, 500
BODY = 100
PATIENCE = 60.0  # seconds until all alerts are dispatched


def run(*, quick: bool = False) -> str:
    """Return what one alert costs on both sides, and the ratio that is wanted."""
    if ALERTMANAGER is None:
        return "Alertmanager is not installed (Debian: apt install prometheus-alertmanager)"
    rows = []
    for size, wanted in SIZES:
        entries = runbooks(size)
        asked = alerts(QUICK_ALERTS if quick else ALERTS, entries)
        before = _ours(entries, asked)
        theirs = _theirs(entries, asked)
        ours = (before + _ours(entries, asked)) / 2
        rows.append((size, ours * 1e6, theirs * 1e6, theirs / ours, f">= {wanted}"))
    return table(("routes", "ours us an alert", "Alertmanager us", "ratio", "goal"), rows)


def _ours(entries: Sequence[Entry], asked: Sequence[Labels]) -> float:
    index = Index.build(entries)
    started = perf_counter()
    for labels in asked:
        index.match(labels)
    return (perf_counter() - started) / len(asked)


def _theirs(entries: Sequence[Entry], asked: Sequence[Labels]) -> float:
    """Return the mean of Alertmanager's own metric over these alerts."""
    pool = urllib3.PoolManager(maxsize=1)
    with _alertmanager(entries) as address:
        for start in range(0, len(asked), BODY):
            body = json.dumps(list(map(_posted, asked[start : start + BODY])))
            answer = pool.request(
                "POST", f"{address}/api/v2/alerts", body=body, headers={"Content-Type": "application/json"}
            )
            if answer.status != 200:
                raise RuntimeError(f"Alertmanager answered {answer.status}: {answer.data[:200]!r}")
        return _mean(pool, f"{address}/metrics", len(asked))


def _mean(pool: urllib3.PoolManager, address: str, wanted: int) -> float:
    """Wait until so many alerts are dispatched. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = pool.request("GET", address).data.decode().splitlines()
        told = dict(line.rsplit(" ", 1) for line in lines if line.startswith(METRIC))
        if (count := float(told[f"{METRIC}_count"])) >= wanted:
            return float(told[f"{METRIC}_sum"]) / count
        time.sleep(0.1)
    raise TimeoutError(f"after {PATIENCE:.0f} s Alertmanager has dispatched {count:.0f} of {wanted} alerts")


def _posted(labels: Labels) -> dict[str, object]:
    return {"labels": labels, "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


@contextmanager
def _alertmanager(entries: Sequence[Entry]) -> Iterator[str]:
    """Run an Alertmanager with a route for each entry until the block ends."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        config = Path(folder) / "alertmanager.json"  # JSON is YAML
        config.write_text(json.dumps(_configuration(entries)))
        command = [str(ALERTMANAGER), f"--config.file={config}", f"--storage.path={folder}/stored"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _await(port)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()


def _configuration(entries: Sequence[Entry]) -> dict[str, object]:
    routes = [
        {"matchers": [f"{one.name}{one.op}{json.dumps(one.value)}" for one in entry.matchers], "continue": True}
        for entry in entries
    ]
    waits = {"group_wait": "1h", "group_interval": "1h", "repeat_interval": "4h", "group_by": ["alertname"]}
    return {"route": {"receiver": "nobody", **waits, "routes": routes}, "receivers": [{"name": "nobody"}]}


def _await(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"Alertmanager does not listen on port {port}")
