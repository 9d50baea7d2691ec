"""The engine's own cost for each step: ten steps that change nothing real, every intent and every outcome durable.

A step is looked at, judged by every guardrail, intended, applied and recorded, so it costs two commits at the least.
They are set beside two transactions of one row each in bare sqlite3, in the same run and with the same pragmas.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
from runbook_adapters.sqlite.database import CHECKPOINT
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
FRAME = 4096 + 24  # bytes of a page in the log, with its head (sqlite.org/fileformat2.html)
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
    """What a step costs: seconds of wall time and of CPU, turns, commits, and pages that are written to the log."""

    wall: float
    cpu: float
    turns: float
    commits: float
    pages: float = 0


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
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "journal.sqlite3", Path(folder) / "bare.sqlite3"
        durable, bare = sqlite_journal(ours), bare_rows(theirs)
        ways = (
            driver(MemoryJournal()),
            driver(durable, lambda: pages_of(ours)),
            lambda number: two_rows(bare, lambda: pages_of(theirs)),
        )
        memory, sqlite, rows = in_turn(ways, QUICK_RUNS if quick else RUNS)
        durable.close()
        bare.close()
    lines = (("memory", memory, "-"), ("SQLite", sqlite, GOAL), ("two rows in bare sqlite3", rows, "-"))
    head = ("a step on", "us", "us of CPU", "turns", "commits", "pages", "x two rows", "goal")
    return table(
        head,
        [
            (*(name, cost.wall * 1e6, cost.cpu * 1e6), *cost[2:], cost.wall / rows.wall, goal)
            for name, cost, goal in lines
        ],
    )


def in_turn(ways: Sequence[Callable[[int], Cost]], runs: int) -> tuple[Cost, ...]:
    """Let each take its turn in every round, so that a busy moment meets all of them; return a step's medians."""
    rounds = [[way(number) for way in ways] for number in range(runs + WARM_UP)][WARM_UP:]
    return tuple(
        Cost(*(median(figures) / STEPS for figures in zip(*costs, strict=True))) for costs in zip(*rounds, strict=True)
    )


def pages_of(file: Path) -> float:
    """Return how many pages are in a file's log, of which none is moved into the file so soon."""
    log = file.with_name(f"{file.name}-wal")
    return log.stat().st_size / FRAME if log.exists() else 0


def driver(journal: Journal, pages: Callable[[], float] = float) -> Callable[[int], Cost]:
    """Return what opens an execution over this journal and drives it to its end."""
    counted = Counted(journal)
    simulated = SimulatedWorld()
    engine = Engine(
        bundle=Bundle((RUNBOOK,), CONFIGURATION),
        journal=counted,
        world=replace(simulated.world, clock=Standing()),
        effects=simulated.effects,
        registry=Nothing(),
    )

    def run(number: int) -> Cost:
        simulated.deploy("apps", f"service-{number}", replicas=2)
        return _drive(engine, counted, _opened(engine, number), pages)

    return run


def _opened(engine: Engine, number: int) -> str:
    labels = {"alertname": "Ten", "severity": "critical", "service": f"service-{number}"}
    body = msgspec.json.encode({"version": "4", "alerts": [{"status": "firing", "labels": labels}]})
    request = Request("bench", "alertmanager", {"content-type": "application/json"}, body, NOON)
    [execution_id] = engine.ingest(request).opened
    return execution_id


def _drive(engine: Engine, counted: Counted, execution_id: str, pages: Callable[[], float]) -> Cost:
    turns, commits, written = 0, counted.commits, pages()
    wall, cpu = perf_counter(), process_time()
    while True:
        directive = engine.drive(execution_id, "bench", NOON, PLENTY)
        turns += 1
        if not isinstance(directive, Next):
            break
    wall, cpu = perf_counter() - wall, process_time() - cpu
    assert isinstance(directive, Done), directive
    assert directive.status == "succeeded", directive
    return Cost(wall, cpu, turns, counted.commits - commits, pages() - written)


def bare_rows(path: Path) -> sqlite3.Connection:
    """Return bare sqlite3 with the pragmas of the journal and one table."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
    connection.execute("CREATE TABLE kept (serial INTEGER PRIMARY KEY, body BLOB)")
    return connection


def two_rows(connection: sqlite3.Connection, pages: Callable[[], float] = float) -> Cost:
    """For each step, write two rows of a few kilobytes, each in a transaction of its own."""
    body, written = msgspec.msgpack.encode(RUNBOOK), pages()
    wall, cpu = perf_counter(), process_time()
    for _ in range(2 * STEPS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO kept (body) VALUES (?)", (body,))
        connection.execute("COMMIT")
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Cost(wall, cpu, 0, 2 * STEPS, pages() - written)
