"""The kind EngineConfig: what an installation decides, for all its runbooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from runbook_engine.documents.approvals import ApprovalsDocument
from runbook_engine.documents.automation import AutomationDocument
from runbook_engine.documents.calendar import CalendarDocument
from runbook_engine.documents.document import Document, Envelope
from runbook_engine.documents.field_types import Count, Duration, Name, Number, Size, Span, Text, Url, refuse
from runbook_engine.documents.job import JobDocument
from runbook_engine.documents.mapping import MappingDocument
from runbook_engine.documents.request import RequestDocument
from runbook_engine.documents.runbook import ModeField
from runbook_engine.documents.secret import SecretField
from runbook_engine.documents.sender import AboutPattern, PresentedField, SenderText, TargetText
from runbook_engine.documents.storm import StormDocument
from runbook_engine.documents.web import WebDocument
from runbook_engine.model.alert import Severity
from runbook_engine.model.configuration import Role


class ConfigMetadata(Document):
    """Which installation this is."""

    name: Name = "default"
    """The name of the installation."""


class AdapterDocument(Document):
    """One use of an adapter; every other key is a setting of that adapter."""

    model_config = ConfigDict(extra="allow")

    adapter: Text
    """The adapter's name, as in files, process, prometheus, sqlite."""
    place: str = ""
    """The cluster that it serves, or the name of an account's region for functions and queues; empty = all."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The adapter's own settings."""
        return dict(self.model_extra or {})


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


AdapterField = Annotated[
    tuple[AdapterDocument, ...],
    BeforeValidator(_as_list, json_schema_input_type=AdapterDocument | tuple[AdapterDocument, ...]),
]


class AdaptersDocument(Document):
    """Which adapter serves which port."""

    cluster: AdapterField = ()
    """Reads and changes workloads; serves what follows too, as far as it can and nothing else is named."""
    settings: AdapterField = ()
    """Reads and changes what workloads are configured with: environment and ConfigMaps."""
    nodes: AdapterField = ()
    """Reads and changes nodes and the pods on them."""
    jobs: AdapterField = ()
    """Runs jobs."""
    events: AdapterField = ()
    """Knows what a cluster says happened."""
    flags: AdapterField = ()
    """Reads and changes parameters."""
    metrics: AdapterField = ()
    """Answers queries."""
    changes: AdapterField = ()
    """Knows what others changed."""
    logs: AdapterField = ()
    """Reads logs."""
    pause: AdapterField = ()
    """Keeps the kill switch."""
    journal: AdapterField = ()
    """Keeps executions, incidents and the audit trail."""
    functions: AdapterField = ()
    """Reads and changes functions and their aliases; serves their settings, changes and logs too, as far as it can."""
    queues: AdapterField = ()
    """Reads queues, and moves dead letters back."""
    automations: AdapterField = ()
    """Runs the automations of engine.yaml."""
    requests: AdapterField = ()
    """Sends the requests of engine.yaml."""
    secrets: AdapterField = ()
    """Looks up secrets that are written as {ssm: /path}."""
    seats: AdapterField = ()
    """Knows which driver goes on, for a host without a process of its own; such a host names it itself."""
    callbacks: AdapterField = ()
    """Wakes drivers that wait; such a host names it itself."""
    bus: AdapterField = ()
    """Tells the world around; such a host names it itself."""


class TokenDocument(Document):
    """A named credential: a bearer token, unless it says how else it is presented."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    """What its bearer may do."""
    secrets: Annotated[tuple[SecretField, ...], Field(min_length=1, max_length=2)]
    """Where its value is found; two while it is rotated."""
    scopes: tuple[Name, ...] = ()
    """Which scopes it may post to; empty = all."""
    presented_as: PresentedField | None = None
    """How senders present it; absent = as a bearer token."""

    @model_validator(mode="after")
    def _is_a_bearer_token_where_people_ask(self) -> Self:
        if self.presented_as is not None and set(self.roles) != {"ingest"}:
            message = "only senders may present a credential otherwise than as a bearer token"
            raise refuse("presented-role", message, "write roles: [ingest], and another token for people", "roles")
        return self


class ScopeDocument(Document):
    """One sender, under the path /hooks/<name>."""

    source: Text = "alertmanager"
    """The format that it sends."""
    runbooks: tuple[Text, ...] = ("*",)
    """Which runbooks its alerts may start, by name; * stands for anything."""
    targets: tuple[Text, ...] = ("*",)
    """Which targets its alerts may ask for, within the installation's list."""
    severities: Mapping[str, Severity] = {}
    """What its words for severities mean; with * a pattern of names, for a sender without severities."""
    senders: tuple[SenderText, ...] = Field(default=(), alias="from")
    """Who of AWS may deliver here without a token: events:SOURCE, logs:GROUP, or an ARN; nobody may post then."""
    mapping: Name | None = None
    """For the source mapped: which of the mappings of this file reads what it sends."""
    about: Mapping[AboutPattern, TargetText] = {}
    """What its change events are about, by their own names, as in pipeline=checkout: deployment=apps/checkout."""


class ReceiverDocument(Document):
    """Who is told; every other key is a setting of the adapter."""

    model_config = ConfigDict(extra="allow")

    adapter: Text
    """The adapter that tells them, as in console, webhook."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The adapter's own settings."""
        return dict(self.model_extra or {})


