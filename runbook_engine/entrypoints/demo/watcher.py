"""A watcher that stands in for Prometheus and Alertmanager where they are not installed.

It reads the service's own `/metrics`, judges the very same rule, and posts the very same webhook body over HTTP.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from datetime import UTC, datetime

from runbook_engine.entrypoints.demo.stage import ALERT_ABOVE, Stage
from runbook_engine.entrypoints.demo.wire import ask

PERIOD = 1.0  # seconds
SAMPLES = 6  # as many periods as the window of the rule, and one more
LABELS = {
    "alertname": "CheckoutHighErrorRate",
    "severity": "critical",
    "cluster": "local",
    "namespace": "apps",
    "service": "checkout",
}


class Watcher:
    """One thread: scrape, judge, post when the answer changes and until it is taken."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stopping = threading.Event()
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._started_at: datetime | None = None
        self._untold: bytes = b""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * PERIOD + 5)

    def _watch(self) -> None:
        while not self._stopping.wait(PERIOD):
            ratio = self._ratio()
            if ratio is not None:
                self._judge(ratio)
            if self._untold:
                self._tell()

    def _ratio(self) -> float | None:
        status, text = ask(self._stage.shop_port, "GET", "/metrics")
        if status != 200:
            return None
        self._samples.append((_total(text, b"checkout_errors_total"), _total(text, b"checkout_requests_total")))
        errors, requests = (last - first for last, first in zip(self._samples[-1], self._samples[0], strict=True))
        return errors / requests if requests > 0 else None

    def _judge(self, ratio: float) -> None:
        now = datetime.now(UTC)
        if ratio > ALERT_ABOVE and self._started_at is None:
            self._started_at = now
            self._untold = _body("firing", now, None)
        elif ratio <= ALERT_ABOVE and self._started_at is not None:
            self._untold = _body("resolved", self._started_at, now)
            self._started_at = None

    def _tell(self) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._stage.ingest_token}"}
        status, _ = ask(self._stage.engine_port, "POST", "/hooks/demo", self._untold, headers)
        if status == 202:
            self._untold = b""


def _total(text: bytes, name: bytes) -> float:
    values = [line.rsplit(b" ", 1)[1] for line in text.splitlines() if line.startswith((name + b" ", name + b"{"))]
    return sum(float(value) for value in values)


def _body(status: str, starts_at: datetime, ends_at: datetime | None) -> bytes:
    alert = {
        "status": status,
        "labels": LABELS,
        "annotations": {"summary": "checkout answers too many requests with an error"},
        "startsAt": starts_at.isoformat(),
        "endsAt": ends_at.isoformat() if ends_at is not None else "0001-01-01T00:00:00Z",
        "generatorURL": "",
    }
    return json.dumps({"version": "4", "status": status, "alerts": [alert]}).encode()
