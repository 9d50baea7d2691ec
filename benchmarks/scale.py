"""Scale: what an alert, a run and a look cost with ten to ten thousand runbooks, open incidents and past ones.

The alerts that are measured match one runbook, whose run flips a flag, is verified, and puts it back once its alert is
over. What is stored besides was made by such runs, and then copied under other names of the same length: every row of
every table that one run leaves behind. Counts of statements are exact; CPU is the process's own; bytes are what the
file grew by.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, NamedTuple
from unittest import mock

import msgspec
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table as MotoTable

from benchmarks.mixes import runbooks
from benchmarks.timing import table
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.overview import look_around
from runbook_engine.matching.placement import Entry
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Limits, Scope
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Compensate, Input, ModeRule, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.registry import Registry
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.emulators.dynamodb import Faults, locked_client, make_transactions_quick, new_table
from tests.emulators.dynamodb_client import open_journal

NOON = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
MINUTE = timedelta(minutes=1)
PLENTY = timedelta(hours=1)
KEPT_APART = ("statuses", "runbooks", "latch", "budget_entries", "budget_windows", "groups", "inbox", "aside")
TIMES = ("at", "opened_at", "last_seen", "since")
BATCH = 1000
FILLING = (
    "synchronous = OFF",
    "cache_size = -262144",
)  # of the connection that copies, which is closed before the rest
DELIVERY = 500  # alerts
COUNTED = 4  # rounds in which statements are counted
ROUNDS, QUICK_ROUNDS = 40, 8
RUNBOOK = Runbook(
    name="measured",
    digest="digest-of-measured",
    owner="team-bench",
    matchers=(Matcher("alertname", "=", "Measured"),),
    inputs=(Input(name="pod", type="workload", path=("alert", "labels", "pod")),),
    target=TargetTemplate(kind="parameter", name="/bench/{{ inputs.pod }}"),
    mode=(ModeRule(mode="auto"),),
    strategy="sequence",
    guardrails=Guardrails(cooldown=timedelta(minutes=1), deadline=timedelta(minutes=40)),
    steps=(
        Step(
            name="flip",
            action="degrade",
            arguments={"parameter": "/bench/{{ inputs.pod }}", "value": "true"},
            compensate=Compensate(when="resolved", hold_for=timedelta(0)),
        ),
    ),
)
CONFIGURATION = Configuration(
    clusters=("local",),
    scopes=(Scope(name="bench"),),
    targets=("parameter=/bench/*",),
    mode_ceiling=(ModeRule(mode="auto"),),
    limits=Limits(max_open_executions=1_000_000, max_body=32 * 1024 * 1024),
    storm=StormRule(max_targets=1000, within=MINUTE / 60),  # none here: each run acts
)


class Cost(NamedTuple):
    """What one thing takes."""

    cpu: float  # microseconds
    statements: float


class Costs(NamedTuple):
    """What everything takes at one size."""

    alert: Cost  # a new one, taken and decided
    repeat: Cost
    execution: Cost  # from its opening to its end, undone
    look: Cost  # of a worker that finds nothing
    page: Cost  # the first screen
    stored: float  # bytes an alert and its run add to the file
    written: float  # bytes that they add to the log


class Counting(Database):
    """A database whose statements are counted, while that is wanted: SQLite writes each out whole, bodies and all."""

    counts = True
    statements = 0

    def borrow(self) -> sqlite3.Connection:
        """Lend a connection that tells what it does."""
        connection = super().borrow()
        connection.set_trace_callback(self._count if self.counts else None)
        return connection

    def _count(self, statement: str) -> None:
        self.statements += 1


class Bench:
    """An engine over a journal in a file, and what has been asked of it."""

    def __init__(self, path: Path, others: Sequence[Entry] = ()) -> None:
        self.database = Counting(path, timedelta(seconds=30))
        self.journal = SqliteJournal(self.database)
        self.simulated = SimulatedWorld(NOON)
        self.engine = _engine(self.journal, self.simulated, others)
        self._taken = 0

    def close(self) -> None:
        """Close the file."""
        self.journal.close()

    def take(self, pods: Sequence[str], *, resolved: bool = False, service: str = "") -> None:
        """Take a delivery in, and decide it."""
        self.engine.accept(_request(pods, self.simulated.world.clock.now(), resolved=resolved, service=service))
        while (waiting := self.engine.oldest_waiting()) is not None:
            self.engine.decide(waiting)

    def drive(self) -> None:
        """Drive all that is due to where it rests."""
        _drive(self.engine, self.simulated)

    def measure(self, work: Callable[[], object]) -> Cost:
        """Return what some work takes."""
        statements, cpu = self.database.statements, process_time()
        work()
        return Cost((process_time() - cpu) * 1e6, self.database.statements - statements)

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the file holds and its log has, the log begun anew."""
        log = Path(f"{self.database.path}-wal")
        written = log.stat().st_size if log.exists() else 0
        with self.database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size, written