class TeamDocument(Document):
    """People who answer for runbooks."""

    members: tuple[Text, ...] = ()
    """Who may approve in the team's name."""
    receiver: Name | None = None
    """Where the team hears what nobody else is told."""


class SeriesDocument(Document):
    """A series that is computed from one /metrics endpoint, so that runbooks run without Prometheus too."""

    kind: Literal["ratio", "rate", "quantile", "value"]
    """How it is computed: two rates divided, a rate per second, a quantile of a histogram, the value itself."""
    metric: Text
    """The metric's name."""
    where: Mapping[str, str] = {}
    """Only samples with these labels; a value that begins with ~ is a regular expression."""
    over: Text | None = None
    """ratio: the metric to divide by."""
    over_where: Mapping[str, str] = {}
    """ratio: the labels of the metric to divide by."""
    quantile: Annotated[Number, Field(gt=0, lt=1)] | None = None
    """quantile: which one, as in 0.99."""
    window: Span | None = None
    """Over which time; 30s when absent."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for kind, field, value in (("ratio", "over", self.over), ("quantile", "quantile", self.quantile)):
            if self.kind == kind and value is None:
                raise refuse("series", f'"{field}" is missing: a {kind} needs it')
            if self.kind != kind and value is not None:
                raise refuse("series", f'"{field}" belongs to a {kind}, this is a {self.kind}', "remove it", field)
        return self


class LimitsDocument(Document):
    """How much is taken and done at once."""

    max_body: Size | None = None
    """The largest request body; 6MiB when absent."""
    max_inflated: Size | None = None
    """The largest body after decompression; 20MiB when absent."""
    max_open_executions: Annotated[Count, Field(ge=1)] | None = None
    """Above this, new webhooks are answered 503; 1000 when absent."""
    threads: Annotated[Count, Field(ge=1, le=256)] | None = None
    """Executions driven at once by one worker; 8 when absent."""
    lease: Span | None = None
    """How long a worker may be silent before another takes over; 60s when absent."""


class CorrelationDocument(Document):
    """How alerts become incidents."""

    keys: tuple[Annotated[tuple[Text, ...], Field(min_length=1)], ...] | None = None
    """Lists of labels, tried in order; the first whose labels all exist groups alerts."""
    window: Span | None = None
    """How long an incident takes in new alerts after its last one; 30m when absent."""
    expire_after: Span | None = None
    """An alert without news for this long is expired, not resolved; 9h when absent."""
    quiet: Duration | None = None
    """So long after its last alert ended an incident is resolved; it is mitigated before. 5m when absent."""


class EngineConfigDocument(Envelope):
    """What an installation decides. What is absent has the safe answer."""

    kind: Literal["EngineConfig"]
    """This document is an installation's configuration."""
    metadata: ConfigMetadata = ConfigMetadata()
    """Which installation this is."""
    clusters: tuple[Name, ...] = ()
    """The aliases of its clusters."""
    adapters: AdaptersDocument = AdaptersDocument()
    """Which adapter serves which port."""
    scopes: Mapping[Name, ScopeDocument] = {}
    """Who may send alerts, by name."""
    mappings: Mapping[Name, MappingDocument] = {}
    """How the JSON of senders becomes alerts that the engine has no source for, by name."""
    tokens: Mapping[Name, TokenDocument] = {}
    """Bearer tokens, by name."""
    receivers: Mapping[Name, ReceiverDocument] = {}
    """Who is told, by name."""
    teams: Mapping[Name, TeamDocument] = {}
    """Teams, by name."""
    approvals: ApprovalsDocument | None = None
    """Signed links by which questions are answered; absent: no message carries one, save in AWS."""
    targets: tuple[Text, ...] = ()
    """What may be changed, as in deployment=apps/*; nothing else may."""
    mode_ceiling: ModeField = ()
    """How far any runbook may go; a list: the first whose matchers hold; none = propose."""
    drop_labels: tuple[Text, ...] | None = None
    """Labels that are ignored; prometheus_replica and replica when absent."""
    series: Mapping[str, SeriesDocument] = {}
    """Named series for the scrape reader."""
    limits: LimitsDocument = LimitsDocument()
    """How much is taken and done at once."""
    correlation: CorrelationDocument = CorrelationDocument()
    """How alerts become incidents."""
    storm: StormDocument = StormDocument()
    """When every change is held, because too many targets fail at once."""
    links: Mapping[str, Url] = {}
    """Where a person may look."""
    web: WebDocument = WebDocument()
    """The web page of the runner."""
    jobs: Mapping[Name, JobDocument] = {}
    """Pinned jobs that runbooks may start with the action kubernetesJob, by name."""
    automations: Mapping[Name, AutomationDocument] = {}
    """Pinned automations that runbooks may start with the action ssmAutomation, by name."""
    requests: Mapping[Name, RequestDocument] = {}
    """Pinned requests that runbooks may send with the action http, by name."""
    freezes: tuple[CalendarDocument, ...] = ()
    """When nothing is changed."""
    windows: tuple[CalendarDocument, ...] = ()
    """When alone something is changed: what they are about, outside of all of them, is not."""
