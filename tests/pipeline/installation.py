"""One installation in the in-process AWS: our own handlers and state machine, as Terraform would deploy them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from runbook_engine.entrypoints.aws_lambda.approving import answer_link
from runbook_engine.entrypoints.aws_lambda.driving import drive_on
from runbook_engine.entrypoints.aws_lambda.host import Host, build_host
from runbook_engine.entrypoints.aws_lambda.ingesting import take
from runbook_engine.entrypoints.aws_lambda.state_machine import definition
from runbook_engine.entrypoints.aws_lambda.sweeping import sweep_up
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.vault import Vault
from runbook_engine.loading.bundle import dump_bundle
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.execution import Execution
from runbook_engine.registry import Registry
from tests.emulators.aws import ACCOUNT, REGION, Aws, Context, HttpReply, Killed

TOKEN = "t" * 40
FLAG = "/checkout/degraded_mode"
ALARMS = f"events:aws.cloudwatch@{ACCOUNT}"
CONFIG = """
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: pipeline}
adapters:
  flags: {adapter: ssm}
  pause: {adapter: ssm, parameter: /runbook-engine/pause}
  metrics: {adapter: cloudwatch}
scopes:
  alertmanager: {source: alertmanager}
  alarms: {source: cloudwatch, from: ["events:aws.cloudwatch"]}
tokens:
  alertmanager: {roles: [ingest], secrets: [{ssm: /runbook-engine/tokens/alertmanager}], scopes: [alertmanager]}
  ann: {roles: [read, operate], secrets: [{ssm: /runbook-engine/tokens/ann}]}
receivers:
  oncall: {adapter: sns, topic: {env: RUNBOOK_TOPIC_ONCALL}}
teams:
  team-checkout: {receiver: oncall}
targets: ["parameter=/checkout/*"]
modeCeiling: auto
limits: {lease: 60s}
"""
SHED = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: shed, owner: team-checkout, summary: Shed optional features until the alert has resolved.}
matchers: [alertname = CheckoutHighErrorRate]
target: none
mode: auto
strategy: sequence
guardrails: {cooldown: 10m, deadline: 2h}
steps:
  - name: shed-optional-features
    action: degrade
    with: {parameter: /checkout/degraded_mode, value: "true"}
    compensate: {when: resolved, holdFor: 10m, onRefire: keep}
notify:
  - {receiver: oncall, events: [started, changed, approval, blocked, ended, notFixed]}
"""


