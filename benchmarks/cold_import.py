"""Cold start: what importing the engine costs in a fresh interpreter, beside its parts and beside heavier peers.

The memory is what Python itself allocates. The heavy modules that must stay out are listed when they are in.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import Any, NamedTuple

from benchmarks.timing import table

FORBIDDEN = ("boto3", "botocore", "kubernetes", "flask", "pydantic", "jinja2", "yaml")
REPEATS = 7
QUICK_REPEATS = 3
_MODELS = """
import importlib.util, sys, types
engine = types.ModuleType("runbook_engine")  # the values alone, without what the package itself imports
engine.__path__ = importlib.util.find_spec("runbook_engine").submodule_search_locations
sys.modules["runbook_engine"] = engine
import runbook_engine.model.alert, runbook_engine.model.runbook, runbook_engine.model.execution
"""
STATEMENTS = {
    "msgspec": "import msgspec",
    "msgspec and the values": _MODELS,
    "runbook_engine.engine": "import runbook_engine.engine",
    "yaml, jinja2, pydantic, flask": "import yaml, jinja2, pydantic, flask",
}
_TIME = """
import json, sys, time
started = time.perf_counter()
{statement}
took = time.perf_counter() - started
print(json.dumps([took, len(sys.modules), [name for name in {forbidden} if name in sys.modules]]))
"""
_MEMORY = """
import json, tracemalloc
tracemalloc.start()
{statement}
print(json.dumps(tracemalloc.get_traced_memory()[0]))
"""


class Cost(NamedTuple):
    """What one statement costs."""

    seconds: float
    memory: int
    modules: int
    heavy: tuple[str, ...]


def run(*, quick: bool = False) -> str:
    """Return the figures of all statements, as ratios to `import msgspec`."""
    costs = {name: _cost(statement, QUICK_REPEATS if quick else REPEATS) for name, statement in STATEMENTS.items()}
    least = costs["msgspec"]
    rows = [
        (
            name,
            cost.seconds * 1e3,
            cost.seconds / least.seconds,
            cost.memory / least.memory,
            cost.modules,
            ", ".join(cost.heavy) or "none",
        )
        for name, cost in costs.items()
    ]
    return table(("import", "ms", "x msgspec", "x its memory", "modules", "heavy ones"), rows)


def _cost(statement: str, repeats: int) -> Cost:
    probes = [_probe(_TIME, statement) for _ in range(repeats + 1)][1:]  # the first one fills the file cache
    took, modules, heavy = zip(*probes, strict=True)
    return Cost(median(took), _probe(_MEMORY, statement), modules[0], tuple(heavy[0]))


def _probe(code: str, statement: str) -> Any:
    written = code.format(statement=statement, forbidden=FORBIDDEN)
    done = subprocess.run([sys.executable, "-c", written], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
