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
    formerly: tuple[int, ...] = ()  # numbers that it bore before it was returned to
    released_at: datetime | None = None
    healthy: bool | None = None
    summary: str = ""


class Autoscaler(msgspec.Struct, frozen=True, kw_only=True):
    """What sets a workload's replicas besides us."""

    kind: str  # as the API spells it: HorizontalPodAutoscaler, ScaledObject
    name: str
    minimum: int
    maximum: int
    current: int = 0  # replicas that it counts now
    paused: str = ""  # why it does not act now, as a sentence; empty = it acts
    gitops: str = ""  # what owns it, as in Argo CD application web


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
    partition: int = 0  # of a statefulset: so many replicas keep the older revision
    manual_updates: bool = False  # OnDelete: a new template does nothing until pods are deleted
    downtime: bool = False  # its rollouts take every replica away before a new one is there
    failure_mark: str = ""  # which failure `rollout_reason` tells of; a receipt with the same mark is older than it
    deleting: bool = False
    gitops: str = ""  # what owns it in git, as in Argo CD application web; empty = nobody known
    ignored: str = ""  # why it is out of bounds, to be read after its name; empty = it is not
    quota_left: int | None = None  # pods that the namespace's quotas still admit; None = no quota


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a workload's environment or of a ConfigMap. `text` None = there is none.

    A plain value is its own text. An environment entry that takes its value from elsewhere is `entry ` and the
    entry as JSON, so that undoing restores it to the byte.
    """

    target: Target  # what holds it, with its uid
    text: str | None
    immutable: bool = False
    gitops: str = ""
    ignored: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job as it is now."""

    target: Target  # with its uid
    status: Literal["running", "succeeded", "failed"]
    reason: str = ""


class ClusterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster says happened to one of its objects, lately, so many times."""

    at: datetime
    about: str  # as in pod/web-0
    reason: str
    message: str
    count: int = 1
    warning: bool = False


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
    """A change that somebody made: a release, a scaling, a setting; or what became of a release."""

    at: datetime
    who: str
    what: str
    ours: bool = False  # made by this engine
    kind: Literal["change", "autoscaled", "healthy", "failed"] = "change"  # healthy, failed: how `revision` did
    revision: int = 0  # of the workload, 0 = not about one


class LogExcerpt(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of one log."""

    name: str
    lines: tuple[str, ...]
    previous: bool = False  # of the container before the last restart


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
    asks: str = ""  # the hash of the change that a yes is asked for; empty = nobody is asked
    until: datetime | None = None  # how long the question stands
    status: str = ""  # of the execution, now
    owner: str = ""
    alert: str = ""
    target: str = ""
    did: tuple[str, ...] = ()  # what was changed so far, one line each, oldest first
    reference: str = ""  # the receiver's own, of what it was told of this execution before; empty = nothing
    overtaken: bool = False  # a later message of this execution has been told already
    taken_by: str = ""  # the person who has it now
    settled: bool = False  # nobody need look any more: nothing of the incident is open or went wrong