@dataclass
class Installation:
    """What is deployed, and how a test speaks to it."""

    aws: Aws
    folder: Path
    runbooks: tuple[str, ...] = (SHED,)
    config: str = CONFIG
    bundle: Bundle | None = None  # instead of the texts
    rig: Callable[[Host, bool], Host] = lambda host, acts: host  # what a test puts into a new process
    checkpoint: Callable[[str], None] = lambda name: None  # hears where a driver is
    _hosts: dict[bool, Host] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compile the runbooks, make the resources, deploy the functions."""
        ssm = self.aws.client("ssm")
        for name, value in {"alertmanager": TOKEN, "ann": "a" * 40}.items():
            ssm.put_parameter(Name=f"/runbook-engine/tokens/{name}", Value=value, Type="SecureString")
        ssm.put_parameter(Name=FLAG, Value="false", Type="String")
        self.digest = self._compile()
        self.pipeline = self.aws.deploy(
            json.dumps(definition()),
            {
                "ingest": lambda event, context: take(event, context, self.host(acts=False)),
                "drive": self._drive,
                "approve": lambda event, context: answer_link(event, self.host(acts=False)),
                "sweep": lambda event, context: sweep_up(self.host(acts=False)),
            },
        )

    def host(self, *, acts: bool) -> Host:
        """Return the host of a function's process; the process lives until `restart`."""
        if acts not in self._hosts:
            environment = {
                **self.pipeline.environment,
                "RUNBOOK_BUNDLE_DIGEST": self.digest,
                "LAMBDA_TASK_ROOT": str(self.folder),
            }
            settings = Settings(
                environment=environment,
                state=self.folder / "state",
                looks_only=not acts,
                vault=Vault(clock=self.aws.clock),
            )
            self._hosts[acts] = self.rig(
                build_host(settings, acts=acts, clock=self.aws.clock, checkpoint=self.checkpoint), acts
            )
        return self._hosts[acts]

    def restart(self) -> None:
        """Let every function begin with a new process."""
        self._hosts.clear()

    # --- what others do -----------------------------------------------------------------------------------

    def post(self, *alerts: dict[str, Any], token: str = TOKEN, scope: str = "alertmanager") -> HttpReply:
        """Post a webhook as Alertmanager does."""
        body = {"version": "4", "groupKey": "{}:{}", "receiver": "runbooks", "status": "firing", "alerts": list(alerts)}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return self.aws.http("POST", f"/hooks/{scope}", headers=headers, body=json.dumps(body))

    def fires(self, name: str = "CheckoutHighErrorRate", **labels: str) -> dict[str, Any]:
        """Return an alert that fires since now."""
        return self._alert("firing", name, labels, self.aws.clock.now())

    def resolved(self, alert: dict[str, Any]) -> dict[str, Any]:
        """Return the same alert, resolved now."""
        ended = self.aws.clock.now().isoformat()
        return {**alert, "status": "resolved", "endsAt": ended}

    def follow(self, url: str, method: str = "GET", body: str = "") -> HttpReply:
        """Ask for a link, as a browser does."""
        parts = urlsplit(url)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        path = "/approvals/" + parts.path.rpartition("/")[2]
        return self.aws.http(method, path, headers=headers, body=body, query=parse_qsl(parts.query))

    # --- what is ------------------------------------------------------------------------------------------

    def flag(self) -> str:
        """What the flag of checkout says."""
        return str(self.aws.client("ssm").get_parameter(Name=FLAG)["Parameter"]["Value"])

    def writes(self) -> list[str]:
        """Every value that the flag ever had, the first one included."""
        history = self.aws.client("ssm").get_parameter_history(Name=FLAG)["Parameters"]
        return [entry["Value"] for entry in sorted(history, key=lambda entry: entry["Version"])]

    def executions(self) -> tuple[Execution, ...]:
        """Every execution of the engine, newest first."""
        return self.host(acts=False).engine.journal.executions(limit=100)

    def execution(self) -> Execution:
        """The only execution."""
        (only,) = self.executions()
        return only

    def told(self) -> list[dict[str, Any]]:
        """What the topic of the on-call has told since it was last asked: the structured message of each."""
        envelopes = [message.json() for message in self.aws.messages(self.pipeline.queues["messages"])]
        return [json.loads(envelope["Message"]) for envelope in envelopes if "event" in envelope["MessageAttributes"]]

    def drivers(self, *, running: bool = False) -> int:
        """How many runs of the state machine there were, or are under way."""
        return len(self.aws.executions("RUNNING" if running else None))

    # --- inside -------------------------------------------------------------------------------------------

    def _drive(self, event: dict[str, Any], context: Context) -> dict[str, Any]:
        """Be called as the function that drives; a death takes its process with it."""
        try:
            return drive_on(event, context, self.host(acts=True))
        except Killed:
            del self._hosts[True]
            raise

    def _compile(self) -> str:
        content = dump_bundle(self.bundle or self._loaded())
        (self.folder / "bundle.msgpack").write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def _loaded(self) -> Bundle:
        sources = self.folder / "runbooks"
        sources.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(self.runbooks):
            (sources / f"{number}.yaml").write_text(text)
        config = sources / "engine.yaml"
        config.write_text(self.config)
        return load_valid_files([sources], Registry(), config).bundle

    def _alert(self, status: str, name: str, labels: Mapping[str, str], at: datetime) -> dict[str, Any]:
        return {
            "status": status,
            "labels": {"alertname": name, "severity": "critical", **labels},
            "annotations": {},
            "startsAt": (at - timedelta(minutes=1)).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "",
        }


__all__ = ["ACCOUNT", "ALARMS", "CONFIG", "FLAG", "REGION", "SHED", "TOKEN", "Installation"]
