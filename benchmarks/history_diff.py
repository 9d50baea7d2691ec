"""`runbook diff` over a long history: read two folders of runbooks, and compare what each plans for every alert.

Every runbook is written otherwise on the second side, so that no plan can be left out of the comparison.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.mixes import Labels, alerts, runbooks
from benchmarks.timing import seconds, table
from runbook_engine.backtest.difference import compare
from runbook_engine.backtest.history import read_history
from runbook_engine.loading.files import load_valid_files
from runbook_engine.matching.placement import Entry
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.hindsight import Difference
from runbook_engine.registry import Registry

SIZES = ((200, 10_000), (1_000, 10_000))  # runbooks, alerts
QUICK_SIZES = ((200, 2_000),)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: benchmark}
clusters: [eu-0, eu-1, eu-2]
scopes: {shop: {source: alertmanager}}
teams: {team-shop: {receiver: chat}}
receivers: {chat: {adapter: console}}
targets: ["deployment=*/*"]
modeCeiling: auto
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: NAME, owner: team-shop}
matchers: MATCHERS
inputs:
  cluster: {type: cluster, from: alert.labels.cluster}
  namespace: {type: namespace, from: alert.labels.namespace}
  service: {type: workload, from: alert.labels.service}
target: {cluster: "{{ inputs.cluster }}", namespace: "{{ inputs.namespace }}", deployment: "{{ inputs.service }}"}
mode: auto
guardrails: {cooldown: 30m, deadline: 1h}
steps:
  - {name: grow, action: scale, with: {by: 50%, upTo: MOST}, compensate: whenResolved}
  - {name: tell, action: notify, with: {receiver: chat, text: "{{ inputs.service }} is slow"}}
"""


def run(*, quick: bool = False) -> str:
    """Return the figures of all sizes."""
    head = ("runbooks", "alerts", "s reading runbooks", "s comparing", "s whole", "plans changed", "us an alert")
    return table(head, [_row(*size) for size in (QUICK_SIZES if quick else SIZES)])


def _row(number: int, count: int) -> tuple[object, ...]:
    entries = runbooks(number)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = folder / "history.jsonl"
        history.write_text("".join(_lines(alerts(count, entries))))
        sides = [_write(folder / side, entries, most) for side, most in (("old", "12"), ("new", "14"))]
        loading = seconds(lambda: [_load(side) for side in sides], rounds=1)
        old, new = (_load(side) for side in sides)
        comparing = seconds(lambda: _compare(old, new, history), rounds=1)
        changed = sum(each.changed for each in _compare(old, new, history).runbooks)
    return number, count, loading, comparing, loading + comparing, changed, comparing / count * 1e6


def _compare(old: Bundle, new: Bundle, history: Path) -> Difference:
    return compare(old, new, read_history(history), Registry(), names=("old", "new"), scope="shop")


def _load(folder: Path) -> Bundle:
    return load_valid_files([folder], Registry(), folder / "engine.yaml").bundle


def _write(folder: Path, entries: Sequence[Entry], most: str) -> Path:
    folder.mkdir()
    (folder / "engine.yaml").write_text(CONFIG)
    for entry in entries:
        matchers = json.dumps([f"{each.name} {each.op} {json.dumps(each.value)}" for each in entry.matchers])
        text = RUNBOOK.replace("NAME", entry.name).replace("MATCHERS", matchers).replace("MOST", most)
        (folder / f"{entry.name}.yaml").write_text(text)
    return folder


def _lines(asked: Sequence[Labels]) -> Iterator[str]:
    for number, labels in enumerate(asked):
        at = (NOON + timedelta(seconds=number)).isoformat()
        yield json.dumps({"at": at, "status": "firing", "labels": labels}) + "\n"
