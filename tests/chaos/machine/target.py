"""The other side: a service that counts what it was made to do, and the pager, each outside the runner.

A request that bears a key which the service has seen is dropped, as services do that take tokens; of the doors `once-*`
nothing is dropped, so that a doubled call is a doubled effect.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW = 0.005  # seconds: so that a change has a middle


class Target:
    """What was done, by part; and which runs somebody was paged about."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._keys: set[str] = set()
        self.done: Counter[str] = Counter()
        self.pages: list[dict[str, object]] = []
        self.url = ""

    def take(self, path: str, key: str, body: bytes) -> None:
        """Do what one request asks for."""
        _, door, part = path.split("/", 2)
        with self._guard:
            if door == "page":
                self.pages.append(json.loads(body))
            elif door.startswith("once") or key not in self._keys:
                self._keys.add(key)
                self.done[part] += 1

    def paged(self) -> set[str]:
        """Return the runs that somebody heard of."""
        with self._guard:
            return {str(page["execution_id"]) for page in self.pages}


class _Handler(BaseHTTPRequestHandler):
    target: Target

    def do_POST(self) -> None:
        """Do it, and then say so."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.target.take(self.path, self.headers.get("Idempotency-Key", ""), body)
        time.sleep(SLOW)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


@contextmanager
def serving() -> Iterator[Target]:
    """Yield a target that listens on a free port of this machine."""
    target = Target()
    handler = type("Handler", (_Handler,), {"target": target})
    with _Server(("127.0.0.1", 0), handler) as server:
        target.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield target
        finally:
            server.shutdown()
            thread.join()
