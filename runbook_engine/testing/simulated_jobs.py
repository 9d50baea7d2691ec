"""Simulated jobs: they run for a while, and end as a test says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runbook_engine.errors import Conflict, InvalidTarget
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.observation import Job
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

End = Literal["succeeded", "failed"]


@dataclass(slots=True)
class _Started:
    """One job that was started."""

    at: datetime
    template: str
    arguments: Mapping[str, str]


class SimulatedJobs:
    """Reader and writer of jobs."""

    def __init__(self, clock: Clock, faults: Faults, templates: Iterable[JobTemplate] = ()) -> None:
        self._clock = clock
        self._faults = faults
        self._templates = {template.name: template for template in templates}
        self._started: dict[str, _Started] = {}
        self.run_time = timedelta(seconds=10)
        self.ends: dict[str, End] = {}  # by template; one that is not named succeeds

    @property
    def started(self) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return which templates were started, and with what, in order."""
        return tuple((job.template, job.arguments) for job in self._started.values())

    def allow(self, template: JobTemplate) -> None:
        """Let runbooks start a job."""
        self._templates[template.name] = template

    def template(self, name: str) -> JobTemplate:
        """Return a pinned template."""
        if name not in self._templates:
            known = ", ".join(self._templates) or "none is named"
            raise InvalidTarget(f"unknown job {name!r}; known are {known} (add it under jobs in engine.yaml)")
        return self._templates[name]

    def job(self, target: Target) -> Job | None:
        """Return a job as it is now."""
        self._faults.look("jobs.job")
        started = self._started.get(target.key)
        if started is None:
            return None
        if self._clock.now() - started.at < self.run_time:
            return Job(target=target, status="running", reason=f"job {target.name} is running")
        end = self.ends.get(started.template, "succeeded")
        return Job(target=target, status=end, reason="" if end == "succeeded" else "it was told to fail")

    def start(self, target: Target, template: str, arguments: Mapping[str, str], *, digest: str) -> Mapping[str, Value]:
        """Start a job; one that is there already is left alone."""
        return self._faults.touch(
            "jobs.start", str(target), template, lambda: self._start(target, template, arguments, digest)
        )

    def _start(self, target: Target, template: str, arguments: Mapping[str, str], digest: str) -> Mapping[str, Value]:
        if self.template(template).digest != digest:
            raise Conflict(f"job {template} is another one now than the one that was approved")
        if target.key in self._started:
            return {"unchanged": True}
        self._started[target.key] = _Started(self._clock.now(), template, dict(arguments))
        return {}
