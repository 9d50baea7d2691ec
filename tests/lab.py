"""A small installation for tests of the entry points: one runbook that flips a parameter, and who may ask for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.intake.recording import give_way
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.ports import Effects, Journal
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: lab}
clusters: [local]
adapters:
  flags: {adapter: files, path: ../flags.json, create: true}
scopes:
  lab: {source: alertmanager}
  other: {source: alertmanager}
teams:
  team-lab: {receiver: chat}
receivers:
  chat: {adapter: console}
targets: ["parameter=/lab/*"]
modeCeiling: auto
"""
TOKENS = """\
tokens:
  sender: {roles: [ingest], scopes: [lab], secrets: [{env: SENDER_OLD}, {env: SENDER_NEW}]}
  reader: {roles: [read], secrets: [{env: READER}]}
  ann: {roles: [read, operate], secrets: [{env: ANN}]}
"""
PATIENCE = 90.0  # seconds until a test gives up waiting: less than its own limit, more than any busy machine takes
SECRETS = {
    "SENDER_OLD": "old-secret-of-the-sender",
    "SENDER_NEW": "new-secret-of-the-sender",
    "READER": "the-secret-of-the-reader",
    "ANN": "the-secret-of-ann-herself",
}
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: shed, owner: team-lab, summary: Shed what is optional.}
matchers: ["alertname = Hot"]
inputs:
  part: {type: workload, from: alert.labels.part, default: all}
target: {parameter: "/lab/{{ inputs.part }}"}
mode: MODE
guardrails: {cooldown: 1s, deadline: 5m}
steps:
  - name: shed
    action: degrade
    with: {parameter: "/lab/{{ inputs.part }}", value: "true"}
    compensate: whenResolved
notify:
  - {receiver: chat, events: [started, approval, ended]}
"""


def install(folder: Path, *, config: str = CONFIG, mode: str = "auto") -> Settings:
    """Write an installation into a folder and return the settings of a host that runs it."""
    runbooks = folder / "runbooks"
    runbooks.mkdir(exist_ok=True)
    (runbooks / "engine.yaml").write_text(config)
    (runbooks / "shed.yaml").write_text(RUNBOOK.replace("MODE", mode))
    return read_settings(runbooks=runbooks, state=folder / "state", environment=SECRETS)


def bundle_in(folder: Path, *, config: str = CONFIG, mode: str = "auto") -> Bundle:
    """Write an installation and return it compiled."""
    return load_bundle_of(install(folder, config=config, mode=mode), Registry())


def webhook(*parts: str, name: str = "Hot", status: str = "firing") -> bytes:
    """Return a webhook body with one alert a part."""
    labels = [{"alertname": name, "part": part} for part in parts or ("all",)]
    return json.dumps({"alerts": [{"status": status, "labels": one} for one in labels]}).encode()


def simulated_engine(
    bundle: Bundle,
    simulated: SimulatedWorld,
    *,
    effects: Effects | None = None,
    journal: Journal | None = None,
    give_way: Callable[[int], None] = give_way,
) -> Engine:
    """Return an engine in a simulated world, with a journal in memory."""
    return Engine(
        bundle=bundle,
        journal=journal or MemoryJournal(),
        world=simulated.world,
        effects=effects or simulated.effects,
        registry=Registry(),
        give_way=give_way,
    )


def post(engine: Engine, body: bytes) -> tuple[str, ...]:
    """Ingest a body as the scope `lab`; return the executions that it opened."""
    headers = {"content-type": "application/json"}
    now = engine.world.clock.now()
    request = Request(scope="lab", source="alertmanager", headers=headers, body=body, received_at=now)
    return engine.ingest(request).opened


def wait_until(holds: Callable[[], bool], what: str, limit: float = PATIENCE) -> None:
    """Wait for something that other threads or processes do. Fails with what it was.

    The limit only says when to give up: it is no promise about time, and long enough for a machine ten times as slow.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited {limit} s, and still not: {what}")
