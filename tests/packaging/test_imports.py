"""Loading the engine stays light: what a host needs to take an alert in drags no heavy library along."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import runbook_engine

HEAVY = ("boto3", "botocore", "dateutil", "flask", "jinja2", "kubernetes", "pydantic", "yaml")
MOST_NAMES = 25
TYPED = Path(".mypy_cache/consumer")  # reading the package for the first time takes ten times as long as knowing it

INTAKE = """
    import json, sys, tempfile
    from datetime import UTC, datetime, timedelta
    from pathlib import Path

    import runbook_engine
    from runbook_engine import Bundle, Engine, Registry, Request, Runbook
    from runbook_engine.loading.bundle import dump_bundle, load_bundle
    from runbook_engine.model.configuration import Configuration, Scope
    from runbook_engine.model.guardrail import Guardrails
    from runbook_engine.model.matcher import Matcher
    from runbook_engine.model.runbook import Step
    from runbook_engine.model.target import TargetTemplate
    from runbook_engine.testing.simulated_world import SimulatedWorld

    {journal}

    runbook = Runbook(
        name="checkout",
        digest="d1",
        owner="team-checkout",
        matchers=(Matcher("alertname", "=", "CheckoutDown"), Matcher("severity", "=~", "crit.*")),
        target=TargetTemplate(kind="deployment", name="checkout", namespace="apps"),
        guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        steps=(Step(name="shed", action="degrade", arguments={{"parameter": "/checkout/degraded", "value": "true"}}),),
    )
    configuration = Configuration(clusters=("local",), scopes=(Scope(name="local"),), targets=("deployment=apps/*",))
    bundle = load_bundle(dump_bundle(Bundle((runbook,), configuration)))
    simulated = SimulatedWorld()
    engine = Engine(
        bundle=bundle,
        journal=journal,
        world=simulated.world,
        effects=simulated.effects,
        registry=Registry(),
    )
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    alert = {{
        "status": "firing",
        "labels": {{"alertname": "CheckoutDown", "severity": "critical"}},
        "startsAt": now.isoformat(),
    }}
    body = json.dumps({{"version": "4", "alerts": [alert]}}).encode()
    receipt = engine.ingest(Request("local", "alertmanager", {{"content-type": "application/json"}}, body, now))
    heavy = [name for name in {heavy} if name in sys.modules]
    print(json.dumps({{"opened": len(receipt.opened), "heavy": heavy}}))
"""
MEMORY = """
    from runbook_engine.testing.memory_journal import MemoryJournal
    journal = MemoryJournal()
"""
SQLITE = """
    from runbook_adapters.sqlite import SqliteJournal
    from runbook_adapters.sqlite.database import Database
    journal = SqliteJournal(Database(Path(tempfile.mkdtemp()) / "journal.sqlite3", timedelta(seconds=5)))
"""


def fresh(code: str) -> Any:
    """Return what the code prints as JSON in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "journal", [pytest.param(MEMORY, id="journal in memory"), pytest.param(SQLITE, id="journal in a file")]
)
@pytest.mark.slow
def test_taking_an_alert_in_loads_nothing_heavy_when_the_bundle_is_compiled(journal: str) -> None:
    """A cold host imports the engine, loads a bundle, and stores an execution that a pattern matched."""
    seen = fresh(INTAKE.format(journal=journal.strip("\n").replace("    ", "", 1).rstrip(), heavy=HEAVY))

    assert {"opened": 1, "heavy": []} == seen


def test_public_names_are_few_sorted_and_importable() -> None:
    """What is promised is there, and nothing else is."""
    promised = runbook_engine.__all__

    found = {name: getattr(runbook_engine, name) for name in promised}

    assert sorted(promised) == list(promised) == dir(runbook_engine)
    assert not [name for name, value in found.items() if isinstance(value, ModuleType)]
    assert len(promised) <= MOST_NAMES


@pytest.mark.slow
def test_public_names_have_types_when_a_consumer_is_checked(tmp_path: Path) -> None:
    """Installed as a typed package: a strict type checker knows every public name, and none of them as Any."""
    consumer = tmp_path / "consumer.py"
    revealed = [f"reveal_type(runbook_engine.{name})" for name in runbook_engine.__all__]
    consumer.write_text("\n".join(["import runbook_engine", *revealed]))
    options = ("--strict", "--config-file=", f"--cache-dir={TYPED}", "--no-error-summary")

    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(consumer)], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stdout
    assert len(revealed) == done.stdout.count("Revealed type is")
    assert 'Revealed type is "Any"' not in done.stdout
