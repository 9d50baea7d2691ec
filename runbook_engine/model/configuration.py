"""An installation's compiled settings (`kind: EngineConfig`): who may send, what may be touched, who is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from runbook_engine.model.alert import Severity
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.mapping import AlertMapping
from runbook_engine.model.runbook import ModeRule
from runbook_engine.model.sender import Sender
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import Target
from runbook_engine.model.web import Web

Role = Literal["ingest", "read", "operate"]
SERVED_BY: Mapping[str, str] = {"function": "functions", "queue": "queues"}  # the port whose adapters give the places


class SecretReference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret is found; never the secret itself. Exactly one field is set."""

    env: str = ""
    file: str = ""
    ssm: str = ""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """How a sender signs what it posts. All of it is fixed here, nothing is read from the request."""

    header: str
    prefix: str = ""  # before the signature, as in `sha256=`
    encoding: Literal["hex", "base64"] = "hex"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    timestamp: str = ""  # the header with the time that is signed too; empty = the body alone is signed
    separator: str = "."  # between the time and the body
    several: bool = False  # the header may hold a list, of which one must fit
    repeats: bool = False  # the sender sends the same body again while nothing changes


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A named credential: its roles, and up to two secrets that are valid now (rotation).

    It is a bearer token, unless it says how else it is presented.
    """

    name: str
    roles: tuple[Role, ...]
    secrets: tuple[SecretReference, ...]
    scopes: tuple[str, ...] = ()  # ingest: which scopes it may post to; empty = all
    user: str = ""  # presented as the password of this user
    header: str = ""  # presented as the value of this header
    signature: Signature | None = None  # never presented: it signs the body


class About(msgspec.Struct, frozen=True):
    """What the changes of some foreign names are changes of: the names as a pattern, and our target."""

    pattern: str
    target: Target


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """One sender: its source format, and the runbooks and targets that its alerts may ask for.

    With `senders` it is the platform's alone: nobody may post to it.
    """

    name: str
    source: str = "alertmanager"
    runbooks: tuple[str, ...] = ("*",)  # glob patterns of runbook names
    targets: tuple[str, ...] = ("*",)  # target patterns, within the installation's allow-list
    severities: Mapping[str, Severity] = {}  # raw severity -> severity, over the built-in map
    senders: tuple[Sender, ...] = ()
    about: tuple[About, ...] = ()
    mapping: AlertMapping | None = None  # how the source `mapped` reads


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told, and through which adapter."""

    name: str
    adapter: str
    settings: Mapping[str, Any] = {}


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team: who approves in its name, and where it hears things that nobody else is told."""

    name: str
    members: tuple[str, ...] = ()
    receiver: str = ""


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """Where questions are answered over signed links, and what signs them."""

    url: str
    key: SecretReference


class AdapterChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One use of an adapter: which one, for which place, with which settings."""

    adapter: str
    place: str = ""  # a cluster alias, the name of an account's region, or empty for ports that have no place
    settings: Mapping[str, Any] = {}


class JobTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned job that runbooks may start: the escape hatch. Labels reach it only as declared parameters."""

    name: str
    namespace: str
    spec: str  # of the Job, as JSON
    says: str  # what it does, in the words that an approver reads
    parameters: tuple[str, ...] = ()  # its containers read each as the environment variable RUNBOOK_<NAME>
    approval: bool = True  # a person says yes first
    time_limit: timedelta = timedelta(minutes=10)

    @property
    def digest(self) -> str:
        """What an approval binds: the hash of what would run, and where."""
        return hashlib.sha256(f"{self.namespace}\n{self.spec}".encode()).hexdigest()[:12]


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How one asks what became of a request: an address, and what is read in the answer."""

    url: str
    pointer: str  # where the answer says how far it is
    done: tuple[str, ...]
    failed: tuple[str, ...] = ()
    id: str = ""  # where the answer to the request itself holds the id that the address asks for


class RequestTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned request that runbooks may send: the escape hatch. Labels reach it only as declared parameters."""

    name: str
    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    url: str
    says: str  # what it does, in the words that an approver reads
    repeat: Literal["declarative", "token", "once"]
    parameters: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    secret_headers: Mapping[str, SecretReference] = {}
    body: str = ""  # as JSON; empty = none
    approval: bool = True  # a person says yes first
    time_limit: timedelta = timedelta(seconds=10)
    expect: tuple[int, ...] = ()  # statuses that mean it is done; none = any from 200 to 299
    status: StatusRequest | None = None
    changes: str = ""  # the parameter that names what is changed; empty = the request alone does

    @property
    def digest(self) -> str:
        """What an approval binds: the hash of what would be sent, and where."""
        deciding = msgspec.structs.replace(self, says="", approval=True, time_limit=timedelta(0))
        sent = msgspec.to_builtins(deciding, order="deterministic")
        del sent["changes"]  # says nothing of what is sent, and what older releases were asked still holds
        return hashlib.sha256(msgspec.json.encode(sent)).hexdigest()[:12]


class SeriesRule(msgspec.Struct, frozen=True, kw_only=True):
    """A named series that the scrape reader computes from one /metrics endpoint."""

    name: str
    kind: Literal["ratio", "rate", "quantile", "value"]
    metric: str
    where: Mapping[str, str] = {}
    over: str = ""  # ratio: the metric to divide by
    over_where: Mapping[str, str] = {}
    quantile: float = 0.0
    window: timedelta = timedelta(seconds=30)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is taken and done at once. Sizes in bytes."""

    max_body: int = 6 * 1024 * 1024
    max_inflated: int = 20 * 1024 * 1024
    max_open_executions: int = 1000  # above: alerts are recorded, and open no run
    threads: int = 8  # executions driven at once by one worker
    lease: timedelta = timedelta(seconds=60)


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts become incidents; label tuples are tried in order, the first whose labels all exist wins."""

    keys: tuple[tuple[str, ...], ...] = (
        ("cluster", "namespace", "service"),
        ("cluster", "namespace", "deployment"),
        ("cluster", "namespace", "statefulset"),
        ("cluster", "namespace", "daemonset"),
        ("cluster", "node"),
        ("service",),
    )
    window: timedelta = timedelta(minutes=30)
    expire_after: timedelta = timedelta(hours=9)
    quiet: timedelta = timedelta(minutes=5)  # an incident is resolved only once its alerts have been over so long


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an installation decides. Absent = the safe answer."""

    name: str = "default"
    clusters: tuple[str, ...] = ()  # aliases, the first is used when only one exists
    adapters: Mapping[str, tuple[AdapterChoice, ...]] = {}  # by port: cluster, flags, metrics, pause, journal, ...
    scopes: tuple[Scope, ...] = ()
    tokens: tuple[Token, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    teams: tuple[Team, ...] = ()
    approvals: Approvals | None = None
    targets: tuple[str, ...] = ()  # allow-list of what may be changed; empty = nothing
    mode_ceiling: tuple[ModeRule, ...] = ()  # absent or none matches = propose
    drop_labels: tuple[str, ...] = ("prometheus_replica", "replica")
    series: tuple[SeriesRule, ...] = ()
    jobs: tuple[JobTemplate, ...] = ()
    automations: tuple[AutomationTemplate, ...] = ()
    requests: tuple[RequestTemplate, ...] = ()
    freezes: tuple[CalendarEntry, ...] = ()
    windows: tuple[CalendarEntry, ...] = ()
    limits: Limits = Limits()
    correlation: Correlation = Correlation()
    storm: StormRule = StormRule()
    links: Mapping[str, str] = {}
    web: Web = Web()

    def places(self, kind: str) -> tuple[str, ...]:
        """Return where functions or queues are served; the empty place stands for all that is not named."""
        choices = self.adapters.get(SERVED_BY[kind], ())
        return tuple(dict.fromkeys(choice.place for choice in choices)) or ("",)
