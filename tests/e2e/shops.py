"""Shops: several checkouts on one machine, each with its own flag, faults, labels and rules, under one real runner.

A real Prometheus watches them all and tells two Alertmanagers that know nothing of each other, as those of a split
cluster: everything is delivered twice. The runbook is the shipped one, written for any service.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from os import kill
from pathlib import Path

from runbook_adapters import disk
from runbook_adapters.process.deployment import Server
from runbook_adapters.process.lifecycle import create_deployment
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.demo.alerting import PROGRAMS
from runbook_engine.entrypoints.demo.children import Children
from runbook_engine.entrypoints.demo.stage import RUNBOOK, shorten
from runbook_engine.entrypoints.demo.traffic import Traffic
from runbook_engine.entrypoints.demo.wire import answers, ask
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.model.execution import Execution
from tests.e2e.runner import Runner
from tests.lab import PATIENCE, wait_until
from tests.ports import free_ports

WINDOW = "3s"
ANY_SERVICE = (  # what makes the shipped runbook one for any service, and shorter still than the demo's
    ("inputs:\n", "inputs:\n  service: {type: workload, from: alert.labels.service}\n"),
    ("deployment: checkout}", 'deployment: "{{ inputs.service }}"}'),
    ("parameter: /checkout/degraded_mode", 'parameter: "/{{ inputs.service }}/degraded_mode"'),
    ("query: checkout:error_ratio,", 'query: checkout:error_ratio, where: {service: "{{ inputs.service }}"},'),
    ("query: checkout:error_ratio\n", 'query: checkout:error_ratio\n    where: {service: "{{ inputs.service }}"}\n'),
    ("query: checkout:latency_p99,", 'query: checkout:latency_p99, where: {service: "{{ inputs.service }}"},'),
    ("    for: 5s\n", "    for: 2s\n"),
    ("holdFor: 15s,", "holdFor: 3s,"),
    ("cooldown: 30m", "cooldown: 1s"),
    ("after: 8m", "after: 2s"),
)
ENGINE = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: shops}}
clusters: [local]
modeCeiling: auto
correlation: {{quiet: 1s, window: 1s}}  # an alert that comes again is an incident of its own
adapters:
  cluster: [{{adapter: process, place: local, folder: ../deployments}}]
  changes: {{adapter: process, folder: ../deployments}}
  logs: {{adapter: process, folder: ../deployments}}
  flags: {{adapter: files, path: ../flags.json}}
  metrics: {{adapter: prometheus, url: "http://127.0.0.1:{prometheus}"}}
scopes:
  shops: {{source: alertmanager, targets: ["deployment=apps/*", "parameter=/*/degraded_mode"]}}
tokens:
  alertmanager: {{roles: [ingest], secrets: [{{file: ../ingest-token}}], scopes: [shops]}}
receivers:
  chat: {{adapter: console, path: ../told.log}}
  oncall: {{adapter: console, path: ../paged.log}}
teams:
  team-checkout: {{receiver: chat}}
targets: ["deployment=apps/*", "parameter=/*/degraded_mode"]
limits: {{lease: 2s}}
"""


