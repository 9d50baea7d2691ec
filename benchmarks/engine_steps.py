"""The engine's own cost for each step: ten steps that change nothing real, every intent and every outcome durable.

A step is looked at, judged by every guardrail, intended, applied and recorded, so it costs two commits at the least.
They are set beside two transactions of one row each in bare sqlite3, in the same run and with the same pragmas.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import msgspec

from benchmarks.deliveries import NOON, sqlite_journal
from benchmarks.timing import table
from runbook_engine.actions.params import ActionParams
from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Done, Next
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.runbook import Input, ModeRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import ActionSpec, Effects, Journal, World
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld

STEPS = 10
RUNS, QUICK_RUNS = 40, 8
WARM_UP = 3
GOAL = 1.5
PLENTY = timedelta(minutes=5)
CONFIGURATION = Configuration(
    clusters=("local",),
    scopes=(Scope(name="bench"),),
    targets=("deployment=*/*",),
    mode_ceiling=(ModeRule(mode="auto"),),
)


class FieldParams(ActionParams):
    """Which field of the target is set."""

    field: str


def prepare(params: FieldParams, target: Target, world: World) -> Change | None:
    """Return a change of that field."""
    return Change(target=target, field=params.field, before="off", after="on")


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Do nothing."""
    return Outcome.done()


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """It is done at once."""
    return Progress.done()


NOTHING = ActionSpec(
    name="nothing",
    summary="Change nothing.",
    params=FieldParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    repeat="declarative",
    reversible=False,
    permissions=(),
)
RUNBOOK = Runbook(
    name="ten-steps",
    digest="digest-of-ten-steps",
    owner="team-bench",
    matchers=(Matcher("alertname", "=", "Ten"),),
    inputs=(Input(name="service", type="workload", path=("alert", "labels", "service")),),
    target=TargetTemplate(kind="deployment", name="{{ inputs.service }}", namespace="apps"),
    mode=(ModeRule(mode="auto"),),
    strategy="sequence",
    guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
    steps=tuple(
        Step(name=f"step-{number}", action="nothing", arguments={"field": f"flag-{number}"}) for number in range(STEPS)
    ),
)


class Nothing(Registry):
    """What is installed, and the action that does nothing."""

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """One action."""
        return {NOTHING.name: NOTHING}


class Standing:
    """A clock that stands, so that no wait is waited for."""

    def now(self) -> datetime:
        """Return the same present."""
        return NOON


class Cost(NamedTuple):
    """What a step costs: seconds of wall time and of CPU, turns and commits."""

    wall: float
    cpu: float
    turns: float
    commits: float


class Counted:
    """A journal whose commits are counted."""

    def __init__(self, inner: Journal) -> None:
        self._inner = inner
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self, *arguments: Any, **named: Any) -> Any:
        """Count, and pass on."""
        self.commits += 1
        return self._inner.commit(*arguments, **named)


def run(quick: bool) -> str:
    """Return what a step costs on each journal, beside two transactions of one row."""
    runs = QUICK_RUNS if quick else RUNS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        memory = _cost(MemoryJournal(), runs)
        durable = sqlite_journal(path / "journal.sqlite3")
        before = _two_rows(path / "before.sqlite3", runs * STEPS)
        sqlite = _cost(durable, runs)
        after = _two_rows(path / "after.sqlite3", runs * STEPS)
        durable.close()
    rows = Cost(*((one + other) / 2 for one, other in zip(before, after, strict=True)))
    lines = (("memory", memory), ("SQLite", sqlite), ("two rows in bare sqlite3", rows))
    head = ("a step on", "us", "us of CPU", "turns", "commits", "x two rows", "goal")
    return table(
        head,
        [
            (name, cost.wall * 1e6, cost.cpu * 1e6, cost.turns, cost.commits, cost.wall / rows.wall, GOAL)
            for name, cost in lines
        ],
    )


def _cost(journal: Journal, runs: int) -> Cost:
    counted = Counted(journal)
    simulated = SimulatedWorld()
    engine = Engine(
        bundle=Bundle((RUNBOOK,), CONFIGURATION),
        journal=counted,  # type: ignore[arg-type]  # it is the journal, but for one method
        world=replace(simulated.world, clock=Standing()),
        effects=simulated.effects,
        registry=Nothing(),
    )
    costs = [_drive(engine, counted, _opened(engine, number)) for number in range(runs + WARM_UP)][WARM_UP:]
    return Cost(*(median(each) / STEPS for each in zip(*costs, strict=True)))


def _opened(engine: Engine, number: int) -> str:
    labels = {"alertname": "Ten", "severity": "critical", "service": f"service-{number}"}
    body = msgspec.json.encode({"version": "4", "alerts": [{"status": "firing", "labels": labels}]})
    request = Request("bench", "alertmanager", {"content-type": "application/json"}, body, NOON)
    [execution_id] = engine.ingest(request).opened
    return execution_id


def _drive(engine: Engine, counted: Counted, execution_id: str) -> Cost:
    turns, commits = 0, counted.commits
    wall, cpu = perf_counter(), process_time()
    while True:
        directive = engine.drive(execution_id, "bench", NOON, PLENTY)
        turns += 1
        if not isinstance(directive, Next):
            break
    wall, cpu = perf_counter() - wall, process_time() - cpu
    assert isinstance(directive, Done), directive
    assert directive.status == "succeeded", directive
    return Cost(wall, cpu, turns, counted.commits - commits)


def _two_rows(path: Path, count: int) -> Cost:
    """Write the body of an execution twice, each time in a transaction of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE kept (serial INTEGER PRIMARY KEY, body BLOB)")
    body = msgspec.msgpack.encode(RUNBOOK)
    costs = []
    for _ in range(count):
        wall, cpu = perf_counter(), process_time()
        for _ in range(2):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO kept (body) VALUES (?)", (body,))
            connection.execute("COMMIT")
        costs.append(Cost(perf_counter() - wall, process_time() - cpu, 0, 2))
    connection.close()
    return Cost(*(median(each) for each in zip(*costs, strict=True)))
