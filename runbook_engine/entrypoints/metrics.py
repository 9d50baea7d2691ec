"""Metrics of one installation, correct although several processes make them.

What the journal knows (executions by status, backlog) is asked of it at every scrape: exact, whoever did the work.
What only happens once (deliveries, verdicts, latencies) is counted in prometheus_client's memory-mapped files, one
a process, in a folder that the supervisor empties at its start; a scrape adds them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from runbook_engine.entrypoints.metrics_files import CountingApart, take_room
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.incident import IncidentReport, Times
from runbook_engine.ports import Committed, Journal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
INCIDENT_SECONDS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class Metrics:
    """The counters of this process, and the way to add up those of all."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self.apart = take_room(folder) if folder is not None else ""  # why its numbers are in no sum at first
        self._apart = CountingApart(folder, clock) if folder is not None and self.apart else None
        if self._apart is not None:
            values.ValueClass = self._apart.number  # for what is made from now on
        self._registry = CollectorRegistry()
        self.alerts = self._counter("runbook_alerts", "Alerts received, by what became of them.", "outcome")
        self.deliveries = self._counter("runbook_deliveries", "Deliveries answered, by status code.", "code")
        self.verdicts = self._counter(
            "runbook_guardrail_verdicts", "What guardrails answered before a change.", "guardrail", "outcome"
        )
        self.drive_errors = self._counter("runbook_drive_errors", "Drives that ended in an unexpected error.", "error")
        self.notices = self._counter(
            "runbook_notices", "Attempts to tell a receiver, by what became of them.", "receiver", "outcome"
        )
        self.changes_seen = self._counter("runbook_changes_seen", "Changes that watchers told of, by kind.", "kind")
        self.action_seconds = Histogram(
            "runbook_action_seconds",
            "From a change's recorded intent to its known outcome.",
            ("action", "direction", "outcome"),
            buckets=SECONDS,
            registry=self._registry,
        )
        self.incident_seconds = Histogram(
            "runbook_incident_seconds",
            "How long incidents took, counted once for each as it is resolved.",
            ("until",),
            buckets=INCIDENT_SECONDS,
            registry=self._registry,
        )

    def begin(self, bundle: Bundle) -> None:
        """Let what happens seldom begin at 0: of a series that begins at 1, Prometheus sees no increase."""
        for until in Times.__struct_fields__:
            self.incident_seconds.labels(until)
        for receiver, told in product(bundle.configuration.receivers, ("told", "failed")):
            self.notices.labels(receiver.name, told)
        for action in {step.action for runbook in bundle.runbooks for step in runbook.steps}:
            for direction, outcome in product(("do", "undo"), ("done", "failed")):
                self.action_seconds.labels(action, direction, outcome)

    def render(self, gauges: Sequence[tuple[str, str, Mapping[str, float]]]) -> bytes:
        """Return everything as Prometheus reads it; gauges are (name, meaning, value by label)."""
        if self._apart is not None:
            self._apart.join()
        registry = CollectorRegistry() if self._folder is not None else self._registry
        if self._folder is not None:
            _Processes(registry, str(self._folder))  # type: ignore[no-untyped-call]  # ships no types
        return generate_latest(registry) + generate_latest(_Gauges(gauges))

    def count_commit(self, execution: Execution, records: Sequence[AuditRecord]) -> None:
        """Count what a durable commit says: verdicts, and how long changes took."""
        for record in records:
            for verdict in record.verdicts:
                self.verdicts.labels(verdict.guardrail, _outcome(verdict)).inc()
            if record.event in ("applied", "observed"):
                self._count_effect(execution, record)

    def count_incident(self, report: IncidentReport) -> None:
        """Count how long an incident took from when it was opened; of what nobody did in it, nothing."""
        for until, took in msgspec.structs.asdict(report.from_opened).items():
            if took is not None:
                self.incident_seconds.labels(until).observe(took / timedelta(seconds=1))

    def _count_effect(self, execution: Execution, record: AuditRecord) -> None:
        step = next((step for step in execution.steps if step.name == record.step), None)
        effect = step.effect if step is not None else None
        if step is None or effect is None or effect.ended_at != record.at:
            return
        took = (effect.ended_at - effect.begun_at) / timedelta(seconds=1)
        self.action_seconds.labels(step.action, effect.direction, effect.status).observe(took)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)


class _Processes(MultiProcessCollector):
    """The counters of every process that has counted something.

    A file is empty between its making and its first number, for good if its process is killed there; the client
    library cannot read it (https://github.com/prometheus/client_python/issues/1199). A hidden one is not whole yet.
    """

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("[!.]*.db") if file.stat().st_size]
        return cast(Iterable[Metric], self.merge(files))  # type: ignore[no-untyped-call]  # ships no types


class _Gauges(CollectorRegistry):
    """Numbers that were asked for just now."""

    def __init__(self, gauges: Sequence[tuple[str, str, Mapping[str, float]]]) -> None:
        super().__init__()
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, meaning, told in self._gauges:
            label = "status" if any(told) else ""
            family = GaugeMetricFamily(name, meaning, labels=(label,) if label else ())
            for key, value in told.items():
                family.add_metric((key,) if label else (), value)
            yield family


class _WatchedJournal:
    """Passes everything on to a journal, and tells what was committed once it is durable."""

    def __init__(self, journal: Journal, committed: Callable[[Execution, Sequence[AuditRecord]], None]) -> None:
        self._journal = journal
        self._committed = committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def commit(self, execution: Execution, *, records: Sequence[AuditRecord] = (), **rest: Any) -> Any:
        kept = tuple(records)
        answer = self._journal.commit(execution, records=kept, **rest)
        if isinstance(answer, Committed):
            self._committed(execution, kept)
        return answer


def watched(journal: Journal, committed: Callable[[Execution, Sequence[AuditRecord]], None]) -> Journal:
    """Return the journal with somebody who is told of every commit."""
    return cast(Journal, _WatchedJournal(journal, committed))


def _outcome(verdict: Verdict) -> str:
    if verdict.ok:
        return "ok"
    return "waits" if verdict.until is not None else "refused"
