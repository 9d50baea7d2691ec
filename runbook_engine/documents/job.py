"""A job that runbooks may start: pinned and named in engine.yaml, so that no alert can say what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Name, Span, Text

ParameterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class EffectDocument(Document):
    """What a job does to the world, in the words of whoever allowed it."""

    says: Text
    """What it does; an approver reads this."""
    repeat: Literal["token", "declarative"]
    """After a crash: token starts it once for each run and step; declarative says that once more does no harm."""


class JobDocument(Document):
    """One job of engine.yaml, for the action kubernetesJob."""

    namespace: Name
    """The namespace that it runs in."""
    spec: Mapping[str, Any]
    """The spec of a Kubernetes Job; every image is pinned by its digest."""
    effect: EffectDocument
    """What it does, and what doing it twice means."""
    parameters: tuple[ParameterName, ...] = ()
    """What a runbook may hand over; its containers read each as the environment variable RUNBOOK_<NAME>."""
    approval: Literal["ask", "none"] = "ask"
    """ask: a person says yes first, whatever the mode; none: the runbook's own mode and approval decide."""
    time_limit: Span | None = None
    """How long it may take; 10m when absent, 30m at most."""
