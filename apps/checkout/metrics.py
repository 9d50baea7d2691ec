"""What the service tells Prometheus, correct when several worker processes answer one port.

Under several workers the client library keeps each worker's figures in PROMETHEUS_MULTIPROC_DIR, which must be set
before this module is imported; /metrics adds them up, those of dead workers included, so counters never go back.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)


class Metrics:
    """Every series of this service."""

    def __init__(self, release: str, folder: Path | None) -> None:
        self._folder = folder
        self._registry = own = CollectorRegistry()
        self.requests = Counter("checkout_requests_total", "Checkouts answered.", ["code"], registry=own)
        self.errors = Counter("checkout_errors_total", "Checkouts answered with a 5xx code.", registry=own)
        self.duration = Histogram(
            "checkout_request_duration_seconds", "Time to answer a checkout.", buckets=BUCKETS, registry=own
        )
        self.feature_failures = Counter(
            "checkout_feature_failures_total", "Checkouts failed by an optional feature.", ["feature"], registry=own
        )
        # Most recent, not the maximum: an idle worker would hold on to the mode that it saw in its last request.
        self.degraded_mode = Gauge(
            "checkout_degraded_mode",
            "1 while optional features are switched off.",
            registry=own,
            multiprocess_mode="livemostrecent",
        )
        self.flag_store_errors = Counter(
            "checkout_flag_store_errors_total", "Failed reads of the flag store.", registry=own
        )
        self.knob_errors = Counter("checkout_knob_errors_total", "Rejected contents of KNOBS_FILE.", registry=own)
        self.worker_starts = Counter(
            "checkout_worker_starts_total", "Worker processes started, planned or after a crash.", registry=own
        )
        self.release_info = Gauge(
            "checkout_release_info",
            "The releases being served.",
            ["release"],
            registry=own,
            multiprocess_mode="livemax",
        )
        self.worker_starts.inc()
        self.release_info.labels(release).set(1)

    def record(self, code: int, seconds: float) -> None:
        """Count one answered checkout."""
        self.requests.labels(str(code)).inc()
        self.duration.observe(seconds)
        if code >= 500:
            self.errors.inc()

    def render(self) -> bytes:
        """Write all series in the text format, added up over the workers."""
        if self._folder is None:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        _Workers(everyone, path=str(self._folder))  # type: ignore[no-untyped-call]  # the client's own gap
        return generate_latest(everyone)


class _Workers(MultiProcessCollector):
    """The figures of every worker that has some.

    A file is empty between its making and its first figure, for good if its worker is killed there; the client
    library cannot read it (https://github.com/prometheus/client_python/issues/1199).
    """

    def collect(self) -> Iterable[Metric]:
        files = [entry.path for entry in os.scandir(self._path) if entry.name.endswith(".db") and _has_figures(entry)]
        return cast(Iterable[Metric], self.merge(files))  # type: ignore[no-untyped-call]


def _has_figures(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat().st_size > 0
    except FileNotFoundError:  # the gauge of a worker that ended just now
        return False
