"""What readers return: workloads, flags, metric samples, changes by others, logs, and the pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.target import Target


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One release of a workload. `healthy` is None when nobody recorded how it did."""

    number: int
    released_at: datetime | None = None
    healthy: bool | None = None
    summary: str = ""


class Autoscaler(msgspec.Struct, frozen=True, kw_only=True):
    """What sets a workload's replicas besides us."""

    kind: str
    name: str
    minimum: int
    maximum: int


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A workload as it is now. Counts of replicas; `generation` rises with every change of what is wanted."""

    target: Target  # with its uid
    replicas: int
    ready: int
    updated: int
    generation: int
    observed_generation: int
    service: str = ""
    zone: str = ""
    paused: bool = False
    revision: int = 0
    revisions: tuple[Revision, ...] = ()  # newest first
    restarted_at: str = ""  # the mark of the last rolling restart
    settings: Mapping[str, str] = {}
    rollout: Literal["complete", "progressing", "failed"] = "complete"
    rollout_reason: str = ""
    autoscaler: Autoscaler | None = None


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter's value and version; the version rises with every write."""

    value: str
    version: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One series' newest value."""

    labels: Mapping[str, str]
    value: float
    at: datetime


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One series over time."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change that somebody made: a release, a scaling, a setting."""

    at: datetime
    who: str
    what: str
    ours: bool = False  # made by this engine


class LogExcerpt(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of one log."""

    name: str
    lines: tuple[str, ...]


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """The kill switch, thrown: a lease, so it expires loudly."""

    until: datetime
    by: str
    reason: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver is told. `id` is the same in every delivery of the same message."""

    id: str
    event: str
    title: str
    text: str
    at: datetime
    severity: str = ""
    runbook: str = ""
    execution_id: str = ""
    incident_id: str = ""
    links: Mapping[str, str] = {}
