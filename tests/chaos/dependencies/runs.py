"""Whole runs through proxies that lie: an engine with a real adapter, a journal of its own, and a target that counts.

Time is pushed to whatever the engine waits for; the target's own things take the milliseconds that they take.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import Check
from runbook_engine.model.configuration import Configuration, Limits, Receiver, Scope, Team
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import Effects, World
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.chaos.tally import SEED, Tally, keep
from tests.crash.host import webhook
from tests.crash.invariants import assert_sound

PLACE = "local"
ALERT = "Ailing"
DEADLINE = timedelta(minutes=40)
CONFIGURATION = Configuration(
    clusters=(PLACE,),
    scopes=(Scope(name="local"),),
    receivers=(Receiver(name="oncall", adapter="console"),),
    teams=(Team(name="team-checkout", members=("ann",), receiver="oncall"),),
    targets=("deployment=apps/*", "node=*", "parameter=/*", "request=*", "function=*", "queue=*"),
    mode_ceiling=(ModeRule(mode="auto"),),
    limits=Limits(lease=timedelta(minutes=10)),
)


class JumpingClock:
    """The time of this machine, and ahead of it by what was jumped over: nobody waits for minutes."""

    def __init__(self, also: Callable[[float], None] = lambda seconds: None) -> None:
        self._ahead = timedelta(0)
        self._also = also

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC) + self._ahead

    def jump_to(self, instant: datetime) -> None:
        """Let it be that instant, unless it is later already; whoever else keeps time jumps along."""
        by = instant - self.now()
        if by > timedelta(0):
            self._ahead += by
            self._also(by.total_seconds())


@dataclass(frozen=True)
class Case:
    """One run: what it does to what, what shows that it worked, and what the target has counted of it."""

    target: Target
    steps: tuple[Step, ...]
    verify: tuple[Check, ...]
    effects: Callable[[], int]
    wanted: int = 1

    @property
    def runbook(self) -> Runbook:
        """The runbook, compiled."""
        found = self.target
        return Runbook(
            name="mend",
            digest="digest-of-mend",
            owner="team-checkout",
            matchers=(Matcher("alertname", "=", ALERT),),
            target=TargetTemplate(kind=found.kind, name=found.name, namespace=found.namespace),
            mode=(ModeRule(mode="auto"),),
            strategy="sequence",
            verify=self.verify,
            guardrails=Guardrails(cooldown=timedelta(seconds=1), deadline=DEADLINE),
            steps=self.steps,
            notify=(NotifyRule(receiver="oncall", events=("notFixed",)),),
        )


@dataclass
class Runs:
    """Plays cases one after the other, and counts what became of them."""

    host: str
    fault: str
    clock: JumpingClock
    world: Callable[[World], World]  # with the adapter's eyes
    effects: Callable[[Effects], Effects]  # and with its hands
    pause: float = 0.01  # seconds for the target's own things, before the engine looks again
    configuration: Configuration = CONFIGURATION
    meanwhile: Callable[[], None] = lambda: None
    counted: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def play(self, case: Case) -> Execution:
        """Play one case to its end, and judge it."""
        simulated, journal = SimulatedWorld(receivers=("oncall",)), MemoryJournal()
        engine = Engine(
            bundle=Bundle((case.runbook,), self.configuration),
            journal=journal,
            world=self.world(replace_clock(simulated.world, self.clock)),
            effects=self.effects(simulated.effects),
            registry=Registry(),
        )
        before = case.effects()
        began = self.clock.now()
        engine.ingest(webhook("firing", began, began, ALERT, number=str(next(self._numbers))))
        self._drive(engine, journal)
        (execution,) = journal.executions(limit=2)
        assert_sound(journal)
        told = {kept.message.event for kept in simulated.inbox.messages}
        self._judge(case, execution, case.effects() - before, told)
        return execution

    def settle(self, tries: int, remark: str = "") -> Tally:
        """Leave the row, and assert that it is sound. `tries` are the calls that something was done to."""
        count = self.counted
        ends = ", ".join(f"{number} {status}" for status, number in sorted(self.ends.items()))
        row = Tally(
            host=self.host,
            fault=self.fault,
            tries=tries,
            effects=count["wanted"],
            lost=count["lost"],
            doubled=count["doubled"],
            doubtful=count["doubtful"],
            unpaged=count["unpaged"],
            remark=f"{remark}{ends}",
        )
        keep(row)
        assert not self.wrong, "\n".join([f"seed {SEED}", *self.wrong])
        assert row.sound, row
        return row

    def _drive(self, engine: Engine, journal: MemoryJournal) -> None:
        ends = time.monotonic() + 60
        while not journal.executions(limit=1)[0].finished:
            assert time.monotonic() < ends, f"seed {SEED}: it does not end: {journal.executions(limit=1)[0]}"
            self.meanwhile()
            now = self.clock.now()
            for execution_id in engine.due(now):
                while isinstance(engine.drive(execution_id, "runner", self.clock.now(), timedelta(minutes=5)), Next):
                    self.meanwhile()
            due = journal.next_due()
            if due is None:
                return
            time.sleep(self.pause)
            self.clock.jump_to(due)

    def _judge(self, case: Case, execution: Execution, made: int, told: set[str]) -> None:
        says = f"{case.steps[-1].action} of {case.target} ended {execution.status} ({execution.reason}), {made} effects"
        assert "invalid_target" not in execution.reason, says  # a case that is refused shows nothing
        self.ends[execution.status] += 1
        self.counted["wanted"] += case.wanted
        efforts = [effect for step in execution.steps for effect in step.effects]
        known = any(effect.written or effect.doubtful or effect.status == "unknown" for effect in efforts)
        if made > case.wanted:
            self._count("doubled", says)
        if execution.status == "succeeded" and made < case.wanted:
            self._count("lost", says)
        if execution.status != "succeeded" and made and not known:
            self._count("lost", f"{says}, and the journal knows of none")
        if execution.status == "unknown":
            self.counted["doubtful"] += 1
        if execution.status != "succeeded" and not told & {"notFixed", "blocked"}:
            self._count("unpaged", f"{says}, and nobody was told: {told}")

    def _count(self, what: str, says: str) -> None:
        self.counted[what] += 1
        self.wrong.append(f"{what}: {says}")


def replace_clock(world: World, clock: JumpingClock) -> World:
    """Return the same eyes under another clock."""
    return replace(world, clock=clock)
