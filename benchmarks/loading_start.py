"""A start from a bundle, in fresh interpreters: until a matcher has answered, with the engine and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.cold_import import STATEMENTS
from benchmarks.timing import table

STARTED = 100  # runbooks in the bundle
_START = """
import sys
from pathlib import Path
{statement}
"""
_READY = """
from runbook_engine.loading.bundle import load_bundle
from runbook_engine.matching.prepared import index_of
index_of(load_bundle(Path({file!r}).read_bytes())).match({{"alertname": "Service1Alert"}})
"""
_TOLD = """
import json, os, time
pages = int(open("/proc/self/statm").read().split()[1])
print(json.dumps([time.process_time(), pages * os.sysconf("SC_PAGE_SIZE") / 2**20]))
"""


class Start(NamedTuple):
    """What one start costs, all of the interpreter included."""

    cpu: float
    resident: float


def compare_starts(file: Path, repeats: int) -> str:
    """Return what starts cost: of nothing, of msgspec and the values, and until a matcher from the file answers."""
    statements = {
        "nothing": "",
        "msgspec and the values": STATEMENTS["msgspec and the values"],
        "the bundle and its matcher": _READY.format(file=str(file)),
        "the engine, the bundle and its matcher": "import runbook_engine.engine" + _READY.format(file=str(file)),
    }
    kept: dict[str, list[Start]] = {name: [] for name in statements}
    for _ in range(repeats + 1):
        for name, statement in statements.items():
            kept[name].append(_interpreter(statement))
    nothing, values, ready, whole = (
        Start(*(median(each) for each in zip(*starts[1:], strict=True))) for starts in kept.values()
    )
    rows = [
        (name, (start.cpu - nothing.cpu) * 1e3, (start.cpu - nothing.cpu) / (values.cpu - nothing.cpu), more, goal)
        for name, start, more, goal in (
            ("msgspec and the values", values, values.resident - nothing.resident, "-"),
            ("a bundle of 100 runbooks, and a matcher", ready, ready.resident - nothing.resident, "-"),
            ("the engine too", whole, whole.resident - nothing.resident, "<= 1.5, +10 MiB"),
        )
    ]
    return table(("start", "CPU ms", "x the values", "MiB", "goal"), rows)


def _interpreter(statement: str) -> Start:
    written = _START.format(statement=statement) + _TOLD
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", written], capture_output=True, text=True, check=True, env=environment)
    return Start(*json.loads(done.stdout))
