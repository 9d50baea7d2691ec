"""What the runbooks of these tests change: a service outside the engine that counts every effect by what it is about.

It has three doors, one a repeat class of the action `http`, and behaves as a real service of that class. Each answer
takes a moment before and after it is counted, so that a kill finds requests that were made and not answered.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict

from tests.contract.http_service import Asked, Told

MOMENT = 0.03  # seconds
METRIC = {"resultType": "vector", "result": [{"metric": {}, "value": [0, "0.001"]}]}


class CountingTarget:
    """Pools that are drained by token, caches that are declared cold, primaries that fail over at every request."""

    def __init__(self) -> None:
        self.tokens: dict[str, set[str]] = defaultdict(set)  # pool -> the tokens that drained it
        self.cold: Counter[str] = Counter()  # cache -> how often it became what was declared, and was not before
        self.failovers: Counter[str] = Counter()  # primary -> how often it failed over
        self.requests = 0
        self._pages: set[tuple[str, str]] = set()  # execution, event
        self._guard = threading.Lock()

    def answer(self, asked: Asked) -> Told:
        """Count a request by its door and its thing, and answer it."""
        _, door, *rest = asked.path.split("/")
        if door == "api":
            return self._metric()
        time.sleep(MOMENT)
        with self._guard:
            if door == "oncall":
                told = json.loads(asked.body)
                self._pages.add((told["execution_id"], told["event"]))
            else:
                self._count(door, rest[0], asked)
        time.sleep(MOMENT)
        return Told(200, b"{}")

    def effects(self, kind: str, thing: str) -> int:
        """Return how often a thing was changed."""
        with self._guard:
            if kind == "token":
                return len(self.tokens[thing])
            return (self.cold if kind == "declarative" else self.failovers)[thing]

    def is_paged(self, execution_id: str) -> bool:
        """Whether somebody was paged that a run did not fix what it was for."""
        with self._guard:
            return (execution_id, "notFixed") in self._pages

    def _count(self, door: str, thing: str, asked: Asked) -> None:
        self.requests += 1
        match door:
            case "pools":
                self.tokens[thing].add(asked.headers["Idempotency-Key"])
            case "caches":
                self.cold[thing] += 0 if self.cold[thing] else 1  # it stays cold: a second time changes nothing
            case "primaries":
                self.failovers[thing] += 1
            case other:
                raise AssertionError(f"nobody asks for {other}")

    def _metric(self) -> Told:
        vector = METRIC | {"result": [{"metric": {}, "value": [time.time(), "0.001"]}]}
        body = json.dumps({"status": "success", "data": vector}).encode()
        return Told(200, body, (("Content-Type", "application/json"),))
