"""A soak: the real runner under a steady mixed load, an hour's work in a fifth of the time; does anything grow?

Forty services fail and recover in turns. Of each turn there is a notification that an alert fires, two that say so
again, and one that it is over; its run sends a request, flips a flag, verifies, tells its owner, and puts the flag back
once the alert is over. What was done is counted by the service that requests arrive at, by the file that keeps the
flags, and by the receiver. Sizes are the kernel's, taken once a second; what of them is in use, and not only kept by an
allocator that lends it again, the processes say themselves (`benchmarks.inside`).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, NamedTuple

import urllib3

from benchmarks.deliveries import sqlite_journal
from benchmarks.installed import Counted, Usage, body, counting, install, processes, serving, told
from benchmarks.timing import table
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.execution import ENDED
from tests.e2e.runner import Runner

INSIDE = Path(__file__).with_name("inside")
SERVICES = 40
REST = 120.0  # seconds in which what is left must come to an end
WARM = 0.1  # of the time: caches fill, modules are loaded
FLAT = 5  # percent
LIMITS = "correlation: {window: 1s}"  # each turn is an incident of its own
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: soak, owner: team-bench}
matchers: ["alertname = Soak"]
inputs:
  service: {type: workload, from: alert.labels.service}
target: {parameter: "/bench/{{ inputs.service }}"}
mode: auto
strategy: sequence
verify: {query: "bench:errors", below: 1, timeout: 30s}
guardrails: {cooldown: 1s, deadline: 10m}
steps:
  - {name: touch, action: http, with: {request: touch, arguments: {who: "{{ inputs.service }}"}}}
  - name: flip
    action: degrade
    with: {parameter: "/bench/{{ inputs.service }}", value: "true"}
    compensate: {when: resolved, holdFor: 0s}
notify:
  - {receiver: oncall, events: [ended]}
"""


class Load(NamedTuple):
    """How long, and how fast."""

    seconds: float
    turn: float  # seconds of one service, from its alert to its next

    @property
    def turns(self) -> int:
        """How many turns each service has."""
        return int(self.seconds / self.turn)


LONG, QUICK = Load(720, 8), Load(8, 4)


class Lent(NamedTuple):
    """What a process has in use."""

    lent: int  # bytes, by the allocator of C
    blocks: int  # by that of Python

    @classmethod
    def of(cls, pid: int, folder: Path) -> Lent:
        """Return what a process has said last."""
        return cls(**json.loads((folder / str(pid)).read_text()))


class Sample(NamedTuple):
    """What was seen at one moment."""

    runs: int  # opened so far
    usage: Mapping[str, Usage]  # by process
    lent: Mapping[str, Lent]  # by process
    log: int  # bytes of the journal's write-ahead log


def run(quick: bool) -> str:
    """Return what was done and what it took: the first third of the time beside the last."""
    load = QUICK if quick else LONG
    with tempfile.TemporaryDirectory() as folder, counting() as (counted, address):
        settings, inside = install(Path(folder), address, [RUNBOOK], LIMITS), Path(folder) / "inside"
        inside.mkdir()
        with serving(settings, {"PYTHONPATH": os.fspath(INSIDE), "BENCH_INSIDE": os.fspath(inside)}) as runner:
            started = time.monotonic()
            samples = _run_load(runner, settings, load, inside)
            lasted = time.monotonic() - started
            rest = _come_to_rest(settings, load)
            errors = len(runner.events("drive.failed")) + len(runner.events("deciding.failed"))
        done = _done(settings, counted, load, rest, errors)
    rate = f"{samples[-1].runs / lasted:.1f} runs and {4 * samples[-1].runs / lasted:.0f} notifications a second"
    title = f"{lasted:.0f} s of {rate}"
    return f"{table((title, 'measured', 'wanted'), done)}\n\n{_growth(samples)}"


def _run_load(runner: Runner, settings: Settings, load: Load, inside: Path) -> list[Sample]:
    """Send what the services have to say when its time comes, and look at the processes once a second."""
    pool = urllib3.PoolManager(maxsize=2)
    pids = processes(runner)
    log = settings.state / "journal.sqlite3-wal"

    def sample() -> Sample:
        usage = {name: Usage.of(pid) for name, pid in pids.items()}
        return Sample(runs, usage, {name: Lent.of(pid, inside) for name, pid in pids.items()}, log.stat().st_size)

    began, samples, runs = time.monotonic(), list[Sample](), 0
    for at, fires, content in _script(load):
        while (wait := began + at - time.monotonic()) > 0 or len(samples) < time.monotonic() - began:
            if len(samples) < time.monotonic() - began:
                samples.append(sample())
            else:
                time.sleep(min(wait, 0.2))
        _post(pool, runner, content)
        runs += fires
    samples.append(sample())
    return samples


