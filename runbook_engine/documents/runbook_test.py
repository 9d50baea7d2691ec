"""The kind RunbookTest: a small world, what happens in it and when, and what must be true by then."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, model_validator

from runbook_engine.documents.calendar import Instant
from runbook_engine.documents.document import Document, Envelope, exactly_one
from runbook_engine.documents.field_types import Count, Duration, Name, Offset, Span, Text, refuse
from runbook_engine.documents.test_nodes import NodeExpectation
from runbook_engine.documents.test_run import ChangedExpectation, VerdictsExpectation
from runbook_engine.documents.test_serverless import FunctionExpectation
from runbook_engine.documents.test_world import EditDocument, ParameterValue, WorkloadExpectation, WorldDocument
from runbook_engine.model.execution import Compensation, Status
from runbook_engine.model.incident import IncidentStatus

Keep = Literal["keep", "undo"]
DEEDS: Final = ("approve", "deny", "cancel", "takeover", "release", "pause", "resume")
_Part = TypeVar("_Part", bound=Document)


class AlertDocument(Document):
    """Something that an alert does; exactly one of fires, resolves, expires."""

    model_config = ConfigDict(json_schema_extra=exactly_one("fires", "resolves", "expires"))

    at: Offset
    """When, from the start."""
    fires: Mapping[str, str] | None = None
    """The labels of an alert that fires."""
    resolves: Mapping[str, str] | None = None
    """The labels of an alert that its sender calls resolved."""
    expires: Mapping[str, str] | None = None
    """The labels of an alert that is never heard of again."""
    starts_at: Offset | None = None
    """When its sender says that it began; `at` when absent, may be negative."""
    annotations: Mapping[str, str] = {}
    """Its annotations."""
    scope: Name | None = None
    """The scope that it arrives in; the test's own when absent."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        return _only_one(self, ("fires", "resolves", "expires"), "an alert does one thing")

    @property
    def does(self) -> Literal["fires", "resolves", "expires"]:
        """Which of the three."""
        return "fires" if self.fires is not None else "resolves" if self.resolves is not None else "expires"

    @property
    def labels(self) -> Mapping[str, str]:
        """The alert's labels, whatever it does."""
        return self.fires or self.resolves or self.expires or {}


