"""`runbook backtest` on a real Prometheus with thirty days of back-filled history: exact episodes, exact counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab import PATIENCE, wait_until
from tests.ports import free_port
from tests.tools import find_tool

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.xdist_group("backtest")]  # one Prometheus for all of them

UNTIL = datetime(2026, 3, 3, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
SINCE = UNTIL - MONTH
MINUTE = timedelta(minutes=1)
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: hindsight}
scopes: {prometheus: {source: alertmanager}}
receivers: {chat: {adapter: console}}
teams: {team-shop: {receiver: chat}}
targets: ["parameter=/shop/*", "deployment=shop/*"]
modeCeiling: auto
"""
RUNBOOKS = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: shed, owner: team-shop}
matchers: [alertname = Slow, cluster = eu]
inputs: {part: {type: workload, from: alert.labels.part}}
target: {parameter: "/shop/{{ inputs.part }}"}
mode: auto
guardrails: {cooldown: 2h, deadline: 1h}
steps:
  - name: shed
    action: degrade
    with: {parameter: "/shop/{{ inputs.part }}", value: "on"}
    compensate: {when: resolved, holdFor: 5m}
---
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: restart, owner: team-shop}
matchers: [alertname = Broken]
target: {namespace: shop, deployment: api}
mode: auto
guardrails: {cooldown: 30m, deadline: 1h, minimumFaultAge: 10m}
steps: [{name: restart, action: restart}]
"""
EPISODES: Mapping[tuple[tuple[str, str], ...], list[tuple[timedelta, int]]] = {
    # labels -> begins so long after the start of the window, fires for so many minutes
    (("alertname", "Slow"), ("part", "cart")): [
        (timedelta(days=1), 20),
        (timedelta(days=1, hours=1), 20),  # within the cooldown
        (timedelta(days=20), 30),
    ],
    (("alertname", "Slow"), ("part", "mail")): [(timedelta(days=20), 30)],
    (("alertname", "Broken"),): [
        (timedelta(days=3), 5),  # over before it is old enough
        (timedelta(days=4), 15),
        (timedelta(days=29, hours=23, minutes=30), 31),  # and still firing
    ],
    (("alertname", "Disk"),): [(timedelta(minutes=-60), 180), (timedelta(days=12), 60)],
}


def open_metrics() -> str:
    """Return the series that a Prometheus would have recorded of these episodes, a sample a minute."""
    lines = ["# TYPE ALERTS gauge"]
    states = ["# TYPE ALERTS_FOR_STATE gauge"]
    for labels, episodes in EPISODES.items():
        said = ",".join(f'{name}="{text}"' for name, text in labels)
        for after, minutes in episodes:
            for number in range(minutes):
                at = (SINCE + after + number * MINUTE).timestamp()
                lines.append(f'ALERTS{{alertstate="firing",{said}}} 1 {at:.0f}')
                states.append(f"ALERTS_FOR_STATE{{{said}}} {(SINCE + after).timestamp():.0f} {at:.0f}")
    return "\n".join([*lines, *states, "# EOF\n"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that holds thirty days of it."""
    folder = tmp_path_factory.mktemp("hindsight")
    (folder / "history.txt").write_text(open_metrics())
    (folder / "prometheus.yml").write_text("global: {}\n")
    backfill = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=768h"]
    subprocess.run(
        [find_tool("promtool"), *backfill, str(folder / "history.txt"), str(folder / "data")],
        check=True,
        capture_output=True,
    )
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        str(find_tool("prometheus")),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: _ready(f"http://{address}"), "Prometheus is ready")
        yield f"http://{address}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def runbooks(tmp_path: Path) -> Path:
    """A folder with the runbooks and their installation."""
    (tmp_path / "engine.yaml").write_text(CONFIG)
    (tmp_path / "runbooks.yaml").write_text(RUNBOOKS)
    return tmp_path


def test_a_month_of_a_servers_alerts_is_replayed(prometheus: str, runbooks: Path) -> None:
    """Every episode is found with its times, and every run is counted with what stopped it."""
    found = _backtest(prometheus, runbooks, "--label", "cluster=eu", "--format", "json")

    shed, restart = found["runbooks"]
    counts = ("episodes", "began_before", "still_firing", "matched", "unmatched", "would_act", "blocked")
    assert (9, 1, 1, 7, 2, 5, 1) == tuple(found[key] for key in counts)
    assert [{"name": "Disk", "episodes": 2, "firing_seconds": 4 * 3600}] == found["unmatched_top"]
    assert {"since": "2026-02-01T12:00:00Z", "until": "2026-03-03T12:00:00Z", "step_seconds": 60.0} == found["window"]
    assert (4, 3, 1) == (shed["matched"], shed["would_act"], shed["blocked"])
    assert [("cooldown", 1)] == [(no["reason"], no["runs"]) for no in shed["blocked_by"]]
    assert (3, 2, 1) == (restart["matched"], restart["would_act"], restart["resolved_first"])
    assert ["bounds", "gitops", "pause", "stepCap"] == sorted(each["what"] for each in restart["unknown"])
    assert ("2026-02-02T12:00:00Z", "2026-02-21T12:00:00Z") == (shed["first"], shed["last"])
    assert ("2026-02-21T12:00:00Z", 2) == (shed["busiest_hour"], shed["busiest_hour_episodes"])


def test_what_a_server_adds_when_it_sends_is_told(prometheus: str, runbooks: Path) -> None:
    """Its own series lack the external labels: without them a matcher of the cluster finds nothing."""
    found = _backtest(prometheus, runbooks, "--since", "10d", "--step", "5m", "--format", "json")

    shed, restart = found["runbooks"]
    assert (0, 1) == (shed["matched"], restart["matched"])
    assert ("2026-02-21T12:00:00Z", 300.0) == (found["window"]["since"], found["window"]["step_seconds"])


def _backtest(url: str, runbooks: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-c", "from runbook_engine.entrypoints.cli import main; raise SystemExit(main())"]
    asked = ["backtest", "--prometheus", url, "--until", UNTIL.isoformat(), "--runbooks", str(runbooks), *more]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert 0 == done.returncode, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