def run(quick: bool) -> str:
    """Return the costs at each size, each with its ratio to the smallest of the same run."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    sizes = {
        "runbooks": (10, 100, 1000) if quick else (10, 100, 1000, 10_000),
        "open incidents": (100, 1000) if quick else (100, 1000, 10_000),
        "ended runs": (1000, 10_000) if quick else (1000, 10_000, 100_000),
        "alerts of one incident": (10, 100, 1000) if quick else (10, 100, 1000, 10_000),
    }
    with tempfile.TemporaryDirectory() as folder:
        templates = {over: _template(Path(folder) / f"template-{over}.sqlite3", over=over) for over in (False, True)}
        prepared: dict[str, Callable[[Path, int], Bench]] = {
            "runbooks": lambda path, size: Bench(path, runbooks(size)),
            "open incidents": lambda path, size: _copied(path, templates[False], size),
            "ended runs": lambda path, size: _copied(path, templates[True], size),
        }
        tables = [
            _table(what, [(size, _costs(make(Path(folder) / f"{what}-{size}", size), rounds)) for size in sizes[what]])
            for what, make in prepared.items()
        ]
        tables.append(_crowd_table(Path(folder), sizes["alerts of one incident"], rounds))
    tables.append(_cloud_table((2, 8) if quick else (10, 100, 200)))
    return "\n\n".join(tables)


def _table(what: str, found: Sequence[tuple[int, Costs]]) -> str:
    each = ("alert us", "x", "statements", "repeat us", "x", "statements", "run us", "x", "statements")
    head = (what, *each, "look us", "x", "page ms", "x", "kB stored", "x", "kB written", "x")
    least = found[0][1]

    def cells(size: int, costs: Costs) -> Iterator[object]:
        yield f"{size:,}"
        for cost, first in zip(costs[:3], least[:3], strict=True):
            yield from (cost.cpu, cost.cpu / first.cpu, cost.statements)
        yield from (costs.look.cpu, costs.look.cpu / least.look.cpu)
        yield from (costs.page.cpu / 1e3, costs.page.cpu / least.page.cpu)
        yield from (costs.stored / 1e3, costs.stored / least.stored)
        yield from (costs.written / 1e3, costs.written / least.written)

    return table(head, [tuple(cells(size, costs)) for size, costs in found])


def _costs(bench: Bench, rounds: int) -> Costs:
    """Measure an alert and its run, again and again; the first ones fill the caches, and are counted."""
    with closing(bench):
        now = bench.simulated.world.clock.now()

        def look() -> None:
            bench.engine.due(now, 8)
            bench.engine.oldest_waiting()

        counted = [_round(bench, f"warm-{number}") for number in range(COUNTED)]
        bench.database.counts = False
        before, _ = bench.sizes()
        measured = [_round(bench, f"pod-{number}") for number in range(rounds)]
        after, log = bench.sizes()
        looks = [bench.measure(look) for _ in range(rounds)]
        pages = [bench.measure(lambda: look_around(bench.engine, Registry(), now)) for _ in range(3)]
    by_kind = zip(zip(*measured, strict=True), zip(*counted, strict=True), strict=True)
    alert, repeat, execution = (_middle(took, count) for took, count in by_kind)
    stored, written = (after - before) / rounds, log / rounds
    return Costs(alert, repeat, execution, _middle(looks, looks), _middle(pages, pages), stored, written)


def _round(bench: Bench, pod: str) -> tuple[Cost, Cost, Cost]:
    """Let one alert come, be repeated, be acted on and end."""
    alert = bench.measure(lambda: bench.take([pod]))
    repeat = bench.measure(lambda: bench.take([pod]))
    acted = bench.measure(bench.drive)
    bench.simulated.push(MINUTE)
    over = bench.measure(lambda: bench.take([pod], resolved=True))
    undone = bench.measure(bench.drive)
    bench.simulated.push(MINUTE)
    parts = (acted, over, undone)
    return alert, repeat, Cost(sum(each.cpu for each in parts), sum(each.statements for each in parts))


def _middle(took: Sequence[Cost], counted: Sequence[Cost]) -> Cost:
    return Cost(median([each.cpu for each in took]), median([each.statements for each in counted]))


def _crowd_table(folder: Path, sizes: Sequence[int], rounds: int) -> str:
    """Measure one more alert of an incident that has so many already, each with a run of its own."""
    found = [(size, *_crowd(folder / f"crowd-{size}", size, rounds)) for size in sizes]
    _, least, stored, written = found[0]
    head = ("alerts of one incident", "alert us", "x", "statements", "kB stored", "x", "kB written", "x")
    rows = [
        (f"{size:,}", cost.cpu, cost.cpu / least.cpu, cost.statements, kept, kept / stored, log, log / written)
        for size, cost, kept, log in found
    ]
    return table(head, rows)


def _crowd(path: Path, size: int, rounds: int) -> tuple[Cost, float, float]:
    with closing(Bench(path)) as bench:
        bench.database.counts = False
        for start in range(0, size, DELIVERY):
            names = [f"old-{number}" for number in range(start, min(start + DELIVERY, size))]
            bench.take(names, service="crowded")
        bench.database.counts = True
        counted = [_one_more(bench, f"warm-{number}") for number in range(COUNTED)]
        bench.database.counts = False
        before, _ = bench.sizes()
        measured = [_one_more(bench, f"new-{number}") for number in range(rounds)]
        after, log = bench.sizes()
    return _middle(measured, counted), (after - before) / rounds / 1e3, log / rounds / 1e3


def _one_more(bench: Bench, pod: str) -> Cost:
    return bench.measure(lambda: bench.take([pod], service="crowded"))


# --- the table in AWS -----------------------------------------------------------------------------------------


class Calls:
    """What a client of DynamoDB asked and got, counted."""

    def __init__(self, client: Any) -> None:
        self.requests = 0
        self.items = 0
        client.meta.events.register("before-call.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._answer)

    def since(self, work: Callable[[], object]) -> tuple[int, int]:
        """Return how many requests some work takes, and how many items come back."""
        requests, items = self.requests, self.items
        work()
        return self.requests - requests, self.items - items

    def _ask(self, **named: object) -> None:
        self.requests += 1

    def _answer(self, parsed: Mapping[str, Any], **named: object) -> None:
        batches = parsed.get("Responses", {})
        found = chain.from_iterable(batches.values()) if isinstance(batches, dict) else batches
        self.items += len(parsed.get("Items", ())) + len(list(found)) + ("Item" in parsed)


@contextmanager
def _quick_emulator() -> Iterator[None]:
    """Let the emulator put items in order by their text: it casts each key anew for each comparison of each query.

    Every key of the table is text, so order and answers are the same.
    """

    def text(key: DynamoType) -> object:
        return key.value if key.type == "S" else cast.__get__(key)

    def ordered(kept: MotoTable) -> list[Item]:
        items = [item for below in kept.items.values() for item in below.values()]
        return sorted(items, key=lambda item: (item.hash_key.value, item.range_key.value))

    cast = vars(DynamoType)["cast_value"]
    make_transactions_quick()
    with (
        mock.patch.object(DynamoType, "cast_value", property(text)),
        mock.patch.object(MotoTable, "all_items", ordered),
    ):
        yield


def _cloud_table(sizes: Sequence[int]) -> str:
    """Count what an alert and its run ask of the table, with so many runs ended before."""
    with _quick_emulator():
        return table(
            ("ended runs, DynamoDB", "alert calls", "items", "run calls", "items", "look calls", "items"),
            list(_cloud_rows(sizes)),
        )


def _cloud_rows(sizes: Sequence[int]) -> Iterator[tuple[object, ...]]:
    client = locked_client(Faults())
    simulated, calls = SimulatedWorld(NOON), Calls(client)
    journal = open_journal(new_table(client), client, pause=lambda attempt: None)
    engine, ended = _engine(journal, simulated, ()), 0
    for size in sizes:
        while ended < size:
            counted = [calls.since(part) for part in _life(engine, simulated, f"pod-{ended}")]
            ended += 1
        alert, acted, over, undone = counted
        run = [sum(each) for each in zip(acted, over, undone, strict=True)]
        look = calls.since(lambda: engine.due(simulated.world.clock.now(), 8))
        yield (f"{size:,}", *alert, *run, *look)


def _life(engine: Engine, simulated: SimulatedWorld, pod: str) -> Iterator[Callable[[], object]]:
    """Yield the parts of one run: its alert, what follows, the end of its alert, what follows."""

    def take(resolved: bool) -> None:
        engine.ingest(_request([pod], simulated.world.clock.now(), resolved=resolved, service=""))

    for resolved in (False, True):
        yield partial(take, resolved)
        yield partial(_drive, engine, simulated)
        simulated.push(MINUTE)


def _drive(engine: Engine, simulated: SimulatedWorld) -> None:
    """Drive all that is due to where it rests."""
    while due := engine.due(now := simulated.world.clock.now(), 50):
        for execution_id in due:
            while isinstance(engine.drive(execution_id, "bench", now, PLENTY), Next):
                pass


# --- what is stored besides -----------------------------------------------------------------------------------


Made = Callable[[int, Mapping[str, str]], object]  # a cell of a copy, from its number and the names of that copy


class Template(NamedTuple):
    """The rows of one run: by table its columns and how each cell is made, and what is a name of its own in them."""

    rows: Mapping[str, tuple[tuple[str, ...], list[tuple[Made, ...]]]]
    names: tuple[str, ...]
    status: str


def _template(path: Path, *, over: bool) -> Template:
    """Let one run go its way, up to where it holds its change or to its end, and return all that it left behind."""
    with closing(Bench(path)) as bench:
        bench.take(["original-pod"])
        bench.drive()
        if over:
            bench.simulated.push(MINUTE)
            bench.take(["original-pod"], resolved=True)
            bench.drive()
        (execution,) = bench.journal.executions(limit=2)
        (incident,) = bench.journal.incidents(limit=2)
        assert execution.finished is over, execution.status
    names = (execution.id, execution.slot, incident.id, incident.key, execution.alert.alert_key, "original-pod")
    pattern = re.compile(f"({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})")
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        rows = {}
        for (name,) in tables.fetchall():
            if name not in KEPT_APART:
                columns = tuple(
                    row[1] for row in connection.execute(f"PRAGMA table_info({name})") if row[1] != "serial"
                )
                found = connection.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall()
                rows[name] = columns, [tuple(map(partial(_made, pattern), columns, row)) for row in found]
    return Template(rows, names, execution.status)


def _copied(path: Path, template: Template, copies: int) -> Bench:
    """Return a bench whose journal holds so many copies of a run, each under its own names, one a second."""
    with closing(Bench(path)) as bench:
        bench.journal.keep_runbook(RUNBOOK)
    counted = "INSERT INTO statuses VALUES (?1, ?2) ON CONFLICT (status) DO UPDATE SET executions = executions + ?2"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in FILLING:
            connection.execute(f"PRAGMA {pragma}")
        for start in range(0, copies, BATCH):
            numbers = range(start, min(start + BATCH, copies))
            named = [(number, {name: _other(name, number) for name in template.names}) for number in numbers]
            connection.execute("BEGIN IMMEDIATE")
            for name, (columns, rows) in template.rows.items():
                insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
                connection.executemany(insert, ([cell(*each) for cell in row] for each in named for row in rows))
            connection.execute(counted, (template.status, len(numbers)))
            connection.execute("COMMIT")
    bench = Bench(path)
    bench.sizes()
    return bench


def _made(pattern: re.Pattern[str], column: str, cell: object) -> Made:
    """Return what makes this cell of a copy: it is cut at the names once, and joined for each copy."""
    if column in TIMES and isinstance(cell, int):
        return lambda number, others: cell - number * 1_000_000
    text = cell.decode("latin-1") if isinstance(cell, bytes) else cell  # keeps every byte, and names are ASCII
    if not isinstance(text, str) or len(parts := pattern.split(text)) == 1:
        return lambda number, others: cell
    if isinstance(cell, bytes):
        return lambda number, others: "".join([others.get(part, part) for part in parts]).encode("latin-1")
    return lambda number, others: "".join([others.get(part, part) for part in parts])


def _other(name: str, number: int) -> str:
    digest = hashlib.sha256(f"{number} {name}".encode()).hexdigest()
    return (digest * (len(name) // len(digest) + 1))[: len(name)]


# --- the engine -----------------------------------------------------------------------------------------------


def _engine(journal: Journal, simulated: SimulatedWorld, others: Sequence[Entry]) -> Engine:
    """Return an engine with the runbook that is measured, and others that match none of its alerts."""
    more = (
        msgspec.structs.replace(RUNBOOK, name=each.name, digest=each.name, matchers=each.matchers) for each in others
    )
    return Engine(
        bundle=Bundle((RUNBOOK, *more), CONFIGURATION),
        journal=journal,
        world=simulated.world,
        effects=simulated.effects,
        registry=Registry(),
    )


def _request(pods: Sequence[str], now: datetime, *, resolved: bool, service: str) -> Request:
    alerts = [
        {
            "status": "resolved" if resolved else "firing",
            "labels": {
                "alertname": "Measured",
                "severity": "critical",
                "cluster": "local",
                "namespace": "apps",
                "service": service or pod,
                "pod": pod,
                "job": "node",
                "team": "bench",
            },
            "startsAt": (NOON - MINUTE).isoformat() if service else now.isoformat(),
            "endsAt": now.isoformat() if resolved else "0001-01-01T00:00:00Z",
        }
        for pod in pods
    ]
    body = msgspec.json.encode({"version": "4", "alerts": alerts})
    return Request("bench", "alertmanager", {"content-type": "application/json"}, body, now)
