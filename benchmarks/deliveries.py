"""Made-up installations and deliveries: a thousand runbooks, and webhook bodies as Alertmanager sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from benchmarks.mixes import Labels, alerts, runbooks
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.engine import Engine
from runbook_engine.matching.placement import Entry
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Limits, Scope
from runbook_engine.model.delivery import Request
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Input, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.registry import Registry
from runbook_engine.testing.simulated_world import SimulatedWorld

Told = dict[str, object]  # an alert as its sender tells it
Kind = Callable[[Sequence[Entry], int, int], list[list[Told]]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNBOOKS = 1000
CONFIGURATION = Configuration(
    clusters=("eu-0", "eu-1", "eu-2"),
    scopes=(Scope(name="bench"),),
    targets=("deployment=*/*",),
    limits=Limits(max_body=32 * 1024 * 1024),
)


def entries() -> tuple[Entry, ...]:
    """Return the runbooks of the benchmark, as the index knows them."""
    return runbooks(RUNBOOKS)


def engine(journal: Journal, written: Sequence[Entry], most_open: int = 1_000_000) -> Engine:
    """Return an engine with these runbooks over this journal; each remedies the service that its alert names."""
    simulated = SimulatedWorld()
    limits = msgspec.structs.replace(CONFIGURATION.limits, max_open_executions=most_open)
    configuration = msgspec.structs.replace(CONFIGURATION, limits=limits)
    return Engine(
        bundle=Bundle(tuple(_runbook(entry) for entry in written), configuration),
        journal=journal,
        world=simulated.world,
        effects=simulated.effects,
        registry=Registry(),
    )


def sqlite_journal(path: Path) -> SqliteJournal:
    """Return a new journal in a file."""
    return SqliteJournal(Database(path, timedelta(seconds=30)))


def half_new(written: Sequence[Entry], size: int, count: int) -> list[list[Told]]:
    """Return so many deliveries: of each, half of the alerts were new in the one before."""
    made: list[list[Told]] = []
    fresh: list[Told] = []
    for number in range(count):
        seen, fresh = (
            fresh,
            [_told(each, f"{number}-{at}") for at, each in enumerate(alerts(size, written, seed=number))],
        )
        made.append([seen[at] if seen and (at + number) % 2 else each for at, each in enumerate(fresh)])
    return made


def seen(written: Sequence[Entry], size: int, count: int) -> list[list[Told]]:
    """Return the same delivery again and again, as a sender repeats what still fires."""
    return half_new(written, size, 1) * count


def one_service(written: Sequence[Entry], size: int, count: int) -> list[list[Told]]:
    """Return the storm of one broken service: all its pods alert, and all alerts belong to one incident."""
    [labels] = alerts(1, [entry for entry in written if len(entry.matchers) == 2], seed=1)
    return [[_told(labels, f"{number}-{at}") for at in range(size)] for number in range(count)]


def bodies(told: Iterable[list[Told]]) -> list[bytes]:
    """Return deliveries as webhook bodies."""
    return [msgspec.json.encode(_body(each)) for each in told]


def request(body: bytes) -> Request:
    """Return a delivery of this body."""
    return Request("bench", "alertmanager", {"content-type": "application/json"}, body, NOON)


def _runbook(entry: Entry) -> Runbook:
    return Runbook(
        name=entry.name,
        digest=f"digest-of-{entry.name}",
        owner="team-bench",
        matchers=entry.matchers,
        inputs=(
            Input(name="cluster", type="cluster", path=("alert", "labels", "cluster")),
            Input(name="service", type="workload", path=("alert", "labels", "service")),
        ),
        target=TargetTemplate(
            kind="deployment", name="{{ inputs.service }}", namespace="apps", cluster="{{ inputs.cluster }}"
        ),
        guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        steps=(Step(name="shed", action="degrade", arguments={"parameter": "/bench/degraded", "value": "true"}),),
    )


def _told(labels: Labels, unique: str) -> Told:
    """Return one alert as Alertmanager writes it, about 700 bytes."""
    return {
        "status": "firing",
        "labels": {**labels, "pod": f"{labels['pod']}-{unique}"},
        "annotations": {
            "summary": "the service burns its error budget fourteen times too fast",
            "runbook_url": "https://runbooks.example/burn",
        },
        "startsAt": "2026-03-01T11:59:12.318472911Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example/graph?g0.expr=sum%28rate%28errors%5B5m%5D%29%29&g0.tab=1",
        "fingerprint": f"{abs(hash(unique)):016x}"[-16:],
    }


def _body(told: list[Told]) -> dict[str, object]:
    return {
        "receiver": "engine",
        "status": "firing",
        "alerts": told,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
    }
