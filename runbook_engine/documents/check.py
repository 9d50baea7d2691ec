"""Checks as authors write them: one flat map whose first word says what is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Count, Duration, Flag, Number, Percent, Span, Text, refuse
from runbook_engine.model.check import DEFAULT_TIMEOUT
from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.quantity import duration_text

SUBJECTS: Final = ("query", "metric", "alert", "ready", "changedWithin", "nodeReady", "evictablePods", "gitops")
COMPARISONS: Final = ("below", "above", "equals")
_COMPARED: Final = ("query", "metric")
_COMPARED_ONLY: Final = (*COMPARISONS, "where")


class MetricDocument(Document):
    """A metric of a service that knows no query language; never templated: `where` adds what an alert says."""

    source: Text
    """The adapter that is asked, by its name or its place, as in cloudwatch."""
    namespace: Text
    """The namespace, as in AWS/Lambda."""
    name: Text
    """The metric's name, as in Errors."""
    statistic: Text
    """How each period is summed up: Sum, Average, Minimum, Maximum, SampleCount, or a percentile such as p99."""
    period: Span = timedelta(minutes=1)
    """Over which time each value is summed up: 10s, 30s or whole minutes."""
    dimensions: Mapping[str, str] = {}
    """All dimensions that the metric has, as in FunctionName; `where` may add to them."""

    @model_validator(mode="after")
    def _is_a_metric(self) -> Self:
        if self.query.fault:
            raise refuse("metric", self.query.fault)
        return self

    @property
    def query(self) -> MetricQuery:
        """The metric as a reader is asked for it."""
        return MetricQuery(
            namespace=self.namespace,
            metric=self.name,
            stat=self.statistic,
            period=int(self.period.total_seconds()),
            dimensions=dict(self.dimensions),
        )


class CheckDocument(Document):
    """One check; exactly one of query, metric, alert, ready, changedWithin, nodeReady, evictablePods, gitops."""

    model_config = ConfigDict(json_schema_extra=exactly_one(*SUBJECTS))

    query: Text | None = None
    """A metric query, never templated; needs below, above or equals."""
    metric: MetricDocument | None = None
    """A metric of a service such as CloudWatch; needs below, above or equals."""
    where: Mapping[str, str] = {}
    """Label values added to the query as escaped matchers, or dimensions to the metric; these may be templates."""
    below: Number | None = None
    """Every series of the query must be below this."""
    above: Number | None = None
    """Every series of the query must be above this."""
    equals: Number | None = None
    """Every series of the query must equal this."""
    alert: Literal["resolved", "firing"] | None = None
    """The state that every alert of this run must have."""
    ready: Percent | None = None
    """The share of the target's wanted replicas that must be ready."""
    changed_within: Duration | None = None
    """Others changed the target within this time before the alert began."""
    node_ready: Flag | None = None
    """Whether the target node's kubelet reports ready."""
    evictable_pods: Count | None = None
    """At most this many evictable pods are left on the target node."""
    gitops: Literal["managed", "unmanaged"] | None = None
    """Whether a GitOps tool owns the target."""
    hold_for: Duration | None = Field(default=None, alias="for")
    """How long the check must hold without a break."""
    timeout: Span | None = None
    """How long the check may take before it counts as failed; 2m when absent."""
    no_data: Literal["hold", "stop"] = "hold"
    """What no answer means: hold waits for one until the timeout, stop ends the run as unresolved at once."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        written = {type(self).model_fields[name].alias or name for name in self.model_fields_set}
        subjects = [subject for subject in SUBJECTS if subject in written]
        if len(subjects) != 1:
            found = " and ".join(f'"{subject}"' for subject in subjects) or "none"
            raise refuse("check-subject", f"a check looks at one thing, this one at {found}", _one_of(SUBJECTS))
        comparisons = [comparison for comparison in COMPARISONS if comparison in written]
        if subjects[0] in _COMPARED and len(comparisons) != 1:
            hint = "write one of below, above, equals"
            message = f"a {subjects[0]} is compared once, this one {len(comparisons)} times"
            raise refuse("check-comparison", message, hint)
        stray = [name for name in _COMPARED_ONLY if name in written and subjects[0] not in _COMPARED]
        if stray:
            raise refuse("check-stray", f'"{stray[0]}" belongs to "query", not to "{subjects[0]}"', "", stray[0])
        timeout = self.timeout or DEFAULT_TIMEOUT
        if self.hold_for is not None and self.hold_for > timeout:
            longer = f"{duration_text(self.hold_for)} within {duration_text(timeout)}"
            message = f"this can never pass: it must hold for {longer}"
            raise refuse("check-never-passes", message, "raise the timeout", "for")
        return self


class DoNoHarmDocument(Document):
    """A signal that must not get worse than before the first change: a query or a metric."""

    model_config = ConfigDict(json_schema_extra=exactly_one(*_COMPARED))

    query: Text | None = None
    """A metric query, never templated."""
    metric: MetricDocument | None = None
    """A metric of a service such as CloudWatch."""
    where: Mapping[str, str] = {}
    """Label values added to the query as escaped matchers, or dimensions to the metric; these may be templates."""
    rises_by: Percent
    """How far above its baseline it may rise before the run is aborted and undone."""
    floor: Number = 0.0
    """Values below this are never harm, however far they rose."""

    @model_validator(mode="after")
    def _names_one_signal(self) -> Self:
        if (self.query is None) == (self.metric is None):
            raise refuse("harm-signal", '"doNoHarm" watches one signal', "write query or metric")
        return self


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


ChecksField = Annotated[
    tuple[CheckDocument, ...],
    BeforeValidator(_as_list, json_schema_input_type=CheckDocument | tuple[CheckDocument, ...]),
]


def _one_of(names: tuple[str, ...]) -> str:
    return f"write one of {', '.join(names)}"
