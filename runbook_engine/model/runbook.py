"""A compiled runbook: what an author wrote, validated, with nothing left to guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from runbook_engine.model.check import Check, DoNoHarm
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.target import TargetTemplate

Mode = Literal["observe", "propose", "approve", "auto"]
Strategy = Literal["escalate", "sequence"]
EventName = Literal["started", "changed", "approval", "blocked", "ended", "notFixed"]
Occasion = Literal[EventName, "storm"]  # of a notice; who hears of a storm, the installation says and no runbook
InputType = Literal[
    "string",
    "cluster",
    "namespace",
    "workload",
    "node",
    "pod",
    "instance",
    "parameter",
    "integer",
    "arn",
    "function",
    "alias",
    "queue",
    "place",
]

MODES: tuple[Mode, ...] = ("observe", "propose", "approve", "auto")


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One typed door by which an alert's value enters; `path` is where it comes from, as in `alert.labels.node`."""

    name: str
    type: InputType = "string"
    path: tuple[str, ...] = ()
    default: str | None = None
    description: str = ""


class ModeRule(msgspec.Struct, frozen=True, kw_only=True):
    """A mode, and the matchers under which it holds; no matchers = always. The first that matches wins."""

    mode: Mode
    matchers: tuple[Matcher, ...] = ()


class Compensate(msgspec.Struct, frozen=True, kw_only=True):
    """When our change is undone."""

    when: Literal["resolved", "onFailure", "never"]
    hold_for: timedelta = timedelta(minutes=10)
    on_refire: Literal["keep"] = "keep"


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who must say yes to this step's change, for how long we wait, and what no answer means."""

    by: str
    timeout: timedelta
    on_timeout: Literal["stop", "abort", "next"] = "stop"


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call that surely did nothing is tried in all; the backoff doubles each time."""

    attempts: int = 3
    backoff: timedelta = timedelta(seconds=2)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A named use of an action on a target."""

    name: str
    action: str
    arguments: Mapping[str, Any] = {}  # strings in it may be templates
    target: TargetTemplate | None = None  # None = the runbook's
    when: tuple[Check, ...] = ()
    verify: tuple[Check, ...] = ()
    approval: Approval | None = None
    retry: Retry = Retry()
    settle: timedelta = timedelta(0)
    compensate: Compensate = Compensate(when="never")
    line: int = 0
    file: str = ""  # of the part that it was written in; empty = the runbook's own


class Collector(msgspec.Struct, frozen=True, kw_only=True):
    """One read-only collector of evidence, by the name under which `diagnostics/` knows it."""

    name: str
    arguments: Mapping[str, Any] = {}


class NotifyRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which receiver hears which events; `after` pages while still trying."""

    receiver: str
    events: tuple[EventName, ...]
    after: timedelta | None = None


class GroupRule(msgspec.Struct, frozen=True, kw_only=True):
    """How many targets at once: alerts within `wait` are one group; the last of the batch sizes repeats."""

    wait: timedelta
    max_targets: int
    batches: tuple[int, ...] = (1,)
    max_failures: int = 0


class Runbook(msgspec.Struct, frozen=True, kw_only=True):
    """One runbook, compiled. `digest` is the hash of everything in it that decides."""

    name: str
    owner: str
    matchers: tuple[Matcher, ...]
    target: TargetTemplate
    guardrails: Guardrails
    steps: tuple[Step, ...]
    digest: str = ""
    summary: str = ""
    reviewed: str = ""  # who looked at how it did; part of the digest, so that a word of theirs begins anew
    inputs: tuple[Input, ...] = ()
    group: GroupRule | None = None
    mode: tuple[ModeRule, ...] = (ModeRule(mode="propose"),)
    require: tuple[Check, ...] = ()
    diagnostics: tuple[Collector, ...] = ()
    links: Mapping[str, str] = {}
    strategy: Strategy = "sequence"
    verify: tuple[Check, ...] = ()
    do_no_harm: DoNoHarm | None = None
    notify: tuple[NotifyRule, ...] = ()
    apart: tuple[tuple[str, ...], ...] = ()  # what its changes read besides the target: alerts that differ in it part
    file: str = ""
    line: int = 0
