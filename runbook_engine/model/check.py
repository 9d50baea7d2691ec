"""Checks: the one grammar of `verify`, `when` and `require`, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from runbook_engine.model.plan import Value

Comparison = Literal["below", "above", "equals"]
NoData = Literal["hold", "stop"]

DEFAULT_TIMEOUT = timedelta(minutes=2)


class _Common(msgspec.Struct, frozen=True, kw_only=True):
    """What every check may say: how long it must hold, and how long it may take."""

    hold_for: timedelta = timedelta(0)
    timeout: timedelta = DEFAULT_TIMEOUT
    no_data: NoData = "hold"


class QueryCheck(_Common, frozen=True, kw_only=True, tag="query"):
    """A metric query compared with a number; `where` is added as escaped label matchers."""

    query: str
    comparison: Comparison
    value: float
    where: Mapping[str, str] = {}  # values may be templates; the query text never is
    source: str = ""  # which metric reader; empty = the default one


class AlertCheck(_Common, frozen=True, kw_only=True, tag="alert"):
    """Every joined alert has this state."""

    state: Literal["resolved", "firing"] = "resolved"


class ReadyCheck(_Common, frozen=True, kw_only=True, tag="ready"):
    """At least this share (0 to 1) of the target's wanted replicas is ready."""

    share: float


class ChangedWithinCheck(_Common, frozen=True, kw_only=True, tag="changedWithin"):
    """The target was changed by others within `period` before the alert's start."""

    period: timedelta


class NodeReadyCheck(_Common, frozen=True, kw_only=True, tag="nodeReady"):
    """The target node's kubelet reports ready (or not ready)."""

    ready: bool


class EvictablePodsCheck(_Common, frozen=True, kw_only=True, tag="evictablePods"):
    """At most this many evictable pods are left on the target node."""

    at_most: int


class GitopsCheck(_Common, frozen=True, kw_only=True, tag="gitops"):
    """The target is (un)managed by a GitOps tool."""

    managed: bool


Check = QueryCheck | AlertCheck | ReadyCheck | ChangedWithinCheck | NodeReadyCheck | EvictablePodsCheck | GitopsCheck


class DoNoHarm(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that must not get worse than its baseline: `rises_by` as a share, ignored below `floor`."""

    query: str
    rises_by: float
    floor: float = 0.0
    where: Mapping[str, str] = {}
    source: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One judged check: passing yes or no, or None when it cannot be told, with the sentence that says it."""

    ok: bool | None
    says: str
    value: Value = None
