"""The runs that are killed: one runbook each, how the fault behaves, and what an undisturbed run does to the target."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.model.check import QueryCheck
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Approval, Compensate, ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Repeat
from tests.crash.register import REPEATS

ALERT = "CheckoutHighErrorRate"
FLAG = "/checkout/degraded_mode"
RATIO = "checkout:error_ratio"


@dataclass(frozen=True)
class Pace:
    """How long things take: minutes under a simulated clock, tenths of a second under a real one."""

    hold: timedelta
    patience: timedelta  # how long verification tries
    deadline: timedelta


SIMULATED = Pace(hold=timedelta(minutes=10), patience=timedelta(minutes=2), deadline=timedelta(minutes=40))
REAL = Pace(hold=timedelta(seconds=0.2), patience=timedelta(seconds=0.2), deadline=timedelta(minutes=2))


@dataclass(frozen=True)
class Case:
    """One run. `healed_by` are the words that `Condition` may say; `effects` what the target sees, in order."""

    name: str
    runbook: Runbook
    healed_by: tuple[str, ...]
    effects: tuple[str, ...]
    status: str = "succeeded"
    compensation: str = "undone"
    fault_stays: bool = False  # after the alert has resolved
    no_scaling: bool = field(default=False)  # scaling fails for good
    register: tuple[str, ...] = ()  # values that the register is set to
    queries: tuple[str, ...] = (RATIO,)  # what the runbook asks
    bad: float = 0.12  # what each of them answers while the fault is not healed


def cases(pace: Pace) -> tuple[Case, ...]:
    """Return every run at this pace."""
    return (
        *(_shed_then_scale(pace), _restart_then_roll_back(pace), _tell(pace), _unwinds(pace), _puts_back(pace)),
        *(_set_register(repeat, pace) for repeat in REPEATS if repeat != "once"),
    )


def once(pace: Pace) -> Case:
    """Return the run whose one change must never be repeated."""
    return _set_register("once", pace)


def _shed_then_scale(pace: Pace) -> Case:
    return Case(
        name="shed-then-scale",
        runbook=_runbook("shed-then-scale", pace, degrade(pace), scale(pace)),
        healed_by=("scaled",),
        effects=("flag true", "replicas 6", "replicas 4", "flag false"),
    )


def _restart_then_roll_back(pace: Pace) -> Case:
    restart = Step(name="restart", action="restart")
    approval = Approval(by="team-checkout", timeout=pace.deadline / 2)
    roll_back = Step(name="roll-back", action="rollback", arguments={"to": "previous"}, approval=approval)
    return Case(
        name="restart-then-roll-back",
        runbook=_runbook("restart-then-roll-back", pace, restart, roll_back),
        healed_by=("rolled back",),
        effects=("restart restart-1", "revision 1"),
        compensation="none",
    )


def _tell(pace: Pace) -> Case:
    tell = Step(name="tell", action="notify", arguments={"receiver": "chat", "text": "errors on checkout"})
    ticket = Step(name="ticket", action="ticket", arguments={"receiver": "oncall", "text": "look at checkout"})
    runbook = replace(_runbook("tell", pace, tell, ticket), strategy="sequence")
    return Case(name="tell", runbook=runbook, healed_by=(), effects=(), status="handed_over", compensation="none")


def _unwinds(pace: Pace) -> Case:
    shed = replace(degrade(pace), compensate=Compensate(when="onFailure"))
    runbook = replace(_runbook("unwinds", pace, shed, scale(pace)), strategy="sequence")
    return Case(
        name="unwinds",
        runbook=runbook,
        healed_by=(),
        effects=("flag true", "flag false"),
        status="failed",
        no_scaling=True,
    )


def _puts_back(pace: Pace) -> Case:
    return Case(
        name="puts-back",
        runbook=_runbook("puts-back", pace, degrade(pace)),
        healed_by=("degraded",),
        effects=("flag true", "flag false", "flag true"),
        status="handed_over",
        compensation="held",
        fault_stays=True,
    )


def _set_register(repeat: Repeat, pace: Pace) -> Case:
    step = Step(
        name="set-register",
        action=f"set-{repeat}",
        arguments={"value": "open"},
        compensate=Compensate(when="resolved", hold_for=pace.hold),
    )
    return Case(
        name=f"register-{repeat}",
        runbook=_runbook(f"register-{repeat}", pace, step),
        healed_by=("register",),
        effects=(),
        register=("open", "closed"),
    )


def degrade(pace: Pace) -> Step:
    """Return the step that sets the flag."""
    return Step(
        name="shed-optional-features",
        action="degrade",
        arguments={"parameter": FLAG, "value": "true"},
        compensate=Compensate(when="resolved", hold_for=pace.hold),
    )


def scale(pace: Pace) -> Step:
    """Return the step that adds replicas."""
    return Step(
        name="add-capacity",
        action="scale",
        arguments={"by": "50%", "upTo": 12},
        compensate=Compensate(when="resolved", hold_for=pace.hold),
    )


def _runbook(name: str, pace: Pace, *steps: Step) -> Runbook:
    return Runbook(
        name=name,
        digest=f"digest-of-{name}",
        owner="team-checkout",
        matchers=(Matcher("alertname", "=", ALERT),),
        target=TargetTemplate(kind="deployment", name="checkout", namespace="apps"),
        mode=(ModeRule(mode="auto"),),
        strategy="escalate",
        verify=(QueryCheck(query=RATIO, comparison="below", value=0.02, timeout=pace.patience),),
        guardrails=Guardrails(cooldown=pace.deadline, deadline=pace.deadline),
        steps=steps,
        notify=(
            NotifyRule(receiver="chat", events=("started", "changed", "approval", "ended")),
            NotifyRule(receiver="oncall", events=("notFixed",)),
        ),
    )
