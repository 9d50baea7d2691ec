"""Simulated automations: runs that take a while, and end as a test says; one token starts one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.plan import Value
from runbook_engine.model.serverless import AutomationRun, AutomationTemplate
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

End = Literal["succeeded", "failed"]


@dataclass(slots=True)
class _Started:
    """One run that was started."""

    id: str
    at: datetime
    template: str
    arguments: Mapping[str, str]


class SimulatedAutomations:
    """Reader and writer of automations."""

    def __init__(self, clock: Clock, faults: Faults, templates: Iterable[AutomationTemplate] = ()) -> None:
        self._clock = clock
        self._faults = faults
        self._templates = {template.name: template for template in templates}
        self._by_token: dict[str, _Started] = {}
        self.run_time = timedelta(seconds=10)
        self.ends: dict[str, End] = {}  # by template; one that is not named succeeds

    @property
    def started(self) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return which automations were started, and with what, in order."""
        return tuple((run.template, run.arguments) for run in self._by_token.values())

    def allow(self, template: AutomationTemplate) -> None:
        """Let runbooks start an automation."""
        self._templates[template.name] = template

    def template(self, name: str) -> AutomationTemplate:
        """Return a pinned automation."""
        if name not in self._templates:
            known = ", ".join(self._templates) or "none is named"
            raise InvalidTarget(
                f"unknown automation {name!r}; known are {known} (add it under automations in engine.yaml)"
            )
        return self._templates[name]

    def run(self, template: str, run_id: str) -> AutomationRun | None:
        """Return a run as it is now."""
        self._faults.look("automations.run")
        started = next((run for run in self._by_token.values() if run.id == run_id), None)
        if started is None:
            return None
        if self._clock.now() - started.at < self.run_time:
            return AutomationRun(id=run_id, status="running", reason=f"run {run_id} is under way")
        end = self.ends.get(started.template, "succeeded")
        return AutomationRun(id=run_id, status=end, reason="" if end == "succeeded" else "it was told to fail")

    def start(self, template: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Start a run; one with the same token is left alone."""
        return self._faults.touch(
            "automations.start", template, token, lambda: self._start(template, arguments, digest, token)
        )

    def _start(self, template: str, arguments: Mapping[str, str], digest: str, token: str) -> Mapping[str, Value]:
        try:
            pinned = self.template(template)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if pinned.digest != digest:
            raise Conflict(f"automation {template} is another one now than the one that was approved")
        if token in self._by_token:
            return {"run": self._by_token[token].id, "unchanged": True}
        run = _Started(f"run-{len(self._by_token) + 1}", self._clock.now(), template, dict(arguments))
        self._by_token[token] = run
        return {"run": run.id}
