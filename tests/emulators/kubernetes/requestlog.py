"""The request log: what was asked of the server, so that tests can count API calls."""

import re
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Logged:
    """One request. `status` 0 means that no answer was sent."""

    method: str
    path: str
    query: str
    user: str
    status: int
    agent: str = ""
    body: bytes = b""


class RequestLog:
    """Requests in the order they were answered."""

    def __init__(self) -> None:
        self._entries: list[Logged] = []
        self._lock = threading.Lock()

    def add(self, entry: Logged) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self, method: str = "", path: str = "") -> list[Logged]:
        """Return the requests of a method whose path and query match a pattern."""
        with self._lock:
            found = list(self._entries)
        return [
            each
            for each in found
            if method in ("", each.method) and re.search(path, f"{each.path}?{each.query}".rstrip("?"))
        ]

    def count(self, method: str = "", path: str = "") -> int:
        return len(self.entries(method, path))

    def writes(self) -> list[Logged]:
        """Return the requests that may have changed something."""
        return [each for each in self.entries() if each.method != "GET" and "dryRun=All" not in each.query]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
