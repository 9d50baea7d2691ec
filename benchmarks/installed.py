"""A whole installation for benchmarks: the real runner, a service that counts what is done to it, and a sender.

What counts stands outside of the engine: requests are counted by the service that they arrive at, flags by the file
that keeps them, messages by their receiver.
"""

from __future__ import annotations

import json
import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from runbook_engine.entrypoints.settings import Settings, read_settings
from tests.e2e.runner import Runner

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: bench}}
clusters: [local]
adapters:
  flags: {{adapter: files, path: ../flags.json, create: true}}
  requests: {{adapter: http}}
  metrics: {{adapter: scrape, url: '{url}/metrics'}}
scopes: {{bench: {{source: alertmanager}}}}
teams: {{team-bench: {{receiver: oncall}}}}
receivers: {{oncall: {{adapter: webhook, url: '{url}/messages'}}}}
targets: ["parameter=/bench/*", "request=touch"]
modeCeiling: auto
series: {{"bench:errors": {{kind: value, metric: bench_errors}}}}
requests:
  touch:
    method: POST
    url: {url}/effects/{{{{ parameters.who }}}}
    effect: {{says: is counted, repeat: token, changes: who}}
    parameters: [who]
    approval: none
{more}
"""


class Counted:
    """What arrived: effects by whom they were for, by token, and messages by event and title."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.effects: Counter[str] = Counter()
        self.times: list[float] = []  # of effects, monotonic
        self.tokens: Counter[str] = Counter()
        self.messages: Counter[tuple[str, str]] = Counter()

    def add_effect(self, who: str, token: str) -> None:
        """Count a request; one that is repeated with its token is done once, as it was promised."""
        with self._guard:
            self.tokens[token] += 1
            if self.tokens[token] == 1:
                self.effects[who] += 1
                self.times.append(time.monotonic())

    def add_message(self, event: str, says: str) -> None:
        """Count a message."""
        with self._guard:
            self.messages[event, says] += 1


def most_within(times: Iterable[float], seconds: float) -> int:
    """Return the most of these that there were within any span of so many seconds."""
    ordered = sorted(times)
    return max((bisect_left(ordered, at + seconds) - number for number, at in enumerate(ordered)), default=0)


class Usage(NamedTuple):
    """What a process takes."""

    resident: int  # bytes
    descriptors: int
    threads: int
    cpu: float  # seconds

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Return what a process takes now, as the kernel says."""
        place = Path(f"/proc/{pid}")
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        resident = int((place / "statm").read_text().split()[1]) * PAGE
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        return cls(resident, len(list((place / "fd").iterdir())), int(fields[17]), cpu)


@contextmanager
def counting() -> Iterator[tuple[Counted, str]]:
    """Yield what is counted, and the address at which it is."""
    counted = Counted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            _, kind, *rest = self.path.split("/")
            if kind == "effects":
                counted.add_effect(rest[0], self.headers.get("Idempotency-Key", ""))
            else:
                told = json.loads(content)
                counted.add_message(told["event"], told["title"])
            self._answer(b"{}")

        def do_GET(self) -> None:
            self._answer(b"# TYPE bench_errors gauge\nbench_errors 0\n")

        def _answer(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counted, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def install(folder: Path, address: str, runbooks: Sequence[str], more: str = "") -> Settings:
    """Write an installation, and return the settings of a host that runs it."""
    place = folder / "runbooks"
    place.mkdir()
    (place / "engine.yaml").write_text(CONFIG.format(url=address, more=more))
    for number, runbook in enumerate(runbooks):
        (place / f"runbook-{number}.yaml").write_text(runbook)
    return read_settings(runbooks=place, state=folder / "state", environment={})


@contextmanager
def serving(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[Runner]:
    """Run it until the block ends."""
    runner = Runner(settings, environment=environment)
    try:
        yield runner.wait_for_start()
    finally:
        runner.stop()


def processes(runner: Runner) -> Mapping[str, int]:
    """Return the process ids of a runner by name: who supervises, who takes in, who decides and drives."""
    started = {event["child"]: int(event["child_pid"]) for event in runner.events("child.started")}
    web = Path(f"/proc/{started['web']}/task/{started['web']}/children").read_text().split()
    return {"supervisor": runner.process.pid, "web": int(web[0]) if web else started["web"]} | {
        "worker": started["worker"]
    }


def told(labels: Mapping[str, str], started: datetime, ended: datetime | None = None) -> dict[str, Any]:
    """Return one alert as Alertmanager tells it."""
    return {
        "status": "firing" if ended is None else "resolved",
        "labels": dict(labels),
        "annotations": {"summary": "the service burns its error budget fourteen times too fast"},
        "startsAt": started.isoformat(),
        "endsAt": ended.isoformat() if ended is not None else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example/graph?g0.expr=sum%28rate%28errors%5B5m%5D%29%29&g0.tab=1",
    }


def body(alerts: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the notification of a group."""
    first = alerts[0]["labels"]
    group = {name: first[name] for name in ("alertname", "service")}
    return json.dumps(
        {
            "version": "4",
            "groupKey": f"{{}}:{group}",
            "status": "firing",
            "receiver": "engine",
            "groupLabels": group,
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "https://alertmanager.example",
            "truncatedAlerts": 0,
            "alerts": list(alerts),
        }
    ).encode()
