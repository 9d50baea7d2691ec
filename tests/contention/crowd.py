"""Several engines at once over one journal: in threads of this process, or in processes that start together."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import msgspec

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Receiver, Scope
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import ENDED
from runbook_engine.model.guardrail import BudgetRule, Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Input, ModeRule, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.contention.tally import Tally, TallyRegistry

HOUR = timedelta(hours=1)
STARTED = datetime.now(UTC)  # the moment at which every alert of this session started, whoever posts it
LONGEST = 90.0  # seconds
NO_STORM = StormRule(max_targets=1000)  # far more than any of these crowds has
Work = Callable[[Path, int], object]


def open_journal(folder: Path) -> SqliteJournal:
    """Return the one journal of a folder."""
    return SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=60)))


def engine_over(
    journal: Journal,
    folder: Path,
    budget: BudgetRule | None = None,
    *,
    deployments: Sequence[str] = (),
    nodes: object = None,
    storm_rule: StormRule = NO_STORM,
    **changes: object,
) -> Engine:
    """Return an engine whose one runbook, with these changes, adds one line for the target that the alert names."""
    runbook = Runbook(
        name="tally",
        digest=f"digest-of-tally-{budget}",
        owner="team-checkout",
        matchers=(Matcher("alertname", "=~", "Storm.*"),),
        inputs=(Input(name="name", type="string", path=("alert", "labels", "victim")),),
        target=TargetTemplate(kind="parameter", name="{{ inputs.name }}"),
        mode=(ModeRule(mode="auto"),),
        guardrails=Guardrails(cooldown=HOUR, deadline=HOUR, budget=budget),
        steps=(Step(name="tally", action="tally"),),
    )
    runbook = msgspec.structs.replace(runbook, **changes)
    configuration = Configuration(
        clusters=("local",),
        scopes=(Scope(name="local"),),
        receivers=(Receiver(name="chat", adapter="console"),),
        targets=("parameter=/victim/*", "deployment=apps/*"),
        mode_ceiling=(ModeRule(mode="auto"),),
        storm=storm_rule,
    )
    simulated = SimulatedWorld(datetime.now(UTC), receivers=("chat",))
    for name in deployments:
        simulated.deploy("apps", name, replicas=2)
    return Engine(
        bundle=Bundle((runbook,), configuration),
        journal=journal,
        world=simulated.world if nodes is None else dataclasses.replace(simulated.world, nodes=nodes),
        effects=simulated.effects,
        registry=TallyRegistry(Tally(folder / "tally")),
    )


def storm(victim: str, name: str = "Storm", **labels: str) -> Request:
    """Return the notification of one alert; all of a storm belong to one service, so to one incident."""
    alert = {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", "service": "checkout", "victim": victim, **labels},
        "startsAt": STARTED.isoformat(),
    }
    body = json.dumps({"version": "4", "alerts": [alert]}).encode()
    return Request("local", "alertmanager", {"content-type": "application/json"}, body, datetime.now(UTC))


def drive_to_the_end(engine: Engine, owner: str, executions: int) -> None:
    """Drive whatever is due, anybody's, until that many executions have ended and everybody was told."""
    end = time.monotonic() + LONGEST
    while not _all_ended(engine.journal, executions):
        assert time.monotonic() < end, f"not done in time: {engine.journal.counts()}"
        due = list(engine.due(datetime.now(UTC), 50))
        random.shuffle(due)
        for execution_id in due:
            while isinstance(engine.drive(execution_id, owner, datetime.now(UTC), HOUR), Next):
                pass
        if not due:
            time.sleep(0.005)


def _all_ended(journal: Journal, executions: int) -> bool:
    counts = journal.counts()
    ended = sum(counts.get(f"executions.{status}", 0) for status in ENDED)
    return ended >= executions and not journal.executions(limit=1, active_only=True)


def together(work: Work, folder: Path, processes: int) -> list[Any]:
    """Run in that many processes that begin at one moment; return what each returned, or raise what one said."""
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(processes), context.Queue()
    running = [
        context.Process(target=_run, args=(work, folder, number, start, results), daemon=True)
        for number in range(processes)
    ]
    for process in running:
        process.start()
    found = [results.get(timeout=LONGEST + 10) for _ in running]
    for process in running:
        process.join(timeout=10)
    problems = [said for problem, said in found if problem]
    assert not problems, "\n".join(map(str, problems))
    return [answer for _, answer in found]


def _run(work: Work, folder: Path, number: int, start: Barrier, results: Queue[tuple[bool, object]]) -> None:
    start.wait(timeout=60)
    try:
        results.put((False, work(folder, number)))
    except BaseException:  # noqa: BLE001 - the end of a process: what went wrong is for the parent to say
        results.put((True, f"process {number} ({os.getpid()}): {traceback.format_exc()}"))
