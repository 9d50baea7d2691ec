"""A host that dies and comes back: drives one case under a simulated clock, through any number of deaths."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from runbook_engine.engine import Engine
from runbook_engine.errors import Permanent, StalePlan
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Limits, Receiver, Scope, Team
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Revision
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.ports import Effects, Journal, World
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.crash.cases import ALERT, FLAG, Case
from tests.crash.mortality import Killed, Mortality, MortalJournal, mortal_effects
from tests.crash.register import INITIAL, Register, RegisterRegistry

RESOLVES_AFTER = timedelta(minutes=20)
LONGEST = timedelta(minutes=75)
WORDS = {"flags.write": "flag", "cluster.scale": "replicas", "cluster.restart": "restart"}


def configuration(lease: timedelta = timedelta(seconds=60)) -> Configuration:
    """Return an installation that lets runbooks act."""
    return Configuration(
        clusters=("local",),
        scopes=(Scope(name="local"),),
        receivers=(Receiver(name="chat", adapter="console"), Receiver(name="oncall", adapter="console")),
        teams=(Team(name="team-checkout", members=("ann",), receiver="chat"),),
        targets=("deployment=apps/*", "parameter=/checkout/*", "function=*", "queue=*", "automation=*"),
        mode_ceiling=(ModeRule(mode="auto"),),
        limits=Limits(lease=lease),
    )


def engine_of(
    runbook: Runbook,
    *,
    journal: Journal,
    world: World,
    effects: Effects,
    registry: Registry,
    mortality: Mortality,
    lease: timedelta = timedelta(seconds=60),
) -> Engine:
    """Return a new engine, as a new process would build it, that dies where its mortality says."""
    return Engine(
        bundle=Bundle((runbook,), configuration(lease)),
        journal=MortalJournal(journal, mortality),  # type: ignore[arg-type]  # the inner journal answers the rest
        world=world,
        effects=mortal_effects(effects, mortality),
        registry=registry,
        checkpoint=mortality,
    )


def webhook(status: str, started: datetime, now: datetime, name: str = ALERT, **labels: str) -> Request:
    """Return one notification as Alertmanager posts it; the same arguments give the same notification."""
    alert = {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "namespace": "apps", **labels},
        "startsAt": started.isoformat(),
    }
    if status == "resolved":
        alert["endsAt"] = now.isoformat()
    body = json.dumps({"version": "4", "alerts": [alert]}).encode()
    return Request("local", "alertmanager", {"content-type": "application/json"}, body, now)


class Host:
    """One case from its alert to its end. After each death a new engine with a new name goes on."""

    def __init__(self, case: Case, folder: Path, mortality: Mortality) -> None:
        self.case = case
        self.mortality = mortality
        self.simulated = SimulatedWorld(receivers=("chat", "oncall"))
        self.journal = MemoryJournal()
        self.register = Register(folder / "register")
        self.registry = RegisterRegistry(self.register)
        self.alert = next(found.value for found in case.runbook.matchers if found.name == "alertname")
        self.fault = True
        self.lives = 0
        self._arrange()
        self.engine = self._live()

    def play(self) -> Host:
        """Play the whole case."""
        started = self.simulated.clock.now()
        resolves = started + RESOLVES_AFTER
        self._repeated(lambda: self.engine.ingest(webhook("firing", started, started, self.alert)))
        self._until(resolves)
        self.fault = self.case.fault_stays
        self._repeated(lambda: self.engine.ingest(webhook("resolved", started, resolves, self.alert)))
        self._until(started + LONGEST)
        return self

    @property
    def execution(self) -> Execution:
        """The one execution there is."""
        (execution,) = self.journal.executions(limit=10)
        return execution

    @property
    def effects(self) -> tuple[str, ...]:
        """What changed at the target, in order."""
        return tuple(f"{WORDS.get(touch.method, 'revision')} {touch.value}" for touch in self.simulated.effects_made)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Who was told what kind of thing."""
        return sorted((kept.receiver, kept.message.event) for kept in self.simulated.inbox.messages)

    def _arrange(self) -> None:
        simulated = self.simulated
        revisions = (Revision(number=2), Revision(number=1, healthy=True))
        ago = timedelta(minutes=30)
        self.target = simulated.deploy("apps", "checkout", replicas=4, revisions=revisions, released_ago=ago)
        simulated.set_parameter(FLAG, "false")
        for query in self.case.queries:
            simulated.compute(query, lambda world: self.case.bad if self.fault and not self._healed() else 0.001)
        if self.case.no_scaling:
            simulated.fail_next("cluster.scale", Permanent("quota exceeded"), times=1000)

    def _healed(self) -> bool:
        seen = self.simulated.seen(self.target)
        now_so = {
            "degraded": self.simulated.value_of(FLAG) == "true",
            "scaled": seen.replicas >= 6,
            "rolled back": seen.revision == 1,
            "register": "register" in self.case.healed_by and self.register.value != INITIAL,
        }
        return any(now_so[word] for word in self.case.healed_by)

    def _live(self) -> Engine:
        self.lives += 1
        return engine_of(
            self.case.runbook,
            journal=self.journal,
            world=self.simulated.world,
            effects=self.simulated.effects,
            registry=self.registry,
            mortality=self.mortality,
        )

    def _repeated(self, send: Callable[[], object]) -> None:
        """Do as senders and people do who get no answer: the same again."""
        while True:
            try:
                send()
            except Killed:
                self.engine = self._live()
            else:
                return

    def _until(self, end: datetime) -> None:
        """Drive whatever is due, and let time pass to whatever is due next, up to an instant."""
        for _ in range(5000):
            self._drive()
            self._answer()
            now, due = self.simulated.clock.now(), self.journal.next_due()
            if due is None or due > end:
                self.simulated.clock.push_to(end)
                return
            self.simulated.clock.push_to(max(now, due))
        raise AssertionError("the execution never waits")

    def _drive(self) -> None:
        now = self.simulated.clock.now()
        try:
            for execution_id in self.engine.due(now):
                owner = f"life-{self.lives}"
                while isinstance(self.engine.drive(execution_id, owner, now, timedelta(minutes=5)), Next):
                    pass
        except Killed:
            self.engine = self._live()

    def _answer(self) -> None:
        """Approve what is asked."""
        for execution in self.journal.executions(limit=10):
            if execution.approval is not None and not self.journal.signals(execution.id, execution.signals_consumed):
                self._repeated(lambda id=execution.id: self._approve(id))

    def _approve(self, execution_id: str) -> None:
        request = self.journal.load(execution_id).approval
        if request is None:
            return
        now = self.simulated.clock.now()
        try:
            self.engine.approve(execution_id, plan_hash=request.hash, by="ann", now=now)
        except StalePlan:
            return
