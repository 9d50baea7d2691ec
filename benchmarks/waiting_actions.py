"""A site whose changes take their time: they arrive after 20 ms or after hours, or hang as long as they are let."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from runbook_engine.actions.params import ActionParams
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.runbook import Input, ModeRule, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import ActionSpec, Effects, Journal, World
from runbook_engine.registry import Registry
from runbook_engine.testing.simulated_world import SimulatedWorld

INCIDENTS, WAITS = 64, 3
WAIT = timedelta(milliseconds=20)
HOURS = timedelta(hours=5)
HELD = "held"
IN_ORDER = ("first", "second", "third")  # one alert starts them all
SERVICES = 2000
CONFIGURATION = Configuration(
    clusters=("local",),
    scopes=(Scope(name="bench"),),
    targets=("deployment=*/*",),
    mode_ceiling=(ModeRule(mode="auto"),),
    storm=StormRule(max_targets=1000, within=timedelta(seconds=1)),
)


class TakingParams(ActionParams):
    """How long it takes, and which step it is."""

    milliseconds: int
    step: int


@dataclass(slots=True)
class Site:
    """What happened at the targets, told by nobody but themselves."""

    ended: dict[str, float] = field(default_factory=dict)  # service: when its last change had arrived
    changes: list[tuple[str, str, int]] = field(default_factory=list)  # target, execution, step, as they began
    overlaps: int = 0
    hanging: bool = False
    hang: threading.Event = field(default_factory=threading.Event)
    _under_way: dict[str, str] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, service: str, execution: str, step: int) -> None:
        """A change is made; one that hangs holds whoever made it."""
        with self._guard:
            self.overlaps += self._under_way.get(service, execution) != execution
            self._under_way[service] = execution
            self.changes.append((service, execution, step))
        if service == HELD:
            self.hanging = True
            self.hang.wait()

    def arrives(self, service: str, step: int) -> None:
        """A change has arrived."""
        if step == WAITS - 1:
            with self._guard:
                self.ended[service] = time.perf_counter()
                self._under_way.pop(service, None)

    def inversions(self) -> int:
        """Count changes that were made before those of an earlier step of their run."""
        made: dict[str, list[int]] = defaultdict(list)
        for _, execution, step in self.changes:
            made[execution].append(step)
        return sum(steps != sorted(steps) for steps in made.values())

    def overtakings(self, opened: Sequence[str]) -> int:
        """Count runs that changed a target before a run of it that was opened earlier."""
        order = {execution: number for number, execution in enumerate(opened)}
        first: dict[str, list[int]] = defaultdict(list)
        for service, execution, step in self.changes:
            if step == 0:
                first[service].append(order.get(execution, -1))
        return sum(numbers != sorted(numbers) for numbers in first.values())


def engine_of(journal: Journal, site: Site) -> Engine:
    """Return an engine at this site."""
    simulated = SimulatedWorld(datetime.now(UTC))
    for name in (HELD, *(f"service-{number}" for number in range(SERVICES))):
        simulated.deploy("apps", name, replicas=2)
    short = int(WAIT.total_seconds() * 1000)
    runbooks = (
        _runbook("waits", "Waits", short),
        _runbook("hangs", "Hangs", short),
        _runbook("sleeps", "Sleeps", int(HOURS.total_seconds() * 1000)),
        *(_runbook(name, "Crowded", short) for name in IN_ORDER),
    )
    return Engine(
        bundle=Bundle(runbooks, CONFIGURATION),
        journal=journal,
        world=dataclasses.replace(simulated.world, clock=SystemClock()),
        effects=simulated.effects,
        registry=_Slow(site),
    )


def _runbook(name: str, alert: str, milliseconds: int) -> Runbook:
    return Runbook(
        name=name,
        digest=f"digest-of-{name}",
        owner="team-bench",
        matchers=(Matcher("alertname", "=", alert),),
        inputs=(Input(name="service", type="workload", path=("alert", "labels", "service")),),
        target=TargetTemplate(kind="deployment", name="{{ inputs.service }}", namespace="apps"),
        mode=(ModeRule(mode="auto"),),
        strategy="sequence",
        guardrails=Guardrails(cooldown=timedelta(0), deadline=timedelta(hours=9)),
        steps=tuple(
            Step(name=f"step-{number}", action="take", arguments={"milliseconds": milliseconds, "step": number})
            for number in range(WAITS)
        ),
    )


class _Slow(Registry):
    """What is installed, and the action that takes its time."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    @cached_property
    def actions(self) -> Mapping[str, ActionSpec]:
        """One action."""
        return {"take": _action(self._site)}


def _action(site: Site) -> ActionSpec:
    def prepare(params: TakingParams, target: Target, world: World) -> Change | None:
        arguments = {"milliseconds": params.milliseconds, "step": params.step}
        return Change(target=target, field=f"step-{params.step}", before="off", after="on", arguments=arguments)

    def apply(change: Change, key: str, effects: Effects) -> Outcome:
        site.begins(change.target.name, key.partition("/")[0], int(str(change.arguments["step"])))
        return Outcome(status="done", receipt={"at": time.time()})

    def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
        left = float(str(receipt["at"])) + int(str(change.arguments["milliseconds"])) / 1000 - time.time()
        if left > 0:
            return Progress.progressing("on its way", timedelta(seconds=left))
        site.arrives(change.target.name, int(str(change.arguments["step"])))
        return Progress.done()

    return ActionSpec(
        name="take",
        summary="Change something that takes its time.",
        params=TakingParams,
        prepare=prepare,
        apply=apply,
        observe=observe,
        repeat="declarative",
        reversible=False,
        permissions=(),
        time_limit=timedelta(hours=6),
    )
