"""Twenty minutes of an installation as its Prometheus would have recorded them, without waiting for them.

Checkout and the engine are the real ones, driven through time by their own clocks; what they say at /metrics is kept
every fifteen seconds. Only what a cluster says of its pods is written down here.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient

from apps.checkout.tests.bench import Bench
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.measuring import Measuring
from runbook_engine.entrypoints.metrics import Metrics, watched
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.directive import Next
from runbook_engine.model.observation import Pause
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, bundle_in, simulated_engine, webhook

STEP = 15  # seconds
STEPS = 80
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
Page = tuple[str, Mapping[str, str]]  # what a target said, and the labels that Prometheus gives it
CHECKOUT = {"namespace": "apps", "service": "checkout", "job": "checkout"}
RUNNER = {"namespace": "runbooks", "service": "runbook-engine", "job": "runbook-engine", "pod": "runbook-engine-0"}
MEND = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: mend, owner: team-lab}
matchers: ["alertname = Broken"]
inputs:
  part: {type: workload, from: alert.labels.part}
target: {parameter: "/lab/{{ inputs.part }}"}
mode: auto
verify: {query: "lab:errors", below: 0.1, for: 15s, timeout: 2m}
guardrails: {cooldown: 1s, deadline: 30m}
steps:
  - name: mend
    action: degrade
    with: {parameter: "/lab/{{ inputs.part }}", value: "true"}
    compensate: whenResolved
"""
SETTINGS = CONFIG.replace("modeCeiling: auto", "correlation: {quiet: 1m}\nmodeCeiling: auto").replace(
    "scopes:", '  metrics: {adapter: prometheus, url: "http://127.0.0.1:9"}\nscopes:'
)


def record(folder: Path) -> str:
    """Return every sample of the installation, in the format that promtool back-fills; the last are of this second."""
    told = list(zip(checkout(folder), runner(folder), cluster(), strict=True))
    end = time.time()
    lines = [
        stamped(line, labels, end - (STEPS - 1 - step) * STEP)
        for step, pages in enumerate(told)
        for text, labels in pages
        for line in text.splitlines()
        if line and not line.startswith("#")
    ]
    return "\n".join([*lines, "# EOF\n"])


def stamped(line: str, labels: Mapping[str, str], at: float) -> str:
    """Return a sample with the labels that Prometheus gives its target, and its time."""
    found = SAMPLE.fullmatch(line)
    assert found is not None, line
    name, own, value = found.groups()
    given = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{','.join(each for each in (own, given) if each)}}} {value} {at:.0f}"


def checkout(folder: Path) -> Iterator[Page]:
    """Yield what checkout says: a release that is replaced, features that fail, a flag store that goes and comes."""
    bench = Bench(folder)
    bench.set_flag("false")
    client, pod = bench.start(RELEASE="r41"), "checkout-6c5f-a"
    for step in range(STEPS):
        if step == STEPS // 2:
            client, pod = bench.start(RELEASE="r42"), "checkout-7d9b-b"
            bench.set_knobs(ERROR_RATE="0.3", LATENCY_MS="200")
        if step == STEPS - 8:
            bench.set_flag("true")
        _serve(bench, client)
        yield client.get("/metrics").text, {**CHECKOUT, "pod": pod}


def _serve(bench: Bench, client: FlaskClient) -> None:
    for number in range(10):
        bench.now += STEP / 10
        bench.luck = number / 10
        client.get("/checkout")


def runner(folder: Path) -> Iterator[Page]:
    """Yield what a runner says while it mends one thing, is paused before the next, and asks about the third."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "mend.yaml").write_text(MEND)
    bundle = bundle_in(folder, config=SETTINGS, mode="approve")
    simulated, metrics = SimulatedWorld(receivers=("chat",)), Metrics()
    simulated.compute("lab:errors", lambda world: 0.0 if world.value_of("/lab/a") == "true" else 0.5)
    simulated.set_parameter("/lab/a", "false")
    engine = simulated_engine(bundle, simulated, journal=watched(MemoryJournal(), metrics.count_commit))
    metrics.begin(bundle)
    client = create_app(
        engine,
        keyring=load_keyring(bundle.configuration, Settings(environment={}).secret),
        pause=(simulated.pauses, simulated.pauses),
        clock=simulated.clock,
        metrics=metrics,
        log=EventLog(io.StringIO()),
        beat_file=folder / "beat.json",
    ).test_client()
    client.environ_base["HTTP_PREFER"] = "wait"

    def post(body: bytes) -> None:
        client.post("/hooks/lab", data=body, content_type="application/json")

    def acknowledge() -> None:
        engine.acknowledge(engine.journal.incidents(limit=1)[0].id, by="ann", now=simulated.clock.now())

    def pause() -> None:
        simulated.pauses.throw(Pause(until=simulated.clock.now() + timedelta(minutes=1), by="ann"))

    happens: dict[int, Callable[[], None]] = {
        4: lambda: post(webhook("a", name="Broken")),
        6: acknowledge,
        12: lambda: post(webhook("a", name="Broken", status="resolved")),
        20: lambda: post(b"no JSON"),
        24: lambda: metrics.drive_errors.labels("TimeoutError").inc(),
        26: lambda: metrics.changes_seen.labels("change").inc(),
        30: pause,
        31: lambda: post(webhook("b", name="Broken")),
        60: lambda: post(webhook("c", name="Hot")),
    }
    for step in range(STEPS):
        simulated.push(timedelta(seconds=STEP))
        now = simulated.clock.now()
        if step in happens:
            happens[step]()
        for execution_id in engine.due(now):
            while isinstance(engine.drive(execution_id, "worker", simulated.clock.now(), timedelta(hours=1)), Next):
                pass
        Measuring(engine, metrics.count_incident).look(now)
        write_heartbeat(folder / "beat.json", Heartbeat(at=now, pid=1, owner="worker"))
        yield client.get("/metrics").text, RUNNER


def cluster() -> Iterator[Page]:
    """Yield what kube-state-metrics and the kubelets say of both deployments, and Prometheus of the alerts."""
    deployment = 'namespace="apps",deployment="checkout"'
    containers = (
        'namespace="apps",pod="checkout-7d9b-b",container="checkout"',
        'namespace="runbooks",pod="runbook-engine-0",container="runner"',
    )
    for step in range(STEPS):
        lines = [
            f"kube_deployment_spec_replicas{{{deployment}}} 2",
            f"kube_deployment_status_replicas_available{{{deployment}}} {1 if step % 20 == 0 else 2}",
            'kube_horizontalpodautoscaler_spec_max_replicas{namespace="apps",horizontalpodautoscaler="checkout"} 6',
            'ALERTS{alertname="CheckoutHighErrorRate",alertstate="firing",severity="critical"} 1',
            'ALERTS{alertname="RunbookEngineDriveErrors",alertstate="firing",severity="warning"} 1',
        ]
        for each in containers:
            lines += [
                f"kube_pod_container_status_restarts_total{{{each}}} {step // 30}",
                f'kube_pod_container_resource_limits{{{each},resource="memory"}} 268435456',
                f"container_memory_working_set_bytes{{{each}}} {90_000_000 + step}",
                f"container_cpu_usage_seconds_total{{{each}}} {step * 1.5}",
            ]
        yield "\n".join(lines), {"job": "cluster"}