def _script(load: Load) -> Iterator[tuple[float, bool, Callable[[], bytes]]]:
    """Yield what is sent in its order: when, whether it brings a run, and what."""
    kinds = ((0.0, True, False), (0.2, False, False), (0.4, False, False), (0.6, False, True))
    moments = sorted(
        (load.turn * (turn + service / SERVICES + share), service, turn, fires, over)
        for turn in range(load.turns)
        for service in range(SERVICES)
        for share, fires, over in kinds
    )
    began: dict[int, datetime] = {}
    for at, service, turn, fires, over in moments:
        labels = {"alertname": "Soak", "severity": "critical", "cluster": "local", "namespace": "apps"}
        labels |= {"service": f"service-{service}", "pod": f"service-{service}-{turn}"}

        def content(labels: Mapping[str, str] = labels, fires: bool = fires, over: bool = over) -> bytes:
            now = datetime.now(UTC)
            start = began[hash(labels["service"])] = now if fires else began[hash(labels["service"])]
            return body([told(labels, start, now if over else None)])

        yield at, fires, content


def _post(pool: urllib3.PoolManager, runner: Runner, content: Callable[[], bytes]) -> None:
    headers = {"Content-Type": "application/json"}
    answer = pool.request("POST", f"{runner.address}/hooks/bench", body=content(), headers=headers)
    if answer.status != 202:
        raise RuntimeError(f"a notification was answered {answer.status}: {answer.data[:200]!r}")


def _come_to_rest(settings: Settings, load: Load) -> float:
    """Return how many seconds it took until every run was over and undone; less than none when it never was."""
    started = time.monotonic()
    with closing(sqlite_journal(settings.state / "journal.sqlite3")) as journal:
        while time.monotonic() - started < REST:
            counts = journal.counts()
            ended = sum(counts.get(f"executions.{status}", 0) for status in ENDED)
            if ended >= load.turns * SERVICES and not journal.executions(limit=1, active_only=True):
                return time.monotonic() - started
            time.sleep(0.2)
    return -1.0


def _done(settings: Settings, counted: Counted, load: Load, rest: float, errors: int) -> list[tuple[object, ...]]:
    path = settings.state / "journal.sqlite3"
    with closing(sqlite_journal(path)) as journal:
        counts, left = journal.counts(), len(journal.executions(limit=100, active_only=True))
        waiting = journal.inbox.fill().deliveries
        assert journal.inbox is not None
    wanted = load.turns * SERVICES
    flags = json.loads((settings.state.parent / "flags.json").read_text())
    versions = [entry["version"] for entry in flags["flags"].values()] + list(flags.get("removed", {}).values())
    return [
        ("runs that succeeded", counts.get("executions.succeeded", 0), wanted),
        ("runs and notifications left over", left + waiting, 0),
        ("requests at the service", sum(counted.effects.values()), wanted),
        ("flags set and put back", sum(versions), 2 * wanted),
        ("messages to the owner", counted.messages.total(), wanted),
        ("drives and decisions that raised", errors, 0),
        ("s until all was over", rest, "-"),
        ("kB of the journal a run", path.stat().st_size / wanted / 1024, "-"),
    ]


def _growth(samples: Sequence[Sample]) -> str:
    kept = samples[int(len(samples) * WARM) :]
    third = max(1, len(kept) // 3)
    figures: Sequence[tuple[str, Callable[[Usage], float], str]] = (
        ("MiB", lambda usage: usage.resident / 2**20, f"+{FLAT} %"),
        ("descriptors", lambda usage: usage.descriptors, "0"),
        ("threads", lambda usage: usage.threads, "0"),
    )
    rows = [
        _row(f"{what} of {name}", kept, third, lambda each, name=name, figure=figure: figure(each.usage[name]), goal)
        for name in samples[0].usage
        for what, figure, goal in figures
    ]
    in_use: Sequence[tuple[str, Callable[[Lent], float]]] = (
        ("MiB in use by C of", lambda lent: lent.lent / 2**20),
        ("1,000 objects of Python of", lambda lent: lent.blocks / 1e3),
    )
    rows += [
        _row(
            f"{what} {name}", kept, third, lambda each, name=name, figure=figure: figure(each.lent[name]), f"+{FLAT} %"
        )
        for name in samples[0].lent
        for what, figure in in_use
    ]
    rows.append(_row("MiB of the write-ahead log", kept, third, lambda each: each.log / 2**20, "-"))
    head = ("resident and open", "first third", "last third", "grown, %", "goal", "a 1,000 runs")
    costs = [
        (name, (samples[-1].usage[name].cpu - samples[0].usage[name].cpu) * 1e3 / max(1, samples[-1].runs))
        for name in samples[0].usage
    ]
    return f"{table(head, rows)}\n\n{table(('process', 'ms of CPU a run'), costs)}"


def _row(name: str, samples: Sequence[Sample], third: int, figure: Callable[..., Any], goal: str) -> tuple[object, ...]:
    first, last = (float(median(map(figure, part))) for part in (samples[:third], samples[-third:]))
    runs = [each.runs / 1000 for each in samples[third:]]
    slope = linear_regression(runs, [figure(each) for each in samples[third:]]).slope if len(set(runs)) > 1 else 0.0
    return name, first, last, (last - first) / first * 100 if first else 0.0, goal, slope
