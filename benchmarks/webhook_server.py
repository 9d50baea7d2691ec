"""The engine of the benchmarks behind its own HTTP server, which stores; with `deciding`, it decides as well.

`python -m benchmarks.webhook_server PORT JOURNAL MOST_OPEN [deciding]`
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from benchmarks import deliveries
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.deciding import Deciding
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.testing.simulated_world import SimulatedWorld


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """One gunicorn worker, as `runbook serve` starts it."""

    def __init__(self, port: str, journal: Path, most_open: int, *, decides: bool) -> None:
        self._port, self._journal, self._most_open, self._decides = port, journal, most_open, decides
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        wanted = {"bind": f"127.0.0.1:{self._port}", "worker_class": "gthread", "threads": 4, "keepalive": 60}
        for name, value in (wanted | {"loglevel": "error", "control_socket_disable": True}).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application."""
        simulated = SimulatedWorld()
        journal = deliveries.sqlite_journal(self._journal)
        engine = deliveries.engine(journal, deliveries.entries(), self._most_open)
        clock, log = SystemClock(), EventLog(process="bench")
        if self._decides:
            Deciding(engine=engine, clock=clock, log=log, stop=threading.Event()).start()
        return create_app(
            engine,
            keyring=load_keyring(engine.bundle.configuration, Settings().secret),
            pause=(simulated.pauses, simulated.pauses),
            clock=clock,
            metrics=Metrics(),
            log=log,
            beat_file=Path(tempfile.gettempdir()) / "runbook-bench-beat.json",
        )


if __name__ == "__main__":
    Server(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), decides="deciding" in sys.argv[4:]).run()
