"""Stage: the demo's folder, ports and files, before anything runs.

The runbook is the shipped one; only its waiting times are shortened, so that a whole incident fits into a minute.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from runbook_engine.entrypoints.demo.children import DemoFailed

RUNBOOK = Path("checkout") / "high-error-rate.yaml"
SHORTENED = (
    ("    for: 15s\n", "    for: 5s\n"),
    ("    timeout: 2m\n", "    timeout: 30s\n"),
    ("holdFor: 10m,", "holdFor: 15s,"),
    ("holdFor: 30m,", "holdFor: 20s,"),
    ("    settle: 5s ", "    settle: 1s "),
    ("    settle: 30s ", "    settle: 5s "),
)
WINDOW = "5s"
ALERT_ABOVE = 0.05
ENGINE = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: demo}}
clusters: [local]
modeCeiling: [{{mode: auto}}]         # this installation lets its runbooks act
correlation: {{quiet: 1s}}            # usually minutes: whether the alert comes back is not waited for here
adapters:
  cluster: [{{adapter: process, place: local, folder: deployments}}]
  changes: {{adapter: process, folder: deployments}}
  logs: {{adapter: process, folder: deployments}}
  flags: {{adapter: files, path: flags.json, create: true}}
  metrics: {metrics}
  pause: {{adapter: files, path: pause.json}}
  journal: {{adapter: sqlite}}
scopes:
  demo: {{source: alertmanager, runbooks: [checkout-*], targets: [deployment=apps/checkout, parameter=/checkout/*]}}
tokens:
  alertmanager: {{roles: [ingest], secrets: [{{file: ingest-token}}], scopes: [demo]}}
  you: {{roles: [read, operate], secrets: [{{file: operator-token}}]}}
receivers:
  chat: {{adapter: console, path: told.log}}
  oncall: {{adapter: console, path: told.log}}
teams:
  team-checkout: {{receiver: chat}}
targets: [deployment=apps/checkout, parameter=/checkout/*]
series:
  checkout:error_ratio: {{kind: ratio, metric: checkout_errors_total, over: checkout_requests_total, window: {window}}}
  checkout:latency_p99:
    {{kind: quantile, metric: checkout_request_duration_seconds, quantile: 0.99, window: {window}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where everything of one demo is."""

    folder: Path
    shop_port: int
    engine_port: int
    prometheus_port: int
    alertmanager_port: int
    ingest_token: str

    @property
    def runbooks(self) -> Path:
        """The demo's runbooks, its engine.yaml beside them."""
        return self.folder / "runbooks"

    @property
    def config(self) -> Path:
        """The demo's engine.yaml."""
        return self.folder / "engine.yaml"

    @property
    def state(self) -> Path:
        """The runner's state: its journal."""
        return self.folder / "state"

    @property
    def deployment(self) -> Path:
        """The folder of the service's deployment."""
        return self.folder / "deployments" / "checkout"

    @property
    def flags(self) -> Path:
        """The flag store."""
        return self.folder / "flags.json"

    @property
    def webhook(self) -> str:
        """Where alerts are posted."""
        return f"http://127.0.0.1:{self.engine_port}/hooks/demo"

    def inject(self, error_rate: float) -> None:
        """Break (or mend) the service's optional features: this is the only thing that the demo scripts."""
        whole = self.folder / "knobs.json.new"
        whole.write_text(json.dumps({"ERROR_RATE": str(error_rate)}))
        whole.replace(self.folder / "knobs.json")


def set_stage(folder: Path, shipped: Path, port: int, *, with_prometheus: bool) -> Stage:
    """Return the demo's stage, all files written. Raises DemoFailed when the shipped runbook is not as known."""
    shop, engine, prometheus, alertmanager = free_ports(4)
    stage = Stage(
        folder=folder,
        shop_port=shop,
        engine_port=port or engine,
        prometheus_port=prometheus,
        alertmanager_port=alertmanager,
        ingest_token=secrets.token_urlsafe(24),
    )
    (stage.runbooks / RUNBOOK.parent).mkdir(parents=True)
    (stage.runbooks / RUNBOOK).write_text(shorten((shipped / RUNBOOK).read_text()))
    reader = (
        f'{{adapter: prometheus, url: "http://127.0.0.1:{prometheus}"}}'
        if with_prometheus
        else f'{{adapter: scrape, url: "http://127.0.0.1:{shop}/metrics"}}'
    )
    stage.config.write_text(ENGINE.format(metrics=reader, window=WINDOW))
    for name, secret in (("ingest-token", stage.ingest_token), ("operator-token", secrets.token_urlsafe(24))):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    stage.flags.write_text(json.dumps({"flags": {"/checkout/degraded_mode": {"value": "false", "version": 1}}}))
    stage.inject(0.0)
    return stage


def shorten(text: str) -> str:
    """Return the shipped runbook with the demo's waiting times. Raises DemoFailed when one is not found."""
    for shipped, short in SHORTENED:
        if shipped not in text:
            raise DemoFailed(f"the shipped runbook has no {shipped.strip()!r}, which the demo shortens")
        text = text.replace(shipped, short)
    return text


def installed(*names: str) -> bool:
    """Whether all these programs are on the path."""
    return all(shutil.which(name) for name in names)


def free_ports(count: int) -> list[int]:
    """Return so many ports of this machine's loopback that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
