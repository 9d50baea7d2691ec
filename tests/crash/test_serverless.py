"""Functions, queues and automations: a run that is killed anywhere touches them as an undisturbed run does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.model.observation import Revision
from runbook_engine.model.runbook import Compensate, Runbook, Step
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import TargetTemplate
from tests.crash.cases import RATIO, SIMULATED, Case
from tests.crash.cases import _runbook as runbook_of
from tests.crash.host import Host
from tests.crash.invariants import assert_sound, intents
from tests.crash.mortality import Mortality, places_to_die

UNDONE = Compensate(when="resolved", hold_for=SIMULATED.hold)
ALIAS = TargetTemplate("function", "orders:live")
WHOLE = TargetTemplate("function", "orders")
QUEUE = TargetTemplate("queue", "orders-dlq")
REBOOT = AutomationTemplate(name="reboot", document="acme-reboot", version="3", says="reboots it", approval=False)


@dataclass(frozen=True)
class Scene:
    """One action, on what, and what an undisturbed run leaves behind."""

    action: str
    arguments: dict[str, Any]
    target: TargetTemplate
    touches: tuple[tuple[str, object], ...]  # method and value of every call that changed something
    after: tuple[object, ...]  # alias' version, canary, bound, variable, dead letters, runs
    compensation: str = "none"
    compensate: Compensate = field(default_factory=lambda: Compensate(when="never"))


SCENES = (
    Scene("rollback", {"to": "previous"}, ALIAS, (("functions.point", 7),), (7, "", None, "true", 40, 0)),
    Scene(
        "canary",
        {"percent": 10},
        ALIAS,
        (("functions.shift", "9=10"), ("functions.shift", "")),
        (8, "", None, "true", 40, 0),
        "undone",
        UNDONE,
    ),
    Scene(
        "throttle",
        {"concurrency": 5},
        ALIAS,
        (("functions.limit", 5), ("functions.limit", None)),
        (8, "", None, "true", 40, 0),
        "undone",
        UNDONE,
    ),
    Scene(
        "degrade",
        {"env": "FAIL_MODE", "value": "false"},
        WHOLE,
        (("settings.write", "false"), ("settings.write", "true")),
        (8, "", None, "true", 40, 0),
        "undone",
        UNDONE,
    ),
    Scene("redrive", {"perSecond": 20}, QUEUE, (("queues.redrive", 20),), (8, "", None, "true", 0, 0)),
    Scene(
        "ssmAutomation", {"automation": "reboot"}, WHOLE, (("automations.start", ...),), (8, "", None, "true", 40, 1)
    ),
)


class ServerlessHost(Host):
    """One run on a function, a queue or an automation, through any number of deaths."""

    def _arrange(self) -> None:
        simulated = self.simulated
        versions = tuple(Revision(number=number) for number in (9, 8, 7))
        self.alias = simulated.add_function(
            "orders", aliases={"live": 8}, versions=versions, environment={"FAIL_MODE": "true"}
        )
        self.queue = simulated.add_queue("orders-dlq", messages=40, sources=["orders"])
        simulated.automations.allow(REBOOT)
        simulated.compute(RATIO, lambda world: 0.12 if self.fault and not world.effects_made else 0.001)

    @property
    def touches(self) -> tuple[tuple[str, object], ...]:
        """What changed, in order."""
        return tuple((touch.method, touch.value) for touch in self.simulated.effects_made)

    @property
    def left(self) -> tuple[object, ...]:
        """What is left of it in the end."""
        function = self.simulated.functions.seen(self.alias)
        return (
            function.version,
            function.canary,
            function.concurrency,
            self.simulated.functions.state_of(self.alias).environment.get("FAIL_MODE"),
            self.simulated.queues.seen(self.queue).messages,
            len(self.simulated.automations.started),
        )


def case_of(scene: Scene) -> Case:
    """Return the scene as a run of one step."""
    step = Step(name="act", action=scene.action, arguments=scene.arguments, compensate=scene.compensate)
    runbook: Runbook = replace(runbook_of(f"on-{scene.action}", SIMULATED, step), target=scene.target)
    return Case(name=scene.action, runbook=runbook, healed_by=(), effects=(), compensation=scene.compensation)


def play(scene: Scene, folder: Path, *deaths: int) -> ServerlessHost:
    """Play a scene with these deaths, each in a folder of its own."""
    own = folder / "-".join(map(str, (scene.action, *deaths)))
    own.mkdir()
    host = ServerlessHost(case_of(scene), own, Mortality(*deaths))
    host.play()
    return host


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.action)
def test_no_effect_is_lost_or_doubled_when_the_runner_dies_at_any_place(scene: Scene, tmp_path: Path) -> None:
    """At every place, one death: exactly the effects of the undisturbed run, and the same end."""
    undisturbed = play(scene, tmp_path)
    assert [method for method, _ in scene.touches] == [method for method, _ in undisturbed.touches]
    assert scene.after == undisturbed.left
    assert ("succeeded", scene.compensation) == (undisturbed.execution.status, undisturbed.execution.compensation)
    assert all(
        wanted in (value, ...) for (_, wanted), (_, value) in zip(scene.touches, undisturbed.touches, strict=True)
    )

    for death in places_to_die(undisturbed.mortality.passed):
        host = play(scene, tmp_path, death)

        place = f"killed at {death}, {host.mortality.died_at}"
        assert undisturbed.touches == host.touches, place
        assert undisturbed.left == host.left, place
        assert ("succeeded", scene.compensation) == (host.execution.status, host.execution.compensation), place
        trail = host.journal.audit(host.execution.id)
        assert intents(undisturbed.journal.audit(undisturbed.execution.id)) == intents(trail), place
        assert_sound(host.journal)


def test_what_a_functions_environment_holds_is_nowhere_in_the_trail(tmp_path: Path) -> None:
    """Neither what was there before nor what was set: the name of the variable alone."""
    secret = Scene("degrade", {"env": "FAIL_MODE", "value": "s3cr3t-new"}, WHOLE, (), ())

    host = play(secret, tmp_path)

    trail = [record for record in host.journal.audit(host.execution.id) if record.change is not None]
    assert trail
    assert {(record.change.field, record.change.before, record.change.after) for record in trail if record.change} == {
        ("env:/FAIL_MODE", None, None)
    }
    told = [message for kept in host.simulated.inbox.messages for message in (kept.message.title, kept.message.text)]
    assert "s3cr3t-new" not in " ".join([*(record.says for record in trail), *told])
