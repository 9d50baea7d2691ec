"""What stands on the pages under test: a whole engine over the simulated world, in the states that an on-call meets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.pages import Pages
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.entrypoints.tests_state import TestsState
from runbook_engine.model.configuration import Team
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.runbook import Approval, Collector, Compensate, Input, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.registry import Registry
from runbook_engine.testing.clock import EPOCH
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, Rig, configuration, runbook

STEP = timedelta(seconds=15)
ACTS = Visitor(name="ann", roles=("read", "operate"), csrf="c" * 64)
LOOKS = Visitor(name="viewer", roles=("read",), csrf="d" * 64)
CHECKOUT = Target("deployment", "local", "apps", "checkout")
ROLL_BACK = Step(
    name="roll-back-release",
    action="rollback",
    arguments={"to": "previous"},
    approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)),
    compensate=Compensate(when="never"),
)
SHOP = runbook(
    summary="Shed optional features, then add capacity; roll back only with a human.",
    steps=(DEGRADE, SCALE, ROLL_BACK),
    diagnostics=(Collector(name="graph", arguments={"query": "checkout:error_ratio", "title": "Error ratio"}),),
    links={"dashboard": "https://grafana.example/d/checkout"},
)
FLAGS = runbook(
    name="set-flag",
    digest="digest-of-set-flag",
    inputs=(Input(name="flag", path=("alert", "labels", "flag")),),
    target=TargetTemplate(kind="parameter", name="{{ inputs.flag }}"),
    verify=(),
    strategy="sequence",
    steps=(Step(name="set", action="degrade", arguments={"parameter": "{{ inputs.flag }}", "value": "true"}),),
    matchers=(msgspec.structs.replace(SHOP.matchers[0], value="FlagStuck"),),
)


def stage(*runbooks: Runbook, start: datetime = EPOCH, storm: StormRule | None = None) -> Rig:
    """Return a rig in which anybody may answer for the team, with two releases behind it."""
    world = SimulatedWorld(start, receivers=("chat", "oncall"))
    world.deploy("apps", "checkout", replicas=4, released_ago=timedelta(hours=5))
    world.set_parameter(FLAG, "false")
    settings = configuration(
        teams=(Team(name="team-checkout", members=(), receiver="chat"),), storm=storm or StormRule()
    )
    return Rig(*(runbooks or (SHOP,)), settings=settings, world=world)


def asking(start: datetime = EPOCH) -> Rig:
    """Return a rig whose run shed features, added capacity, fixed nothing, and asks whether to roll back."""
    rig = stage(start=start)
    rig.errors(lambda world: 0.004 if world.seen(CHECKOUT).revision == 1 else _broken(world))
    _pass(rig, 20 * MINUTE)
    rig.simulated.release(CHECKOUT, by="ci/alice", summary="r42")
    rig.journal.record_change(CHECKOUT, ChangeEvent(at=rig.now, who="ci/alice", what="release r42"))
    _pass(rig, 4 * MINUTE)
    rig.fire(service="checkout")
    rig.run(7 * MINUTE)
    assert rig.execution().approval is not None, rig.says()
    return rig


def _broken(world: SimulatedWorld) -> float:
    return 0.08 if world.value_of(FLAG) == "true" else 0.12


def _pass(rig: Rig, period: timedelta) -> None:
    """Let time pass before anything is to be driven."""
    for _ in range(period // STEP):
        rig.simulated.push(STEP)


def rolled_back() -> Rig:
    """Return a rig whose run fixed nothing by all three of its changes, the last of which cannot be undone."""
    rig = asking()
    rig.errors(_broken)
    approve(rig)
    rig.run(6 * MINUTE)
    assert rig.execution().status == "unresolved", rig.says()
    return rig


def approve(rig: Rig) -> None:
    """Let somebody say yes to what is asked."""
    asked = rig.execution().approval
    assert asked is not None, rig.says()
    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)


def fixed(start: datetime = EPOCH) -> Rig:
    """Return a rig whose run fixed it by one change, which is held."""
    rig = stage(start=start)
    rig.healed_by_flag()
    rig.fire(service="checkout")
    rig.run(2 * MINUTE)
    return rig


def unfixed(start: datetime = EPOCH) -> Rig:
    """Return a rig whose run did all that it may, and fixed nothing."""
    rig = stage(runbook(steps=(DEGRADE, SCALE)), start=start)
    rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    rig.fire(service="checkout")
    rig.run(6 * MINUTE)
    assert rig.execution().status == "unresolved", rig.says()
    return rig


def calm(start: datetime = EPOCH) -> Rig:
    """Return a rig where something happened, and is over: nothing is held any more."""
    rig = fixed(start)
    rig.errors(lambda world: 0.001)
    rig.resolve(service="checkout")
    rig.run(16 * MINUTE, step=timedelta(seconds=5))
    return rig


def storming(start: datetime = EPOCH, alerts: int = 12) -> Rig:
    """Return a rig in which more targets were hit than machines should touch unwatched."""
    rig = stage(FLAGS, start=start, storm=StormRule(max_targets=5, receiver="oncall"))
    for index in range(alerts):
        rig.simulated.set_parameter(f"/checkout/{index}", "false")
        rig.fire("FlagStuck", flag=f"/checkout/{index}", service=f"shop-{index}")
    rig.run(MINUTE)
    return rig


def released() -> Rig:
    """Return a rig whose storm a person let go, so that its changes go on a few at a time."""
    rig = storming()
    rig.engine.release_storm(by="ann", now=rig.now, reason="looked at it")
    rig.run(MINUTE)
    return rig


def pages_of(rig: Rig, *problems: str, tests: TestsState | None = None) -> Pages:
    """Return the pages over a rig."""
    pauses = (rig.simulated.pauses, rig.simulated.pauses)
    return Pages(
        WebDesk(
            engine=rig.engine,
            registry=Registry(),
            clock=rig.simulated.clock,
            pause=pauses,
            log=EventLog(),
            problems=lambda: list(problems),
            tests=lambda: tests,
        )
    )


def present(back: timedelta) -> datetime:
    """Return a start from which a stage that plays for so long ends about now: browsers have a clock of their own."""
    return datetime.now(UTC).replace(microsecond=0) - back
