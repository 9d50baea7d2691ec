"""Routing of what is in no cluster: functions, queues and automations, each served where an adapter says it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbook_engine.entrypoints.routing import Places
from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.plan import Value
from runbook_engine.model.serverless import AutomationRun, AutomationTemplate, Function, Queue
from runbook_engine.model.target import Target
from runbook_engine.ports import (
    AutomationReader,
    AutomationWriter,
    FunctionReader,
    FunctionWriter,
    QueueReader,
    QueueWriter,
)


@dataclass(frozen=True, slots=True)
class RoutedFunctionReader:
    """Looks at functions, each where it is."""

    places: Places[FunctionReader]

    def function(self, target: Target) -> Function:
        """Return the function."""
        return self.places.at(target.place).function(target)


@dataclass(frozen=True, slots=True)
class RoutedFunctionWriter:
    """Touches functions, each where it is."""

    places: Places[FunctionWriter]

    def point(self, target: Target, version: int, *, expected: int) -> Mapping[str, Value]:
        """Make the alias point to a version."""
        return self.places.at(target.place).point(target, version, expected=expected)

    def shift(self, target: Target, canary: str, *, expected: str, version: int) -> Mapping[str, Value]:
        """Send a share of the alias' calls to a second version."""
        return self.places.at(target.place).shift(target, canary, expected=expected, version=version)

    def limit(self, target: Target, concurrency: int | None, *, expected: int | None) -> Mapping[str, Value]:
        """Bound how many calls run at once."""
        return self.places.at(target.place).limit(target, concurrency, expected=expected)


@dataclass(frozen=True, slots=True)
class RoutedQueueReader:
    """Looks at queues, each where it is."""

    places: Places[QueueReader]

    def queue(self, target: Target) -> Queue:
        """Return the queue."""
        return self.places.at(target.place).queue(target)


@dataclass(frozen=True, slots=True)
class RoutedQueueWriter:
    """Touches queues, each where it is."""

    places: Places[QueueWriter]

    def redrive(self, target: Target, *, per_second: int | None = None) -> Mapping[str, Value]:
        """Begin to move a queue's messages back."""
        return self.places.at(target.place).redrive(target, per_second=per_second)


@dataclass(frozen=True, slots=True)
class RoutedAutomationReader:
    """Looks at runs of automations, each where it is; the templates are the installation's."""

    places: Places[AutomationReader]
    templates: Mapping[str, AutomationTemplate]

    def template(self, name: str) -> AutomationTemplate:
        """Return a pinned automation. Raises InvalidTarget."""
        if name not in self.templates:
            known = ", ".join(self.templates) or "none is named"
            raise InvalidTarget(
                f"unknown automation {name!r}; known are {known} (add it under automations in engine.yaml)"
            )
        return self.templates[name]

    def run(self, template: str, run_id: str) -> AutomationRun | None:
        """Return a run."""
        return self.places.at(self.template(template).place).run(template, run_id)


@dataclass(frozen=True, slots=True)
class RoutedAutomationWriter:
    """Starts automations, each where it shall run."""

    places: Places[AutomationWriter]
    templates: Mapping[str, AutomationTemplate]

    def start(self, template: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Start a run. Raises Permanent when engine.yaml names no such automation any more."""
        pinned = self.templates.get(template)
        if pinned is None:
            raise Permanent(f"unknown automation {template!r} (add it under automations in engine.yaml)")
        return self.places.at(pinned.place).start(template, arguments, digest=digest, token=token)