class SignalDocument(Document):
    """Something that a person does; exactly one of approve, deny, cancel, takeover, release, pause, resume."""

    model_config = ConfigDict(json_schema_extra=exactly_one(*DEEDS))

    at: Offset
    """When, from the start."""
    approve: Name | None = None
    """The step whose change is approved."""
    deny: Name | None = None
    """The step whose change is denied."""
    cancel: Keep | None = None
    """Cancel the run, and keep or undo what was done."""
    takeover: Keep | None = None
    """Take the run over, and keep or undo what was done."""
    release: Literal["storm", "run"] | None = None
    """Let changes go on after a storm, or what a person took over."""
    pause: Duration | None = None
    """Throw the kill switch for this long."""
    resume: Literal[True] | None = None
    """Lift the kill switch."""
    runbook: Name | None = None
    """Whose run; needed only when several run."""
    by: Text = "tester"
    """Who does it."""
    reason: str = ""
    """Why."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        return _only_one(self, DEEDS, "a person does one thing")


class FailureDocument(Document):
    """A call that goes wrong."""

    step: Name
    """The step whose call goes wrong."""
    call: Literal["prepare", "apply", "observe", "undo"] = "apply"
    """Which of its calls."""
    fails: Literal["retryable", "permanent", "unknown", "conflict", "unreadable"] = "permanent"
    """How: surely not done and safe to repeat, or pointless to repeat; in doubt; moved by others; unreadable."""
    times: Annotated[Count, Field(ge=1)] = 1
    """How often, before it goes well."""
    says: str = "it was told to fail"
    """The reason that it gives."""


class ExpectationDocument(Document):
    """What must be true at a time; what is absent is not asked."""

    at: Offset
    """When, from the start."""
    runbook: Name | None = None
    """Whose run; needed only when several run."""
    target: Text | None = None
    """On what, as in deployment=apps/checkout; the newest run when absent."""
    matched: tuple[Name, ...] | None = None
    """The runbooks that matched any alert so far; an empty list = none."""
    status: Status | None = None
    """The status of the run."""
    compensation: Compensation | None = None
    """What became of undoing."""
    ran: tuple[Name, ...] | None = None
    """The steps that changed something, in order; an empty list = none."""
    skipped: tuple[Name, ...] | None = None
    """The steps that were skipped, in order."""
    parameters: Mapping[str, ParameterValue] | None = None
    """Parameters and their values; null = it does not exist."""
    env: Mapping[str, Mapping[str, ParameterValue]] | None = None
    """Workloads, as in apps/checkout, and values of their environment; null = it does not exist."""
    config_maps: Mapping[str, Mapping[str, ParameterValue]] | None = None
    """ConfigMaps, as in apps/checkout-flags, and their entries; null = it does not exist."""
    deployments: tuple[WorkloadExpectation, ...] | None = None
    """Workloads and what must be true of them."""
    nodes: tuple[NodeExpectation, ...] | None = None
    """Nodes and what must be true of them."""
    functions: tuple[FunctionExpectation, ...] | None = None
    """Functions and what must be true of them."""
    queues: Mapping[str, Count] | None = None
    """Queues, and how many messages wait in each."""
    automations: Mapping[str, Count] | None = None
    """Automations, and how many runs of each were started."""
    requests: Mapping[str, Count] | None = None
    """Requests, and how often each was sent."""
    evidence: Mapping[str, str] | None = None
    """Collectors that the run's evidence is from, and part of what each one saw; an empty map = none was kept."""
    replicas: Mapping[str, Count] | None = None
    """Workloads, as in apps/checkout, and their wanted replicas."""
    says: Text | None = None
    """Part of the reason that the run gives, as when it is blocked."""
    notified: Mapping[Name, tuple[Text, ...]] | None = None
    """Receivers and the events that each heard of, in order; an empty list = none."""
    changes: Count | None = None
    """How many changes were made, undone ones included."""
    changed: tuple[ChangedExpectation, ...] | None = None
    """The changes of the run, undoing included, in order; an empty list = none."""
    verdicts: VerdictsExpectation | None = None
    """By step and guardrail, the newest verdict on its change: ok, refused, or part of what it says."""
    timeline: tuple[Text, ...] | None = None
    """Parts of sentences that the timeline holds by then, in this order."""
    incident: IncidentStatus | None = None
    """The status of the run's incident; of the newest one when nothing runs."""


class ScenarioDocument(Document):
    """One test."""

    name: Text
    """What it shows, as a sentence."""
    world: WorldDocument = WorldDocument()
    """The simulated world."""
    alerts: tuple[AlertDocument, ...] = ()
    """What alerts do."""
    signals: tuple[SignalDocument, ...] = ()
    """What people do."""
    failures: tuple[FailureDocument, ...] = ()
    """Which calls go wrong."""
    edits: tuple[EditDocument, ...] = ()
    """What others change meanwhile."""
    expect: Annotated[tuple[ExpectationDocument, ...], Field(min_length=1)]
    """What must be true, and when."""


class RunbookTestDocument(Envelope):
    """Tests of runbooks in simulated time."""

    kind: Literal["RunbookTest"]
    """This document tests runbooks."""
    runbooks: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The files of the runbooks, relative to this file."""
    config: Text | None = None
    """The engine configuration, relative to this file; everything allowed in the simulated world when absent."""
    start: Instant | None = None
    """When the tests begin, as in 2026-11-27T10:00:00Z, for freezes and windows; 2026-01-05T09:00:00Z when absent."""
    interval: Span = timedelta(seconds=15)
    """The time between two samples of a series."""
    tests: Annotated[tuple[ScenarioDocument, ...], Field(min_length=1)]
    """The tests."""


def _only_one(part: _Part, names: tuple[str, ...], rule: str) -> _Part:
    written = [name for name in names if getattr(part, name) is not None]
    if len(written) != 1:
        found = " and ".join(f'"{name}"' for name in written) or "none"
        raise refuse("one-thing", f"{rule}, this one {found}", f"write one of {', '.join(names)}")
    return part
