"""The simulated world as tests describe it: what is in it, what others change in it, and what must be true of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Duration, Flag, Offset, Text, refuse
from runbook_engine.documents.series import InvalidSeries, parse_series
from runbook_engine.documents.test_nodes import BudgetDocument, NodeDocument, NodeEdit, PodDocument
from runbook_engine.documents.test_serverless import AutomationEnd, FunctionDocument, FunctionEdit, QueueDocument


def _series(value: object) -> object:
    if isinstance(value, tuple):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise refuse("series", "a series is text like 0.12x4 0.01x200")
    try:
        return parse_series(value)
    except InvalidSeries as error:
        raise refuse("series", str(error)) from error


ParameterValue = Annotated[str | None, WithJsonSchema({"type": ["string", "null"]})]
Samples = Annotated[
    tuple[float | None, ...],
    BeforeValidator(_series, json_schema_input_type=str | float),
]


class RevisionDocument(Document):
    """One release of a workload."""

    number: Annotated[Count, Field(ge=1)]
    """Its number, rising."""
    released_ago: Duration | None = None
    """How long before the start it was released."""
    healthy: Flag | None = None
    """How it did; unknown when absent."""
    summary: str = ""
    """What people call it."""


class AutoscalerDocument(Document):
    """What sets a workload's replicas."""

    min: Count = 1
    """Its minimum."""
    max: Annotated[Count, Field(ge=1)]
    """Its maximum."""
    kind: Literal["HorizontalPodAutoscaler", "ScaledObject"] = "HorizontalPodAutoscaler"
    """ScaledObject: KEDA's."""


class DeploymentDocument(Document):
    """A workload of the simulated world."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    replicas: Count = 1
    """How many are wanted."""
    ready: Count | None = None
    """How many are ready; all when absent."""
    cluster: Text = "local"
    """The cluster that it runs in."""
    service: str = ""
    """The value of its app.kubernetes.io/name; its name when absent."""
    rolled_out_ago: Duration | None = None
    """How long before the start its present revision was released; long ago when absent."""
    revisions: tuple[RevisionDocument, ...] = ()
    """Its releases, newest first; the first one runs."""
    env: Mapping[str, str] = {}
    """The environment of its one container."""
    autoscaler: AutoscalerDocument | None = None
    """What sets its replicas; nothing when absent."""
    paused: Flag = False
    """Whether its rollouts are paused."""
    gitops: str = ""
    """The GitOps tool that owns it, as in Argo CD application web; none when absent."""
    ignored: str = ""
    """Why it is out of bounds, to be read after its name; it is not when absent."""


class ChangeDocument(Document):
    """A change that others made before the start."""

    target: Text
    """What was changed, as in deployment=apps/checkout."""
    ago: Duration
    """How long before the start."""
    who: str = "somebody"
    """Who made it."""
    what: str = "a change"
    """What was done."""


class WorldDocument(Document):
    """The simulated world."""

    deployments: tuple[DeploymentDocument, ...] = ()
    """The workloads in it."""
    nodes: tuple[NodeDocument, ...] = ()
    """The nodes in it."""
    pods: tuple[PodDocument, ...] = ()
    """The pods on them."""
    budgets: tuple[BudgetDocument, ...] = ()
    """The disruption budgets in it."""
    parameters: Mapping[str, str] = {}
    """Parameters and their values."""
    config_maps: Mapping[str, Mapping[str, str]] = {}
    """ConfigMaps, as in apps/checkout-flags, and their entries."""
    series: Mapping[str, Samples] = {}
    """What each query answers, one sample an interval; the last one stays. A metric is AWS/Lambda Errors Sum 1m."""
    logs: Mapping[str, tuple[str, ...]] = {}
    """The last log lines of a workload, as in apps/checkout, or of a function, as in function=orders-worker."""
    functions: tuple[FunctionDocument, ...] = ()
    """The functions in it."""
    queues: tuple[QueueDocument, ...] = ()
    """The queues in it."""
    automations: Mapping[str, AutomationEnd] = {}
    """How runs of automations of the configuration end; one that is not named succeeds."""
    requests: Mapping[str, AutomationEnd] = {}
    """How requests of the configuration end; one that is not named succeeds."""
    changes: tuple[ChangeDocument, ...] = ()
    """What others changed before the start."""
    pause: Flag = False
    """Whether the kill switch is thrown."""


class DeploymentEdit(Document):
    """What is new about a workload."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it runs in."""
    replicas: Count | None = None
    """How many are wanted now."""
    ready: Count | None = None
    """How many are ready now."""
    released: Text | None = None
    """A new release, under this name."""


class EditDocument(Document):
    """What others change while the test runs."""

    at: Offset
    """When, from the start."""
    parameters: Mapping[str, ParameterValue] = {}
    """Parameters and their new values; null removes one."""
    config_maps: Mapping[str, Mapping[str, ParameterValue]] = {}
    """ConfigMaps, as in apps/checkout-flags, and new values of their entries; null removes one."""
    deployments: tuple[DeploymentEdit, ...] = ()
    """Workloads and what is new about them."""
    nodes: tuple[NodeEdit, ...] = ()
    """Nodes and what is new about them."""
    functions: tuple[FunctionEdit, ...] = ()
    """Functions and what is new about them."""
    queues: Mapping[str, Count] = {}
    """Queues, and how many messages wait in them now."""
    who: str = "somebody"
    """Who does it."""


class WorkloadExpectation(Document):
    """What must be true of a workload."""

    namespace: Text
    """Its namespace."""
    name: Text
    """Its name."""
    cluster: Text = "local"
    """The cluster that it runs in."""
    replicas: Count | None = None
    """How many are wanted."""
    revision: Annotated[Count, Field(ge=1)] | None = None
    """The revision that runs."""
    restarted: Flag | None = None
    """Whether it was restarted."""
