"""Health: is this process up, can it do its work, and the numbers that say how well."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from flask import Blueprint, Response

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.backlog import fill
from runbook_engine.entrypoints.heartbeat import is_fresh, read_heartbeat
from runbook_engine.entrypoints.metrics import CONTENT_TYPE, Metrics
from runbook_engine.entrypoints.server.answers import answer
from runbook_engine.entrypoints.storage import try_folder
from runbook_engine.errors import RunbookError, Spoiled
from runbook_engine.model.storm import held_until
from runbook_engine.ports import Clock

PROBED_FOR = 2.0  # seconds that a probe of the journal is believed
LONGEST_WAIT = 60.0  # seconds that a delivery may wait before somebody should look
Gauges = list[tuple[str, str, Mapping[str, float]]]


@dataclass(slots=True)
class Health:
    """What this installation can say of itself."""

    engine: Engine
    clock: Clock
    beat_file: Path
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _probed_at: float = float("-inf")
    _storage_problem: str = ""

    def problems(self) -> list[str]:
        """Return why work cannot be done now; empty = it can."""
        beat = read_heartbeat(self.beat_file)
        found = []
        if problem := self._probe():
            found.append(problem)
        if not is_fresh(beat, self.clock.now()):
            found.append("the worker does not go round" if beat is not None else "the worker has not started")
        elif beat is not None and beat.problem and beat.problem != problem:
            found.append(f"the worker cannot see its work: {beat.problem}")
        if not self.engine.bundle.runbooks:
            found.append("no runbook is loaded")
        return found + ([] if problem else self._undecided())

    def goes_round(self) -> bool:
        """Whether the worker still goes round."""
        return is_fresh(read_heartbeat(self.beat_file), self.clock.now())

    def gauges(self) -> Gauges:
        """Return what is asked of the journal at every scrape. Raises what the journal raises."""
        counts = self.engine.journal.counts()
        executions = {
            name.partition(".")[2]: float(count) for name, count in counts.items() if name.startswith("executions.")
        }
        return [
            ("runbook_executions", "Executions, by status.", executions),
            ("runbook_incidents_open", "Open incidents.", {"": float(counts.get("incidents.open", 0))}),
            (
                "runbook_signals_waiting",
                "Signals that no drive has consumed.",
                {"": float(counts.get("signals.waiting", 0))},
            ),
            ("runbook_storm_held", "Whether a storm holds every change.", {"": self._storm()}),
            *self._inbox(),
            ("runbook_backlog_age_seconds", "How long the oldest due execution waits.", {"": self._backlog_age()}),
        ]

    def beat_age(self) -> Gauges:
        """Return the age of the worker's heartbeat, when there is one."""
        beat = read_heartbeat(self.beat_file)
        if beat is None:
            return []
        age = (self.clock.now() - beat.at) / timedelta(seconds=1)
        return [("runbook_worker_heartbeat_age_seconds", "Since the worker last went round.", {"": max(0.0, age)})]

    def _inbox(self) -> Gauges:
        waiting = fill(self.engine)
        since = self._since(waiting.since)
        return [
            ("runbook_inbox_deliveries", "Deliveries that wait to be decided.", {"": float(waiting.deliveries)}),
            ("runbook_inbox_alerts", "Alerts in deliveries that wait to be decided.", {"": float(waiting.alerts)}),
            ("runbook_inbox_age_seconds", "How long the oldest delivery waits to be decided.", {"": since}),
            ("runbook_inbox_set_aside", "Deliveries that could not be decided.", {"": float(waiting.set_aside)}),
        ]

    def _storm(self) -> float:
        rule = self.engine.bundle.configuration.storm
        return float(held_until(self.engine.journal.latch(), rule, self.clock.now()) is not None)

    def _backlog_age(self) -> float:
        return self._since(self.engine.journal.next_due())

    def _since(self, moment: datetime | None) -> float:
        return max(0.0, (self.clock.now() - moment) / timedelta(seconds=1)) if moment is not None else 0.0

    def _undecided(self) -> list[str]:
        try:
            waiting = fill(self.engine)
        except RunbookError as error:
            return [f"the inbox cannot be read: {type(error).__name__}"]
        age = self._since(waiting.since)
        return [f"a delivery waits for {age:.0f} s to be decided"] if age > LONGEST_WAIT else []

    def _probe(self) -> str:
        """Write what is there already, and a page that is not: it costs little, and fails where a delivery would."""
        with self._guard:
            if time.monotonic() - self._probed_at > PROBED_FOR:
                self._storage_problem = self._try_folder() or self._try_journal()
                self._probed_at = time.monotonic()
            return self._storage_problem

    def _try_folder(self) -> str:
        """Return why the state folder takes nothing more; where it is, a stranger is not told."""
        refusal = try_folder(self.beat_file.parent)
        return f"the state folder cannot be written: {refusal.why}" if refusal is not None else ""

    def _try_journal(self) -> str:
        try:
            for runbook in self.engine.bundle.runbooks[:1]:
                self.engine.journal.keep_runbook(runbook)
            self.engine.journal.counts()
        except Spoiled as error:
            return error.told
        except RunbookError as error:
            return f"the journal cannot be written: {type(error).__name__}"
        return ""


def health_routes(health: Health, metrics: Metrics) -> Blueprint:
    """Return the routes that monitoring asks; they say nothing that needs a credential."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return answer({"status": "up"})

    @routes.get("/readyz")
    def readyz() -> Response:
        problems = health.problems()
        return answer({"status": "not ready" if problems else "ready", "reasons": problems}, 503 if problems else 200)

    @routes.get("/metrics")
    def scrape() -> Response:
        gauges = health.beat_age()
        try:
            gauges += health.gauges()
            gauges.append(("runbook_journal_up", "Whether the journal can be read.", {"": 1.0}))
        except RunbookError:
            gauges.append(("runbook_journal_up", "Whether the journal can be read.", {"": 0.0}))
        return Response(metrics.render(gauges), content_type=CONTENT_TYPE)

    return routes
