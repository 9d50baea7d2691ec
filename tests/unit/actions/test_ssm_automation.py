"""SsmAutomation: pinned by name and version, told only what was declared, started once for each effect."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from runbook_engine.actions.ssm_automation import ACTION, SsmAutomationParams, token_of
from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

TARGET = Target("function", "", "", "orders")
REBOOT = AutomationTemplate(
    name="reboot", document="acme-reboot", version="3", says="reboots it", parameters=("Id",), place="europe"
)
ARGUMENTS = {"Id": "i-0abc"}


def world(template: AutomationTemplate = REBOOT) -> SimulatedWorld:
    """Return a world that allows one automation."""
    simulated = SimulatedWorld()
    simulated.automations.allow(template)
    return simulated


def prepare(simulated: SimulatedWorld, **written: object) -> Change:
    """Prepare an automation as an author would write it."""
    change = ACTION.prepare(SsmAutomationParams.model_validate(written), TARGET, simulated.world)
    assert change is not None
    return change


def test_prepare_binds_what_would_run_and_where() -> None:
    """A yes binds document, version, role and fixed parameters by one digest, and what it is told."""
    change = prepare(world(), automation="reboot", arguments=ARGUMENTS)

    assert change.target == Target("automation", "europe", "", "reboot")
    assert (change.field, change.before, change.after, change.asks) == ("run", None, "reboots it (Id=i-0abc)", True)
    assert change.arguments == {"digest": REBOOT.digest, "argument:Id": "i-0abc"}


@pytest.mark.parametrize(
    ("written", "kind", "sentence"),
    [
        pytest.param(
            {"automation": "halt"},
            InvalidTarget,
            "unknown automation 'halt'; known are reboot (add it under automations in engine.yaml)",
            id="one that engine.yaml does not name",
        ),
        pytest.param(
            {"automation": "reboot", "arguments": {**ARGUMENTS, "Command": "rm"}},
            Permanent,
            "automation reboot takes no parameter 'Command'; it takes Id",
            id="a parameter that was not declared",
        ),
        pytest.param(
            {"automation": "reboot"},
            Permanent,
            "automation reboot needs the parameter 'Id' (add it under arguments)",
            id="a parameter that is missing",
        ),
        pytest.param(
            {"automation": "reboot", "arguments": {"Id": "a\nb"}},
            Permanent,
            "parameter 'Id' of automation reboot must be at most 1024 printable characters",
            id="a value with a line break",
        ),
    ],
)
def test_prepare_refuses_when_the_automation_does_not_take_this(
    written: dict[str, object], kind: type[Exception], sentence: str
) -> None:
    """What engine.yaml did not declare never reaches an automation."""
    with pytest.raises(kind) as refused:
        prepare(world(), **written)

    assert str(refused.value) == sentence


def test_apply_starts_one_run_when_sent_twice() -> None:
    """The token follows from the effect, so a repeat after a lost answer finds the run that is there."""
    simulated = world()
    change = prepare(simulated, automation="reboot", arguments=ARGUMENTS)

    first, second = (ACTION.apply(change, "run-1/0/do", simulated.effects) for _ in range(2))
    ACTION.apply(change, "run-2/0/do", simulated.effects)

    assert (first.status, second.status) == ("done", "done")
    assert first.receipt["run"] == second.receipt["run"]
    assert simulated.automations.started == (("reboot", ARGUMENTS), ("reboot", ARGUMENTS))


def test_token_is_a_uuid_that_differs_by_effect() -> None:
    """As the service demands it."""
    tokens = {token_of(key) for key in ("run-1/0/do", "run-1/1/do", "run-2/0/do")}

    assert len({UUID(token) for token in tokens}) == 3


@pytest.mark.parametrize(
    "another",
    [
        pytest.param({"version": "4"}, id="another version"),
        pytest.param({"role": "arn:aws:iam::123456789012:role/admin"}, id="another role"),
        pytest.param({"fixed": {"Mode": "force"}}, id="another fixed parameter"),
        pytest.param({"document": "acme-halt"}, id="another document"),
    ],
)
def test_apply_conflicts_when_it_is_another_one_by_now(another: dict[str, object]) -> None:
    """Nobody has approved what it is now."""
    simulated = world()
    change = prepare(simulated, automation="reboot", arguments=ARGUMENTS)
    simulated.automations.allow(replace(REBOOT, **another))

    outcome = ACTION.apply(change, "key", simulated.effects)

    assert outcome == Outcome.conflict("automation reboot is another one now than the one that was approved")


def test_observe_tells_the_end_when_the_run_is_over() -> None:
    """It runs, and then it has succeeded or failed; one that is not known yet may still appear."""
    simulated = world()
    change = prepare(simulated, automation="reboot", arguments=ARGUMENTS)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    during = ACTION.observe(change, receipt, simulated.world)
    simulated.push(timedelta(seconds=10))
    after = ACTION.observe(change, receipt, simulated.world)
    simulated.automations.ends["reboot"] = "failed"
    badly = ACTION.observe(change, receipt, simulated.world)

    assert during == Progress.progressing("run run-1 is under way", timedelta(seconds=5))
    assert after == Progress.done("automation reboot has succeeded (run run-1)")
    assert badly == Progress.failed("automation reboot has failed: it was told to fail (run run-1)")
    assert ACTION.observe(change, {"run": "run-9"}, simulated.world) == Progress.progressing(
        "run run-9 of automation reboot is not known, and may not be yet", timedelta(seconds=5)
    )
    assert ACTION.observe(change, {}, simulated.world).status == "absent"