class Shops:
    """The whole installation in one folder."""

    def __init__(self, folder: Path, shipped: Path, source: Path, names: tuple[str, ...]) -> None:
        self.folder, self.names, self._source = folder, names, source
        self.children = Children(folder)
        found = iter(free_ports(len(names) + 4))
        self.ports = {name: next(found) for name in names}
        self.runner_port, self.prometheus, *self.alertmanagers = found
        self.traffic = {name: Traffic(port) for name, port in self.ports.items()}
        self.flags = folder / "flags.json"
        self._write(shipped)
        self.settings = read_settings(runbooks=folder / "runbooks", state=folder / "state", environment={})
        self.runner: Runner | None = None

    # --- up and down --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start everything, and wait until customers are served and watched."""
        for name in self.names:
            self._start_shop(name)
        self._start_alerting()
        self.start_runner()
        for name, port in self.ports.items():
            ready: Callable[[], bool] = partial(answers, port, "/healthz/ready")
            self.children.wait_until(f"{name} ready", ready, PATIENCE, needs=name)
            self.traffic[name].start()
        for port in (self.prometheus, *self.alertmanagers):
            wait_until(lambda port=port: answers(port, "/-/ready"), f"{port} is ready")  # type: ignore[misc]
        self.engine = build_engine(self.settings)
        self.calm_down()

    def close(self) -> None:
        """Stop everything, whatever has happened before."""
        for traffic in self.traffic.values():
            traffic.stop()
        try:
            if self.runner is not None:
                self.runner.stop(signal.SIGTERM)
        finally:
            self.children.stop()

    def start_runner(self) -> None:
        """Start the runner, or start it again on the same port."""
        self.runner = Runner(self.settings, "--port", str(self.runner_port)).wait_for_start()
        wait_until(lambda: answers(self.runner_port, "/readyz"), "the runner is ready")

    def kill_worker(self) -> None:
        """Kill the process that drives; whoever started it notices."""
        assert self.runner is not None
        kill(self.runner.worker_pid(), signal.SIGKILL)

    def kill_runner(self) -> None:
        """Kill every process of the runner at once, as a machine that loses power does."""
        assert self.runner is not None
        for line in self.runner.left():
            with suppress(ProcessLookupError):
                kill(int(line.split()[0]), signal.SIGKILL)
        self.runner.process.wait(PATIENCE)
        wait_until(lambda: self.runner is not None and not self.runner.left(), "nothing of the runner lives")

    # --- what a test does ---------------------------------------------------------------------------------

    def inject(self, error_rate: float, *names: str) -> None:
        """Break (or mend) the optional features of these shops."""
        for name in names:
            whole = self.folder / f"knobs-{name}.json.new"
            whole.write_text(json.dumps({"ERROR_RATE": str(error_rate)}))
            whole.replace(self.folder / f"knobs-{name}.json")

    def calm_down(self) -> None:
        """End every fault, and wait until nothing is left of it: no alert fires, nothing is held, nobody waits."""
        self.inject(0.0, *self.names)
        wait_until(lambda: all(run.finished for run in self.engine.journal.executions(limit=50)), "all is undone")
        wait_until(lambda: all(self.recorded(name) == 0.0 for name in self.names), "no errors are measured")
        assert {"false"} == {self.flag(name)[0] for name in self.names}

    def reset_flags(self) -> None:
        """Put the flag store back to its first version."""
        entry = {"value": "false", "version": 1}
        disk.replace(
            self.flags, json.dumps({"flags": {f"/{name}/degraded_mode": entry for name in self.names}}).encode()
        )

    # --- what is ------------------------------------------------------------------------------------------

    def flag(self, name: str) -> tuple[str, int]:
        """Return what the store says of a shop's flag, and how often it was written, the first time included."""
        entry = json.loads(self.flags.read_text())["flags"][f"/{name}/degraded_mode"]
        return str(entry["value"]), int(entry["version"])

    def runs(self, name: str, since: datetime) -> list[Execution]:
        """Return the runs for a shop that were opened since, newest first."""
        found = self.engine.journal.executions(limit=50)
        return [run for run in found if run.target.name == name and run.opened_at >= since]

    def run(self, name: str, since: datetime) -> Execution | None:
        """Return the only run for a shop since; None when there is none yet."""
        found = self.runs(name, since)
        assert len(found) <= 1, found
        return found[0] if found else None

    def says(self, run: Execution) -> str:
        """Return the trail of a run as text, for the message of a failed test."""
        return "\n".join(record.says for record in self.engine.journal.audit(run.id))

    def recorded(self, name: str) -> float | None:
        """Return the error ratio that Prometheus has recorded, None when there is none."""
        query = f"/api/v1/query?query=checkout:error_ratio%7Bservice=%22{name}%22%7D"
        found = json.loads(ask(self.prometheus, "GET", query)[1])["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def delivered(self) -> list[int]:
        """Return how many notifications each Alertmanager has sent."""
        name = b'alertmanager_notifications_total{integration="webhook"}'
        pages = [ask(port, "GET", "/metrics")[1] for port in self.alertmanagers]
        return [int(float(line.rsplit(b" ", 1)[1])) for page in pages for line in page.splitlines() if name in line]

    def accepted(self) -> int:
        """Return how many deliveries the runner has accepted."""
        assert self.runner is not None
        return len([event for event in self.runner.events("delivery") if event["accepted"]])

    def told(self, file: str, *words: str) -> int:
        """Return how many messages in a receiver's file hold all the words."""
        path = self.folder / file
        lines = path.read_text().splitlines() if path.exists() else []
        return len([line for line in lines if all(word in line for word in words)])

    # --- inside -------------------------------------------------------------------------------------------

    def _write(self, shipped: Path) -> None:
        place = self.folder / "runbooks"
        place.mkdir()
        (place / RUNBOOK.name).write_text(for_any_service((shipped / RUNBOOK).read_text()))
        (place / "engine.yaml").write_text(ENGINE.format(prometheus=self.prometheus))
        (self.folder / "ingest-token").write_text(secrets.token_urlsafe(24))
        (self.folder / "deployments").mkdir()
        self.reset_flags()
        self.inject(0.0, *self.names)
        _dump(self.folder / "rules.yml", {"groups": [rules_of(name) for name in self.names]})
        _dump(self.folder / "prometheus.yml", self._prometheus_config())
        _dump(self.folder / "alertmanager.yml", self._alertmanager_config())

    def _start_shop(self, name: str) -> None:
        folder = self.folder / "deployments" / name
        server = Server(
            application="wsgi:app",
            bind=f"127.0.0.1:{self.ports[name]}",
            source=str(self._source),
            ready_path="/healthz/ready",
        )
        settings = {
            "FLAG_STORE": str(self.flags),
            "FLAG_NAME": f"/{name}/degraded_mode",
            "FLAG_TTL": "0.2",
            "KNOBS_FILE": str(self.folder / f"knobs-{name}.json"),
        }
        create_deployment(
            folder,
            namespace="apps",
            name=name,
            server=server,
            replicas=1,
            release="v1",
            settings=settings,
            now=datetime.now(UTC),
        )
        self.children.start(name, [sys.executable, "-m", "runbook_adapters.process", "run", str(folder)])

    def _start_alerting(self) -> None:
        for number, port in enumerate(self.alertmanagers):
            command = [PROGRAMS[1], f"--config.file={self.folder / 'alertmanager.yml'}"]
            command += [f"--storage.path={self.folder / f'alertmanager-{number}'}", "--cluster.listen-address="]
            self.children.start(f"alertmanager-{number}", [*command, f"--web.listen-address=127.0.0.1:{port}"])
        command = [PROGRAMS[0], f"--config.file={self.folder / 'prometheus.yml'}", "--rules.alert.resend-delay=1s"]
        command += [f"--storage.tsdb.path={self.folder / 'prometheus'}"]
        self.children.start("prometheus", [*command, f"--web.listen-address=127.0.0.1:{self.prometheus}"])

    def _prometheus_config(self) -> Mapping[str, object]:
        shops = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name, "namespace": "apps"}}
            for name, port in self.ports.items()
        ]
        told = [{"targets": [f"127.0.0.1:{port}" for port in self.alertmanagers]}]
        return {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(self.folder / "rules.yml")],
            "scrape_configs": [{"job_name": "checkout", "static_configs": shops}],
            "alerting": {"alertmanagers": [{"static_configs": told}]},
        }

    def _alertmanager_config(self) -> Mapping[str, object]:
        credentials = {"authorization": {"credentials_file": str(self.folder / "ingest-token")}}
        webhook = {"url": f"http://127.0.0.1:{self.runner_port}/hooks/shops", "http_config": credentials}
        waits = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1m"}
        return {
            "route": {"receiver": "engine", "group_by": ["alertname", "service"], **waits},
            "receivers": [{"name": "engine", "webhook_configs": [webhook]}],
        }


def rules_of(name: str) -> Mapping[str, object]:
    """Return a shop's own rules: its two series, and the alert about the first."""
    of = f'{{service="{name}"}}'
    errors, requests = (f"sum(rate(checkout_{what}_total{of}[{WINDOW}]))" for what in ("errors", "requests"))
    buckets = f"sum by (le) (rate(checkout_request_duration_seconds_bucket{of}[{WINDOW}]))"
    labels = {"service": name}
    alert = {"severity": "critical", "cluster": "local", "namespace": "apps", **labels}
    return {
        "name": name,
        "rules": [
            {"record": "checkout:error_ratio", "expr": f"{errors} / {requests}", "labels": labels},
            {"record": "checkout:latency_p99", "expr": f"histogram_quantile(0.99, {buckets})", "labels": labels},
            {"alert": "CheckoutHighErrorRate", "expr": f"checkout:error_ratio{of} > 0.05", "labels": alert},
        ],
    }


def for_any_service(shipped: str) -> str:
    """Return the shipped runbook for any service, with short waiting times."""
    text = shorten(shipped)
    for before, after in ANY_SERVICE:
        assert before in text, f"the shipped runbook has no {before!r}"
        text = text.replace(before, after)
    return text


def _dump(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))
