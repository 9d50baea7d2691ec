"""The command line as it is started: real processes, a real journal, real files, a real service's metrics."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

MAIN = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"
COUNTED = (
    "import sys, json; from runbook_engine.entrypoints.cli import main; code = main(sys.argv[1:]); "
    "print(json.dumps(sorted(sys.modules)), file=sys.stderr); sys.exit(code)"
)
HEAVY = {"boto3", "botocore", "kubernetes", "flask", "werkzeug", "gunicorn", "prometheus_client", "rich", "asyncio"}
MOST_MODULES = 680  # measured: 600 for lint, 637 for plan, and half of them our own small ones
CONFIG = """
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: local}}
clusters: [local]
adapters:
  flags: {{adapter: files, path: flags.json, create: true}}
  metrics: {{adapter: scrape, url: "{metrics}"}}
scopes: {{local: {{source: alertmanager}}}}
receivers: {{chat: {{adapter: console, path: chat.log}}}}
teams: {{team-checkout: {{receiver: chat}}}}
targets: [parameter=/checkout/*]
modeCeiling: [{{mode: auto}}]
series: {{"checkout:error_ratio": {{kind: value, metric: checkout_error_ratio}}}}
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: degrade-checkout, owner: team-checkout, summary: Shed optional features.}
matchers: [alertname = CheckoutHighErrorRate]
target: {parameter: /checkout/degraded_mode}
mode: auto
strategy: escalate
verify: [{query: "checkout:error_ratio", below: 0.02, for: 1s, timeout: 20s}]
guardrails: {cooldown: 30m, deadline: 40m}
steps:
  - name: degrade
    action: degrade
    with: {parameter: /checkout/degraded_mode, value: "true"}
    compensate: whenResolved
"""
ALERT = {"labels": {"alertname": "CheckoutHighErrorRate", "severity": "critical"}, "status": "firing"}


class Shop(ThreadingHTTPServer):
    """A service whose errors end while it is degraded."""

    def __init__(self, flags: Path) -> None:
        super().__init__(("127.0.0.1", 0), Metrics)
        self.flags = flags


class Metrics(BaseHTTPRequestHandler):
    """One metric that follows from the flag."""

    server: Shop

    def do_GET(self) -> None:
        degraded = self.server.flags.exists() and '"true"' in self.server.flags.read_text()
        body = f"checkout_error_ratio {0.001 if degraded else 0.12}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with an installation, a runbook and an alert, beside a service in trouble."""
    shop = Shop(tmp_path / "runbooks" / "flags.json")
    thread = threading.Thread(target=shop.serve_forever, daemon=True)
    thread.start()
    (tmp_path / "runbooks").mkdir()
    address = f"http://127.0.0.1:{shop.server_port}/metrics"
    (tmp_path / "runbooks" / "engine.yaml").write_text(CONFIG.format(metrics=address))
    (tmp_path / "runbooks" / "degrade.yaml").write_text(RUNBOOK)
    (tmp_path / "alert.json").write_text(json.dumps(ALERT))
    yield tmp_path
    shop.shutdown()
    shop.server_close()
    thread.join()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNBOOK_", "NO_COLOR"))}
    return {**kept, "RUNBOOK_OPERATOR": "ann", "PYTHONIOENCODING": "utf-8"}


def _run(place: Path, *argv: str, program: str = MAIN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *argv],
        cwd=place,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize(
    "argv",
    [("lint", "runbooks"), ("explain", "--alert", "alert.json"), ("plan", "--alert", "alert.json")],
    ids=["lint", "explain", "plan"],
)
def test_a_command_that_only_looks_loads_nothing_heavy(place: Path, argv: tuple[str, ...]) -> None:
    """No cloud, no cluster, no web framework, and no colour library in a pipe."""
    result = _run(place, *argv, program=COUNTED)

    modules = set(json.loads(result.stderr.splitlines()[-1]))
    assert 0 == result.returncode
    assert set() == HEAVY & modules
    assert len(modules) <= MOST_MODULES


@pytest.mark.slow
def test_an_incident_from_plan_to_record_over_several_processes(place: Path) -> None:
    """Each command is a process of its own: what must last is in the journal."""
    planned = _run(place, "plan", "--alert", "alert.json", "--format", "json")
    plan = json.loads(planned.stdout)["plans"][0]["plan_hash"]

    ran = _run(place, "run", "--alert", "alert.json", "--plan", plan[:8], "--format", "json")

    assert (0, 0, "") == (planned.returncode, ran.returncode, ran.stderr)
    (execution,) = json.loads(ran.stdout)["executions"]
    assert ("succeeded", "held") == (execution["status"], execution["compensation"])
    assert [0.12, 0.001] == [execution["steps"][0][side][0]["value"] for side in ("before", "after")]

    shown = _run(place, "executions", execution["id"][:8]).stdout
    screen = _run(place).stdout
    again = _run(place, "run", "--alert", "alert.json", "--plan", plan[:8])

    assert f"execution {execution['id'][:8]}  succeeded, changes held\n" in shown
    assert 'degrade: is about to change /checkout/degraded_mode value unset -> "true"' in shown
    assert screen.startswith("Nothing needs you.\n\nHeld, to be undone\n")
    assert 1 == again.returncode
    assert "already has /checkout/degraded_mode" in again.stderr


@pytest.mark.slow
def test_the_kill_switch_reaches_another_process(place: Path) -> None:
    """Thrown here, it stops a run there."""
    assert 0 == _run(place, "pause", "--for", "10m", "--reason", "deploy").returncode

    paused = _run(place, "plan", "--alert", "alert.json")
    resumed = _run(place, "resume")
    free = _run(place, "plan", "--alert", "alert.json")

    assert "guardrails: WAIT pause, " in paused.stdout
    assert "waits for degrade: paused by ann until " in paused.stdout
    assert (0, 0, 0) == (paused.returncode, resumed.returncode, free.returncode)
    assert "waits for" not in free.stdout


@pytest.mark.slow
def test_a_broken_runbook_does_not_keep_a_person_from_stopping_a_run(place: Path) -> None:
    """Only engine.yaml is read for that."""
    plan = json.loads(_run(place, "plan", "--alert", "alert.json", "--format", "json").stdout)["plans"][0]["plan_hash"]
    ran = _run(place, "run", "--alert", "alert.json", "--plan", plan, "--format", "json")
    identity = json.loads(ran.stdout)["executions"][0]["id"]
    (place / "runbooks" / "broken.yaml").write_text("kind: [\n")

    stopped = _run(place, "takeover", identity, "--keep")
    screen = _run(place)

    assert 0 == stopped.returncode
    assert "asked by ann to hand it over: what was changed will stay" in stopped.stdout
    assert 0 == screen.returncode
    assert "shown without a look at the signals" in screen.stderr


def test_a_reader_that_leaves_early_is_no_error(place: Path) -> None:
    """`runbook schema | head -1` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "schema"],
        cwd=place,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        code = process.wait(timeout=60)

    assert (0, b"") == (code, said)


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["as it is", "off"])
def test_a_real_terminal_sees_colour_unless_told_otherwise(
    place: Path, environment: dict[str, str], coloured: bool
) -> None:
    """Standard output is a terminal here."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "--help"],
        cwd=place,
        env={**_environment(), "TERM": "xterm-256color", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
        code = process.wait(timeout=60)
    os.close(ours)

    assert 0 == code
    assert b"doctor" in said
    assert coloured is (b"\x1b[" in said)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux says so when the other end of a terminal is closed
        return b""
