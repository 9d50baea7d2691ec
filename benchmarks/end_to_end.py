"""End to end: from the POST of an alert to the requests of its three actions, as they reach another server.

The whole local runner: its web process stores the delivery, its worker decides it, opens a run, and sends three pinned
requests, each after its intent is durable (SQLite, WAL, synchronous=FULL). The floor is one process that reads the same
body and sends the same requests, without matching, journal, guardrails or a second look. Both are asked in turns.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import urllib3

from benchmarks.bare_server import ACTIONS
from benchmarks.servers import free_port, serving, started
from benchmarks.timing import table

SINGLES, QUICK_SINGLES = 200, 30
BURSTS, QUICK_BURSTS = {100: 5, 1000: 1}, {100: 1}
GOALS = {100: 1.5, 1000: 1.3}
WARM_UP = 3
LONGEST = 240.0  # seconds
HEADERS = {"Content-Type": "application/json"}
TAKEN = (200, 202)  # another engine may have no better word than the first
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: bench}
clusters: [local]
adapters: {requests: {adapter: http}}
scopes: {bench: {source: alertmanager}}
teams: {team-bench: {receiver: nobody}}
receivers: {nobody: {adapter: console}}
targets: ["request=*"]
modeCeiling: auto
storm: {maxTargets: 1000, within: 1s}
limits: {maxOpenExecutions: 100000}
web: {enabled: false}
requests:
"""
REQUEST = """\
  {action}:
    method: POST
    url: {sink}/{action}/{{{{ parameters.service }}}}
    body: {{why: bench}}
    parameters: [service]
    approval: none
    effect: {{says: tells the sink, repeat: declarative, changes: service}}
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: three-actions, owner: team-bench}
matchers: [alertname = Bench]
inputs: {service: {type: workload, from: alert.labels.service}}
target: none
mode: auto
guardrails: {cooldown: 1s, deadline: 30m}
steps:
"""
STEP = """\
  - name: {action}
    action: http
    with: {{request: {action}, arguments: {{service: "{{{{ inputs.service }}}}"}}}}
    compensate: never
"""


class Took(NamedTuple):
    """Seconds from the POST to the requests, of one alert or of all of one body."""

    first: float
    last: float


class Stage(NamedTuple):
    """Where a body is posted, and where its effects are counted."""

    hook: str
    sink: str
    pool: urllib3.PoolManager

    def post(self, services: Sequence[str]) -> Took:
        """Post one alert for each service, and wait until every action of each was seen."""
        body = json.dumps({"alerts": [_told(service) for service in services]}).encode()
        wanted = {f"/{action}/{service}" for action in ACTIONS for service in services}
        began = time.perf_counter()
        answer = self.pool.request("POST", self.hook, body=body, headers=HEADERS)
        if answer.status not in TAKEN:
            raise RuntimeError(f"{self.hook} answered {answer.status}: {answer.data[:300]!r}")
        seen = self._await(wanted)
        firsts = [at for path, at in seen.items() if path.startswith(f"/{ACTIONS[0]}/")]
        return Took(min(firsts) - began, max(seen[path] for path in wanted) - began)

    def _await(self, wanted: set[str]) -> dict[str, float]:
        """Ask the sink every now and then: seldom, since asking costs what is measured."""
        limit, pause = time.monotonic() + LONGEST, 0.03 if len(wanted) < 10 else 0.2
        seen: dict[str, float] = {}
        while time.monotonic() < limit:
            time.sleep(pause)
            seen = json.loads(self.pool.request("GET", f"{self.sink}/seen").data)
            if wanted <= seen.keys():
                self.pool.request("DELETE", f"{self.sink}/seen")
                return seen
        raise RuntimeError(f"{len(wanted - seen.keys())} of {len(wanted)} requests never came from {self.hook}")


def run(quick: bool) -> str:
    """Return how long single alerts and bursts take, of the engine and of the floor."""
    with tempfile.TemporaryDirectory() as folder, _stages(Path(folder)) as (engine, floor):
        singles = QUICK_SINGLES if quick else SINGLES
        pairs = [
            (engine.post([f"one-{number}"]), floor.post([f"one-{number}"])) for number in range(WARM_UP + singles)
        ][WARM_UP:]
        bursts = [_burst(engine, floor, size, count) for size, count in (QUICK_BURSTS if quick else BURSTS).items()]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    rows = [
        _row("one alert, first action", [each.first for each in ours], [each.first for each in theirs]),
        _row("one alert, last of three", [each.last for each in ours], [each.last for each in theirs]),
    ]
    head = ("POST to the request", "p50 ms", "floor", "x", "wanted", "p99 ms", "floor", "x", "wanted")
    crowd = table(("alerts in one body", "seconds", "floor", "x", "wanted"), bursts)
    return f"{table(head, rows)}\n\n{crowd}"


def _row(name: str, ours: Sequence[float], theirs: Sequence[float]) -> tuple[object, ...]:
    middles, slowest = (median(ours), median(theirs)), [quantiles(each, n=100)[98] for each in (ours, theirs)]
    return (
        *(name, middles[0] * 1e3, middles[1] * 1e3, middles[0] / middles[1], "<= 3"),
        *(slowest[0] * 1e3, slowest[1] * 1e3, slowest[0] / slowest[1], "<= 4"),
    )


def _burst(engine: Stage, floor: Stage, size: int, count: int) -> tuple[object, ...]:
    taken = []
    for number in range(count):
        services = [f"burst-{size}-{number}-{at}" for at in range(size)]
        taken.append((engine.post(services).last, floor.post(services).last))
    ours, theirs = (median(each[side] for each in taken) for side in (0, 1))
    return size, ours, theirs, ours / theirs, f"<= {GOALS[size]}"


def _told(service: str) -> dict[str, object]:
    return {"status": "firing", "labels": {"alertname": "Bench", "service": service, "severity": "critical"}}


@contextmanager
def _stages(folder: Path) -> Iterator[tuple[Stage, Stage]]:
    """Run the sink, the floor and the engine until the block ends."""
    sinks, bare, port = free_port(), free_port(), free_port()
    sink, pool = f"http://127.0.0.1:{sinks}", urllib3.PoolManager(maxsize=1, retries=False, timeout=60)
    with (
        started([sys.executable, "-m", "benchmarks.sink", str(sinks)], sinks),
        started([sys.executable, "-m", "benchmarks.bare_server", str(bare), sink], bare),
        runner(folder, sink, port),
    ):
        yield (
            Stage(f"http://127.0.0.1:{port}/hooks/bench", sink, pool),
            Stage(f"http://127.0.0.1:{bare}/", sink, pool),
        )


@contextmanager
def runner(folder: Path, sink: str, port: int) -> Iterator[None]:
    """Run `runbook serve` with a runbook of three requests, and stop it as a service manager does."""
    runbooks = folder / "runbooks"
    runbooks.mkdir()
    pinned = "".join(REQUEST.format(action=action, sink=sink) for action in ACTIONS)
    (runbooks / "engine.yaml").write_text(CONFIG + pinned)
    (runbooks / "three.yaml").write_text(RUNBOOK + "".join(STEP.format(action=action) for action in ACTIONS))
    command = [sys.executable, "-m", "runbook_engine.entrypoints.serve", "--runbooks", str(runbooks)]
    given = ["--state", str(folder / "state"), "--port", str(port)]
    with serving([*command, *given], port, folder / "serve.log"):
        yield
