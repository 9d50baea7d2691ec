"""Every query of every dashboard is asked of a real Prometheus that recorded a real checkout and a real engine."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.boards import FILES, RULES, Query, everything, load, queries, variables
from tests.dashboards.history import STEP, STEPS, record
from tests.lab import PATIENCE, wait_until
from tests.ports import free_port
from tests.tools import find_tool

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.xdist_group("dashboards")]  # one Prometheus for all

BOARDS = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
CHOSEN = {  # what a person chooses: one installation
    "service-overview": {"namespace": "apps", "service": "checkout"},
    "incidents": {"namespace": "runbooks", "service": "runbook-engine"},
    "engine-health": {"namespace": "runbooks", "service": "runbook-engine"},
}
LAST_RULES = ("checkout:error_budget:remaining_ratio", "runbook:executions:increase1h")
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(frozen=True)
class Server:
    """A Prometheus with a past."""

    address: str

    def ask(self, path: str, **values: Any) -> Any:
        """Return what it answers. Raises AssertionError with its own words when it refuses."""
        asked = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(values, doseq=True)}"
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def rules_ran(self) -> float:
        """Return when the group ran last that waits for longest; 0 while one never ran. Each has its own moment."""
        groups = self.ask("rules")["groups"]
        return min(max(0.0, datetime.fromisoformat(each["lastEvaluation"][:19] + "Z").timestamp()) for each in groups)

    def numbers(self, query: str, *, instant: bool) -> list[float]:
        """Return every number that a panel would show."""
        now = time.time()
        if instant:
            series = self.ask("query", query=query, time=now)["result"]
            texts = [one["value"][1] for one in series]
        else:
            span = {"start": now - STEPS * STEP, "end": now, "step": STEP}
            series = self.ask("query_range", query=query, **span)["result"]
            texts = [text for one in series for _, text in one["values"]]
        return [number for number in map(float, texts) if math.isfinite(number)]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that holds the past twenty minutes with what the rules made of them, and goes on with the rules."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "installation").mkdir()
    (folder / "history.txt").write_text(record(folder / "installation"))
    for rules in RULES:
        quick = re.sub(r"interval: \d+[sm]", "interval: 1s", rules.read_text())
        # On a busy machine more than a minute passes between the last sample and the first evaluation.
        (folder / rules.name).write_text(quick.replace("[1m]", "[5m]"))
    (folder / "past.yml").write_text(yaml.safe_dump({"groups": [{"name": "past", "rules": remembered()}]}))
    (folder / "before.yml").write_text("global: {}\n")
    (folder / "now.yml").write_text(f"rule_files: ['{folder}/*.rules.yaml']\n")
    _backfill(folder, "openmetrics", folder / "history.txt", folder / "data")
    with _running(folder, "before.yml") as server:
        span = [f"--start={time.time() - STEPS * STEP:.0f}", f"--end={time.time():.0f}", f"--eval-interval={STEP}s"]
        _backfill(folder, "rules", f"--url={server.address}", *span, f"--output-dir={folder}/data", folder / "past.yml")
    with _running(folder, "now.yml") as server:
        wait_until(lambda: server.rules_ran() > 0, "the rules ran")
        first = server.rules_ran()
        wait_until(lambda: server.rules_ran() > first + 2, "they ran again, on what other groups recorded")
        wait_until(lambda: all(server.ask("query", query=rule)["result"] for rule in LAST_RULES), "the last is there")
        yield server


def remembered() -> list[dict[str, Any]]:
    """Return the recording rules whose past other rules look at: those must have been evaluated before."""
    groups = [group for rules in RULES for group in yaml.safe_load(rules.read_text())["groups"]]
    every = [rule for group in groups for rule in group["rules"]]
    return [rule for rule in every if any(f"{rule.get('record')}[" in other["expr"] for other in every)]


def _backfill(folder: Path, kind: str, *arguments: object) -> None:
    command = [str(find_tool("promtool")), "tsdb", "create-blocks-from", kind, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


@contextmanager
def _running(folder: Path, configuration: str) -> Iterator[Server]:
    listen = f"127.0.0.1:{free_port()}"
    arguments = [f"--config.file={folder / configuration}", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [find_tool("prometheus"), *arguments, f"--web.listen-address={listen}"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _is_ready(listen), "Prometheus is ready")
        yield Server(f"http://{listen}")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _is_ready(listen: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{listen}/-/ready", timeout=10):
            return True
    except OSError:
        return False


def test_promtool_reads_every_query(tmp_path: Path) -> None:
    """As rules, with variables replaced: names of functions, brackets and label matchers are right."""
    rules = [
        {"record": f"panel:number_{number}", "expr": query.filled(everything(load(file)))}
        for number, (file, query) in enumerate((file, query) for file in FILES for query in queries(file))
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))

    said = subprocess.run(
        [find_tool("promtool"), "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False
    )

    assert said.returncode == 0, said.stderr
    assert f"{len(rules)} rules found" in said.stdout


@BOARDS
@pytest.mark.parametrize("chosen", [False, True], ids=["everything", "one installation"])
def test_every_query_returns_a_series(file: Path, chosen: bool, prometheus: Server) -> None:
    """No panel is empty in an installation in which all of it has happened."""
    values = CHOSEN[file.stem] if chosen else everything(load(file))

    empty = [query.where for query in queries(file) if not _numbers(query, values, prometheus)]

    assert empty == []


@BOARDS
def test_another_installation_is_not_mixed_in(file: Path, prometheus: Server) -> None:
    """What is filtered by a namespace that does not exist shows nothing, or 0 where it says so itself."""
    values = {**CHOSEN[file.stem], "namespace": "elsewhere"}
    filtered = [query for query in queries(file) if "$namespace" in query.expr]

    mixed = [query.where for query in filtered if any(_numbers(query, values, prometheus))]

    assert filtered
    assert mixed == []


@BOARDS
def test_variables_offer_what_is_there(file: Path, prometheus: Server) -> None:
    """The list above the panels has the namespace and the service in it."""
    board = load(file)
    offered = {}
    for name, variable in variables(board).items():
        if variable["type"] != "query":
            continue
        found = LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert found is not None, name
        selector = Query(name, found[1], instant=True).filled(everything(board))
        offered[name] = prometheus.ask(f"label/{found[2]}/values", **{"match[]": selector})

    assert offered == {name: [value] for name, value in CHOSEN[file.stem].items()}


def _numbers(query: Query, values: dict[str, str], server: Server) -> list[float]:
    return server.numbers(query.filled(values), instant=query.instant)
