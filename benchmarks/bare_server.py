"""The floor of a remediation: a server that reads the webhook, and at once sends three requests for each alert.

It matches nothing, stores nothing, judges nothing and retries nothing: `python -m benchmarks.bare_server PORT SINK`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3
from gunicorn.app.base import BaseApplication

THREADS = 8  # as many as the engine drives at once
ACTIONS = ("first", "second", "third")


class BareServer(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """One gunicorn worker, as `runbook serve` starts it."""

    def __init__(self, port: str, sink: str) -> None:
        self._port, self._sink = port, sink
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        wanted = {"bind": f"127.0.0.1:{self._port}", "worker_class": "gthread", "threads": 64, "keepalive": 60}
        for name, value in (wanted | {"loglevel": "error", "control_socket_disable": True}).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application."""
        pool = ThreadPoolExecutor(THREADS)
        web = urllib3.PoolManager(maxsize=THREADS, retries=False)
        sink = self._sink

        def act(service: str) -> None:
            for action in ACTIONS:
                web.request("POST", f"{sink}/{action}/{service}", body=b'{"why":"bench"}')

        def serve(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            size = int(environ.get("CONTENT_LENGTH") or 0)
            for alert in json.loads(environ["wsgi.input"].read(size) or b"{}").get("alerts", ()):
                pool.submit(act, alert["labels"]["service"])
            start("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", "2")])
            return [b"{}"]

        return serve


if __name__ == "__main__":
    BareServer(sys.argv[1], sys.argv[2]).run()
