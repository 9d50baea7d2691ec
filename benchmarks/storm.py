"""A storm: ten thousand alerts within a minute through the real front door, while people look at the page.

Five hundred services break, twenty pods of each: five hundred notifications, as Alertmanager groups them, each pod a
target of its own. Counted outside of the engine: what was done to targets, and who was told. Meanwhile the first screen
and /readyz are asked every half second and `runbook incidents` every few; then a person releases the storm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import urllib3

from benchmarks.deliveries import sqlite_journal
from benchmarks.installed import Usage, body, counting, install, most_within, processes, serving, told
from benchmarks.timing import table
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.incident import Arrival
from tests.e2e.runner import Runner

PODS = 20  # of a service: alerts of one notification
SENDERS = 4  # notifications under way at once
LOOK, LIST = 0.5, 5.0  # seconds between looks at the page, and between commands
LONGEST = 600.0  # seconds until all is decided, or driven
RATION, WINDOWS = 50, 2
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: storm, owner: team-bench}
matchers: ["alertname = Storm"]
inputs:
  service: {type: workload, from: alert.labels.service}
  pod: {type: workload, from: alert.labels.pod}
target: {parameter: "/bench/{{ inputs.pod }}"}
mode: auto
guardrails: {cooldown: 30m, deadline: 4h}
steps:
  - {name: touch, action: http, with: {request: touch, arguments: {who: "{{ inputs.pod }}"}}}
"""


class Size(NamedTuple):
    """How large a storm is, and what it meets."""

    name: str
    services: int
    seconds: float  # in which all of it arrives
    window: int  # seconds in which the ration is counted
    room: int  # for how many runs


LONG = (
    Size("10,000 alerts, room for all", 500, 60, 60, 20_000),
    Size("10,000 alerts, room for 1,000 runs", 500, 60, 60, 1_000),
)
QUICK = (Size("400 alerts", 20, 3, 5, 20_000),)


