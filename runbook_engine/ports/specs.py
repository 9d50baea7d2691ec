"""Specs: how an action, a collector of evidence or an adapter says what it is. One file each, found by the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runbook_engine.ports.readers import Clock, World
from runbook_engine.ports.writers import Effects

if TYPE_CHECKING:
    from pydantic import BaseModel

    from runbook_engine.model.configuration import Configuration, SecretReference
    from runbook_engine.model.grant import Grant
    from runbook_engine.model.plan import Change, Outcome, Progress, Value
    from runbook_engine.model.target import Target


Repeat = Literal["declarative", "token", "observable", "once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One action: its parameters, its three functions, and what it declares of itself.

    `repeat` says what a resumed intent may do: apply again (declarative), apply again with the same key
    (token), look first (observable), never (once). `message_only` actions tell somebody and change nothing.
    `needs` and `limit` narrow `permissions` and `time_limit` to what a step with these arguments (as the author
    wrote them, templates unfilled) needs of a target of this kind, and how long it may take. `foreseeable` actions
    say before the first change of a sequence what forbids them: no step before them on the same target mends that.
    `looks_tell`: a look can prove that a call whose answer was lost did nothing; else only a person can know.
    """

    name: str
    summary: str
    params: type[BaseModel]
    prepare: Callable[[Any, Target, World], Change | None]
    apply: Callable[[Change, str, Effects], Outcome]
    observe: Callable[[Change, Mapping[str, Value], World], Progress]
    repeat: Repeat
    reversible: bool
    permissions: tuple[str, ...]
    time_limit: timedelta = timedelta(minutes=10)
    target_kinds: tuple[str, ...] = ()  # empty = any, `none` included
    message_only: bool = False
    hands_over: bool = False
    foreseeable: bool = False
    looks_tell: bool = True
    needs: Callable[[Mapping[str, Any], str], tuple[str, ...]] | None = None  # None = `permissions` as they stand
    rehearse: Callable[[Change, Effects], str] | None = None  # asks, without effect, whether it will be denied, and why
    limit: Callable[[Mapping[str, Any]], timedelta] | None = None  # None = `time_limit` as it stands
    example: Mapping[str, Any] = field(default_factory=dict)  # arguments as an author would write them, for the docs

    def longest(self, arguments: Mapping[str, Any]) -> timedelta:
        """Return how long a step with these arguments may take to take effect."""
        return self.time_limit if self.limit is None else self.limit(arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidenced:
    """What a collector saw: text for people, points for a small chart."""

    title: str
    text: str
    points: tuple[tuple[datetime, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSpec:
    """One read-only collector of evidence; it raises Unreadable, and its failure blocks nothing.

    `needs` says what it reads of a target of this kind, as in `core/pods/log:get`.
    """

    name: str
    summary: str
    arguments: type[BaseModel]
    collect: Callable[[Any, Target, datetime, World], Evidenced]
    needs: Callable[[str], tuple[str, ...]] = lambda kind: ()


Port = Literal[
    "cluster",
    "settings",
    "nodes",
    "jobs",
    "events",
    "changes",
    "logs",
    "flags",
    "metrics",
    "pause",
    "journal",
    "receiver",
    "functions",
    "queues",
    "automations",
    "requests",
    "secrets",
    "bundles",
    "seats",
    "callbacks",
    "bus",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """What an adapter is built with, besides its own settings."""

    clock: Clock
    configuration: Configuration
    base: Path  # relative paths in settings start here
    state: Path  # where the host keeps its files
    secret: Callable[[SecretReference], str]
    place: str = ""
    looks_only: bool = False  # nothing will be changed by this process
    why_keep_layout: Callable[[], str] = lambda: ""  # why a store must not be brought up to date now; empty = it may
    shared: dict[str, Any] = field(default_factory=dict)  # what the ports of one choice use together, built once
    common: dict[str, Any] = field(default_factory=dict)  # what all adapters of one vendor use together


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an adapter gives for one port: something that looks, something that touches, or both."""

    reader: Any = None
    writer: Any = None
    watcher: Any = None  # of the port changes: a ChangeWatcher
    probe: Callable[[], str] | None = None  # for doctor: says what answers, raises when nothing does


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """One adapter. `settings` is a frozen msgspec Struct; unknown keys are refused before `build` is called."""

    name: str
    provides: tuple[Port, ...]
    settings: type[Any]
    build: Callable[[Port, Any, AdapterContext], Served]
    vendor: str = ""  # whose rights its calls need, as in aws; empty = none that `runbook permissions` knows of
    watches: Callable[[Any], tuple[Grant, ...]] = lambda settings: ()  # what its watcher reads, with these settings
