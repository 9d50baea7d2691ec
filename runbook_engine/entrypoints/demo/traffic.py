"""Traffic: customers of the demo's service. What they see is the measure that the demo judges itself by."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

CUSTOMERS = 4
PAUSE = 0.1  # seconds between two requests of one customer
TIME_LIMIT = 5.0
BASKET = b'{"amount": 4200}'


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as its customer saw it."""

    at: float  # seconds since the epoch
    failed: bool


class Traffic:
    """A few customers in threads, each asking again and again until stopped."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._seen: deque[Request] = deque(maxlen=50_000)
        self._customers = [threading.Thread(target=self._shop, daemon=True) for _ in range(CUSTOMERS)]

    def start(self) -> None:
        """Let the customers in."""
        for customer in self._customers:
            customer.start()

    def stop(self) -> None:
        """Send them home."""
        self._stopping.set()
        for customer in self._customers:
            if customer.is_alive():
                customer.join(TIME_LIMIT + 1)

    def error_ratio(self, since: float, until: float | None = None) -> float | None:
        """Return the share of requests that failed between two instants, None when there were none."""
        end = until if until is not None else time.time()
        seen = [request.failed for request in tuple(self._seen) if since <= request.at < end]
        return sum(seen) / len(seen) if seen else None

    def count(self) -> int:
        """Return how many requests were made in all."""
        return len(self._seen)

    def by_second(self, since: float) -> list[float]:
        """Return the error ratio of each second since then."""
        seconds = range(int(time.time() - since))
        ratios = [self.error_ratio(since + second, since + second + 1) for second in seconds]
        return [ratio for ratio in ratios if ratio is not None]

    def _shop(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIME_LIMIT)
        while not self._stopping.wait(PAUSE):
            at = time.time()
            try:
                connection.request("POST", "/checkout", BASKET, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                failed = answer.status != 200
            except (OSError, HTTPException):
                connection.close()
                failed = True
            self._seen.append(Request(at, failed))
        connection.close()