class Looks:
    """How long answers took, by what was asked."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self.failed: Counter[str] = Counter()

    def time(self, what: str, ask: Callable[[], bool]) -> None:
        """Time one question, and count it when it is not answered."""
        started = time.perf_counter()
        answered = ask()
        self.taken.setdefault(what, []).append(time.perf_counter() - started)
        self.failed[what] += not answered

    def rows(self) -> list[tuple[object, ...]]:
        """Return a row of figures for each."""
        return [
            (what, len(seconds), median(seconds) * 1e3, _slow(seconds) * 1e3, max(seconds) * 1e3, self.failed[what])
            for what, seconds in sorted(self.taken.items())
        ]


def run(quick: bool) -> str:
    """Return what became of the alerts, what was changed and told, and how long the page took meanwhile."""
    return "\n\n".join(_storm(size) for size in (QUICK if quick else LONG))


def _storm(size: Size) -> str:
    storm = f"storm: {{maxTargets: {RATION}, within: {size.window}s, calm: 1h, receiver: oncall}}"
    more = f"{storm}\nlimits: {{maxOpenExecutions: {size.room}}}"
    with tempfile.TemporaryDirectory() as folder, counting() as (counted, address):
        settings = install(Path(folder), address, [RUNBOOK], more)
        looks = Looks()
        with serving(settings) as runner:
            with _looking(runner, settings, looks, "during"):
                acknowledged = _post(runner, size)
                decided = _until(lambda: _gauge(runner, "runbook_inbox_deliveries") == 0)
                held = _until(lambda: _gauge(runner, "runbook_executions", 'status="pending"') == 0)
            with _looking(runner, settings, looks, "held"):
                time.sleep(size.window / 2)
            before = sum(counted.effects.values())
            told_of = counted.messages.copy()
            usage = {name: Usage.of(pid).resident >> 20 for name, pid in processes(runner).items()}
            with _looking(runner, settings, looks, "released"):
                _release(runner, settings, size)
        fates = _fates(settings, size)
    expected, begun = size.services * PODS, fates.pop("begun")
    rows = [
        ("alerts acknowledged", acknowledged, expected),
        ("alerts in the journal, each with one fate", fates.pop("one fate"), expected),
        ("alerts without any, or with two", fates.pop("other"), 0),
        *((f"of them {name}", count, "-") for name, count in sorted(fates.items())),
        ("effects until the release", before, f"<= {RATION}"),
        ("effects twice on one target", sum(times > 1 for times in counted.effects.values()), 0),
        *((f"messages until the release: {event}", times, 1) for (event, _), times in sorted(told_of.items())),
        ("s until all is decided, since the last post", decided, "-"),
        ("s until every run has been looked at", held, "-"),
        (f"effects in {WINDOWS} windows of {size.window} s after it", sum(counted.effects.values()) - before, "-"),
        (f"the most begun within any {size.window} s", begun, f"<= {RATION}"),
        (f"the most that arrived within any {size.window} s", most_within(counted.times, size.window), "-"),
        *((f"MiB of the {name} process", size, "-") for name, size in usage.items()),
    ]
    asked = table(("asked", "times", "p50 ms", "p99 ms", "longest", "failed"), looks.rows())
    return f"{table((size.name, 'measured', 'wanted'), rows)}\n\n{asked}"


def _post(runner: Runner, size: Size) -> int:
    """Post all notifications evenly over the time; return how many alerts were acknowledged."""
    pool = urllib3.PoolManager(maxsize=SENDERS)
    started, at = time.monotonic(), datetime.now(UTC)
    headers = {"Content-Type": "application/json"}

    def post(service: int) -> int:
        time.sleep(max(0.0, started + size.seconds * service / size.services - time.monotonic()))
        content = body([told(_labels(service, pod), at) for pod in range(PODS)])
        while True:
            answer = pool.request("POST", f"{runner.address}/hooks/bench", body=content, headers=headers)
            if answer.status == 202:
                return int(answer.json()["accepted"])
            time.sleep(float(answer.headers.get("Retry-After", "1")))  # as a sender does

    with ThreadPoolExecutor(SENDERS) as senders:
        return sum(senders.map(post, range(size.services)))


def _labels(service: int, pod: int) -> Mapping[str, str]:
    name = f"service-{service}"
    labels = {"alertname": "Storm", "severity": "critical", "cluster": "local", "namespace": "apps"}
    return {**labels, "service": name, "pod": f"{name}-{pod}", "job": "node", "team": "bench"}


@contextmanager
def _looking(runner: Runner, settings: Settings, looks: Looks, when: str) -> Iterator[None]:
    """Look at the page, ask whether it is ready, and list incidents, until the block ends."""
    enough = threading.Event()
    pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=60)

    def listed() -> bool:
        return _command(runner, settings, "incidents")

    def again(what: str, ask: Callable[[], bool], pause: float) -> None:
        while not enough.is_set():
            looks.time(f"{what}, {when}", ask)
            enough.wait(pause)

    questions: Sequence[tuple[str, Callable[[], bool], float]] = (
        ("GET /", lambda: pool.request("GET", f"{runner.address}/").status == 200, LOOK),
        ("GET /readyz", lambda: pool.request("GET", f"{runner.address}/readyz").status == 200, LOOK),
        ("runbook incidents", listed, LIST),
    )
    threads = [threading.Thread(target=again, args=question) for question in questions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def _release(runner: Runner, settings: Settings, size: Size) -> None:
    """Let the storm go, and watch what goes on for a few windows."""
    if not _command(runner, settings, "release", "--reason", "it was the switch", "--yes"):
        raise RuntimeError("the storm was not released")
    time.sleep(size.window * WINDOWS)


def _command(runner: Runner, settings: Settings, *words: str) -> bool:
    """Run a command of the installation, and return whether it did what it should."""
    program = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"
    where = {"RUNBOOK_STATE": str(settings.state), "RUNBOOK_RUNBOOKS": str(settings.runbooks)}
    known = {"RUNBOOK_SERVER": runner.address, "RUNBOOK_OPERATOR": "bench"}
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, capture_output=True, check=False, env=os.environ | where | known).returncode == 0


def _fates(settings: Settings, size: Size) -> Counter[str]:
    """Return what became of every alert that was posted, as the journal says it."""
    with closing(sqlite_journal(settings.state / "journal.sqlite3")) as journal:
        incidents = journal.incidents(limit=2 * size.services)
        arrived = list(chain.from_iterable(journal.arrivals(incident.id) for incident in incidents))
        executions = journal.executions(limit=2 * size.services * PODS)
        changed = [each.id for each in executions if each.changed]
        begun = [each.at.timestamp() for run in changed for each in journal.audit(run) if each.event == "intended"]
    runs = Counter(each.alert.labels["pod"] for each in executions)
    by_pod: dict[str, list[Arrival]] = {}
    for arrival in arrived:
        by_pod.setdefault(arrival.alert.labels["pod"], []).append(arrival)
    fates: Counter[str] = Counter({"one fate": 0, "other": 0, "begun": most_within(begun, size.window)})
    for pod in (f"service-{service}-{pod}" for service in range(size.services) for pod in range(PODS)):
        outcomes = [decision.outcome for each in by_pod.get(pod, ()) for decision in each.decisions]
        sound = len(outcomes) == 1 and runs[pod] == (outcomes[0] == "opened")
        fates["one fate" if sound else "other"] += 1
        fates.update(outcomes)
    return fates


def _until(holds: Callable[[], bool]) -> float:
    """Return after how many seconds it holds."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > LONGEST:
            raise RuntimeError(f"not so after {LONGEST:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - started


def _gauge(runner: Runner, name: str, label: str = "") -> float:
    """Return one number of /metrics, 0 when it is not there."""
    text: Any = urllib3.request("GET", f"{runner.address}/metrics", timeout=60).data.decode()
    lines = (line for line in text.splitlines() if line.startswith(name) and label in line)
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _slow(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0]
