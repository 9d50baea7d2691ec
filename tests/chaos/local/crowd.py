"""A crowd of alerts, sent as Alertmanager sends: a delivery is repeated until it is answered 202, and only then counts.

An alert's thing is its name everywhere: its label, the target of its run, and what the target counts by.
"""

from __future__ import annotations

import json
import queue
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException

from tests.chaos.local.installation import ALERTS, LANES
from tests.chaos.tally import tries

EACH = tries(3, LANES)  # alerts of every kind in a crowd
TOGETHER = 4  # alerts in a delivery
SENDERS = 2
RETRY = 0.05  # seconds
WANTED = {"token": 1, "declarative": 1, "once": 1, "flag": 2}  # effects: a flag is set, and put back


@dataclass(frozen=True)
class Alert:
    """One alert, which one runbook is for."""

    kind: str
    thing: str
    service: str
    lane: int
    started_at: datetime

    def as_json(self, status: str) -> dict[str, object]:
        """Return it as Alertmanager writes it."""
        labels = {"alertname": ALERTS[self.kind], "severity": "critical", "service": self.service}
        labels |= {"thing": self.thing, "lane": str(self.lane)}
        times = {"startsAt": self.started_at.isoformat()}
        times |= {"endsAt": datetime.now(UTC).isoformat()} if status == "resolved" else {}
        return {"status": status, "labels": labels, **times}


class Crowd:
    """All alerts of one installation, and who sends them."""

    def __init__(self, port: int, random: random.Random) -> None:
        self.alerts: list[Alert] = []
        self.acknowledged: set[tuple[Alert, str]] = set()
        self.answers = 0  # of any kind
        self.refused: list[int] = []  # statuses that say neither yes nor later
        self._port = port
        self._random = random
        self._resolved: set[Alert] = set()
        self._waiting: queue.Queue[tuple[tuple[Alert, ...], str]] = queue.Queue()
        self._over = threading.Event()

    def gather(self) -> None:
        """Let one more crowd fire, all kinds mixed."""
        now, first = datetime.now(UTC), len(self.alerts)
        kinds = [(kind, lane) for kind in ALERTS for lane in range(EACH)]
        self._random.shuffle(kinds)
        new = [Alert(kind, f"thing-{first + n}", f"shop-{first}", lane, now) for n, (kind, lane) in enumerate(kinds)]
        self.alerts.extend(new)
        self._send(new, "firing")

    def resolve(self, alerts: Iterable[Alert]) -> None:
        """Let these be over, those that are not already."""
        new = [alert for alert in alerts if alert not in self._resolved]
        self._resolved.update(new)
        self._send(new, "resolved")

    def is_heard(self) -> bool:
        """Whether all that was to be sent is acknowledged; nothing of it may be refused."""
        assert not self.refused, self.refused
        return self._waiting.unfinished_tasks == 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send, in the background."""
        senders = [threading.Thread(target=self._go_round, name="alertmanager") for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            self._over.set()
            for sender in senders:
                sender.join()

    def _send(self, alerts: list[Alert], status: str) -> None:
        for at in range(0, len(alerts), TOGETHER):
            self._waiting.put((tuple(alerts[at : at + TOGETHER]), status))

    def _go_round(self) -> None:
        while not self._over.is_set():
            try:
                alerts, status = self._waiting.get(timeout=RETRY)
            except queue.Empty:
                continue
            body = json.dumps({"version": "4", "alerts": [alert.as_json(status) for alert in alerts]}).encode()
            while not self._is_taken(body):
                if self._over.wait(RETRY):
                    return
            self.acknowledged.update((alert, status) for alert in alerts)
            self._waiting.task_done()

    def _is_taken(self, body: bytes) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", "/hooks/shop", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        self.answers += 1
        if status not in (202, 503):
            self.refused.append(status)
        return status == 202
