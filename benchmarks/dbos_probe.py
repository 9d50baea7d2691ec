"""Ten steps that do nothing as a workflow of DBOS on SQLite: a run for each line of input, its seconds for each answer.

`python dbos_probe.py FILE [JOURNAL_MODE]` runs in the environment of DBOS, which `make bench-peers` makes. The mode of
the file's journal is what DBOS leaves it at, unless one is named.
"""

from __future__ import annotations

import importlib
import json
import sqlite3
import sys
from contextlib import closing
from time import perf_counter, process_time

STEPS = 10


def serve(path: str, mode: str) -> None:
    """Answer until the input ends; the first answer tells how durable the file is."""
    if mode:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
    dbos = importlib.import_module("dbos").DBOS
    url = f"sqlite:///{path}"
    wished = {"name": "bench", "system_database_url": url, "log_level": "ERROR", "run_admin_server": False}
    dbos(config=wished)

    def nothing() -> None:
        """Do nothing."""

    step = dbos.step()(nothing)

    def ten_steps() -> None:
        """Do nothing ten times."""
        for _ in range(STEPS):
            step()

    workflow = dbos.workflow()(ten_steps)
    dbos.launch()
    with closing(sqlite3.connect(path)) as connection:
        (kept,) = connection.execute("PRAGMA journal_mode").fetchone()
    print(json.dumps({"journal": kept}), flush=True)
    for _ in sys.stdin:
        wall, cpu = perf_counter(), process_time()
        workflow()
        print(json.dumps({"wall": perf_counter() - wall, "cpu": process_time() - cpu}), flush=True)
    dbos.destroy()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
