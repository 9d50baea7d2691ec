"""A whole engine over the simulated world: post alerts, push the clock, and look at what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from runbook_engine.engine import Engine
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import DoNoHarm, QueryCheck
from runbook_engine.model.configuration import Configuration, Receiver, Scope, Team
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Compensate, ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.registry import Registry
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld

ALERT = "CheckoutHighErrorRate"
FLAG = "/checkout/degraded_mode"
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
VERIFY = QueryCheck(
    query="checkout:error_ratio",
    comparison="below",
    value=0.02,
    hold_for=timedelta(seconds=15),
    timeout=timedelta(minutes=2),
)
DEGRADE = Step(
    name="shed-optional-features",
    action="degrade",
    arguments={"parameter": FLAG, "value": "true"},
    compensate=Compensate(when="resolved", hold_for=timedelta(minutes=10)),
)
SCALE = Step(
    name="add-capacity",
    action="scale",
    arguments={"by": "50%", "upTo": 12},
    compensate=Compensate(when="resolved", hold_for=timedelta(minutes=30)),
)
NO_HARM = DoNoHarm(query="checkout:latency_p99", rises_by=0.25, floor=1.0)


def runbook(**changes: object) -> Runbook:
    """Return the runbook that most scenarios run, with what the scenario wants otherwise."""
    settings: dict[str, object] = {
        "name": "checkout-high-error-rate",
        "digest": "digest-of-checkout-high-error-rate",
        "owner": "team-checkout",
        "matchers": (Matcher("alertname", "=", ALERT),),
        "target": TargetTemplate(kind="deployment", name="checkout", namespace="apps"),
        "mode": (ModeRule(mode="auto"),),
        "strategy": "escalate",
        "verify": (VERIFY,),
        "guardrails": Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        "steps": (DEGRADE, SCALE),
        "notify": (
            NotifyRule(receiver="chat", events=("started", "changed", "approval", "ended")),
            NotifyRule(receiver="oncall", events=("notFixed",)),
        ),
    }
    return Runbook(**{**settings, **changes})  # type: ignore[arg-type]


def configuration(**changes: object) -> Configuration:
    """Return an installation that lets runbooks act."""
    settings: dict[str, object] = {
        "clusters": ("local",),
        "scopes": (Scope(name="local"),),
        "receivers": (Receiver(name="chat", adapter="console"), Receiver(name="oncall", adapter="console")),
        "teams": (Team(name="team-checkout", members=("ann",), receiver="chat"),),
        "targets": ("deployment=apps/*", "parameter=/checkout/*"),
        "mode_ceiling": (ModeRule(mode="auto"),),
    }
    return Configuration(**{**settings, **changes})  # type: ignore[arg-type]


class Rig:
    """One engine, one simulated world, one clock."""

    def __init__(
        self,
        *runbooks: Runbook,
        settings: Configuration | None = None,
        journal: Journal | None = None,
        checkpoint: Callable[[str], None] = lambda name: None,
        world: SimulatedWorld | None = None,
    ) -> None:
        self.simulated = world or SimulatedWorld(receivers=("chat", "oncall"))
        self.journal = journal or MemoryJournal()
        if world is None:
            self.checkout = self.simulated.deploy("apps", "checkout", replicas=4, released_ago=timedelta(hours=5))
            self.simulated.set_parameter(FLAG, "false")
        self.engine = Engine(
            bundle=Bundle(runbooks or (runbook(),), settings or configuration()),
            journal=self.journal,
            world=self.simulated.world,
            effects=self.simulated.effects,
            registry=Registry(),
            checkpoint=checkpoint,
        )
        self.owner = "rig"
        self._error_ratio: Callable[[SimulatedWorld], float | None] | None = None

    # --- the world --------------------------------------------------------------------------------------------

    def errors(self, function: Callable[[SimulatedWorld], float | None]) -> None:
        """Let the error ratio follow from the state of the world, from now on."""
        if self._error_ratio is None:
            self.simulated.compute("checkout:error_ratio", self._present_error_ratio)
        self._error_ratio = function

    def _present_error_ratio(self, world: SimulatedWorld) -> float | None:
        return self._error_ratio(world) if self._error_ratio is not None else None

    def healed_by_flag(self) -> None:
        """Errors that end while the flag is on."""
        self.errors(lambda world: 0.001 if world.value_of(FLAG) == "true" else 0.12)

    def flag(self) -> str | None:
        """Return the flag's value."""
        return self.simulated.value_of(FLAG)

    def replicas(self) -> int:
        """Return the wanted replicas."""
        return self.simulated.seen(self.target()).replicas

    def target(self) -> Target:
        """Return the checkout deployment."""
        return Target("deployment", "local", "apps", "checkout")

    # --- alerts -----------------------------------------------------------------------------------------------

    def fire(self, name: str = ALERT, **labels: str) -> Receipt:
        """Post a firing alert that starts now."""
        return self._post("firing", name, labels)

    def resolve(self, name: str = ALERT, **labels: str) -> Receipt:
        """Post its resolve."""
        return self._post("resolved", name, labels)

    def _post(self, status: str, name: str, labels: dict[str, str]) -> Receipt:
        return self.post(self._alert(status, name, labels))

    def _alert(self, status: str, name: str, labels: dict[str, str]) -> dict[str, object]:
        now = self.now
        alert: dict[str, object] = {
            "status": status,
            "labels": {"alertname": name, "severity": "critical", "namespace": "apps", **labels},
            "startsAt": now.isoformat(),
        }
        if status == "resolved":
            del alert["startsAt"]
            alert["endsAt"] = now.isoformat()
        return alert

    def post(self, *alerts: Mapping[str, object]) -> Receipt:
        """Post one delivery of several alerts."""
        body = json.dumps({"version": "4", "alerts": alerts}).encode()
        request = Request("local", "alertmanager", {"content-type": "application/json"}, body, self.now)
        return self.engine.ingest(request)

    # --- time -------------------------------------------------------------------------------------------------

    def drive(self) -> None:
        """Drive whatever is due until it waits."""
        for _ in range(2000):
            now = self.simulated.clock.now()
            due = self.engine.due(now)
            if not due:
                return
            for execution_id in due:
                while isinstance(self.engine.drive(execution_id, self.owner, self.now, timedelta(minutes=5)), Next):
                    pass
        raise AssertionError("the execution never waits")

    @property
    def now(self):  # type: ignore[no-untyped-def]
        """Return the simulated present."""
        return self.simulated.clock.now()

    def run(self, duration: timedelta, step: timedelta = SECOND) -> None:
        """Let time pass in small steps, driving what is due."""
        end = self.now + duration
        self.drive()
        while self.now < end:
            self.simulated.push(min(step, end - self.now))
            self.drive()

    def execution(self, index: int = 0) -> Execution:
        """Return an execution, oldest first."""
        return tuple(reversed(self.journal.executions(limit=100)))[index]

    def says(self, index: int = 0) -> list[str]:
        """Return the sentences of its audit trail."""
        return [record.says for record in self.journal.audit(self.execution(index).id)]

    def told(self, receiver: str) -> list[str]:
        """Return the events that a receiver was told of."""
        return [kept.message.event for kept in self.simulated.inbox.messages if kept.receiver == receiver]
