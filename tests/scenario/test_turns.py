"""Turns: of several runbooks that one alert starts on one target, the first by the order of runbooks acts first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.model.directive import Directive, Wait
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import ModeRule, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import MINUTE, SECOND, Rig, runbook

HOUR = timedelta(hours=1)


def book(name: str, by: str, *, cooldown: timedelta = timedelta(0), **changes: object) -> Runbook:
    """Return a runbook that adds capacity."""
    return runbook(
        name=name,
        digest=f"digest-of-{name}",
        steps=(Step(name="add", action="scale", arguments={"by": by, "upTo": 40}),),
        guardrails=Guardrails(cooldown=cooldown, deadline=HOUR),
        notify=(),
        verify=(),
        **changes,
    )


def fired(*books: Runbook) -> tuple[Rig, list[Execution]]:
    """Return a rig and what its alert has started, in the order of the runbooks."""
    rig = Rig(*books)
    return rig, [rig.journal.load(execution) for execution in rig.fire().opened]


def drive(rig: Rig, execution: Execution, owner: str = "rig") -> Directive:
    """Drive one run for one turn."""
    return rig.engine.drive(execution.id, owner, rig.now, timedelta(minutes=5))


def test_who_comes_second_waits_a_second_for_the_first() -> None:
    """Whoever is driven first: no thread and no other process changes the order."""
    rig, [first, second] = fired(book("a", "25%"), book("b", "50%"))
    assert ((), (first.id,)) == (first.behind, second.behind)

    directive = drive(rig, second)

    says = f"execution {first.id} of a was opened before it, and goes first"
    assert Wait(rig.now + SECOND, says) == directive
    assert 4 == rig.replicas()
    drive(rig, first, "another")
    assert 5 == rig.replicas()


def test_the_cooldown_of_the_first_is_then_what_stops_the_second() -> None:
    """Which of two runbooks acts is decided by their order, and not by who was quicker."""
    rig, [_, second] = fired(book("a", "25%"), book("b", "50%", cooldown=30 * MINUTE))
    drive(rig, second)

    rig.run(MINUTE)

    assert 5 == rig.replicas()
    assert "blocked" == rig.journal.load(second.id).status


def test_the_second_need_not_wait_for_a_first_that_waits_for_a_person() -> None:
    """An approval may take hours."""
    rig, [first, _] = fired(book("a", "25%", mode=(ModeRule(mode="approve"),)), book("b", "50%"))

    rig.run(2 * SECOND)

    assert "awaiting_approval" == rig.journal.load(first.id).status
    assert 6 == rig.replicas()


def test_runs_of_other_targets_wait_for_nobody() -> None:
    """They have nothing to do with each other."""
    cart = TargetTemplate(kind="deployment", name="cart", namespace="apps")
    rig = Rig(book("a", "25%", target=cart), book("b", "50%"))
    rig.simulated.deploy("apps", "cart", replicas=4)
    [_, second] = [rig.journal.load(execution) for execution in rig.fire().opened]

    drive(rig, second)

    assert 6 == rig.replicas()


def test_a_run_that_an_alert_joins_goes_before_those_that_it_opens() -> None:
    """It was there before."""
    critical, other = (Matcher("severity", "=", "critical"),), (Matcher("alertname", "=", "Other"),)
    rig = Rig(book("a", "25%", matchers=critical), book("b", "50%", matchers=other))
    [first] = rig.fire().opened

    receipt = rig.fire("Other")

    assert (first,) == receipt.joined
    [opened] = receipt.opened
    assert ("b", (first,)) == (rig.journal.load(opened).runbook, rig.journal.load(opened).behind)


@pytest.mark.parametrize("waited", [59 * SECOND, MINUTE])
def test_a_first_that_nobody_drives_holds_the_second_up_for_a_minute(waited: timedelta) -> None:
    """As when its records cannot be read: the second is there to help too."""
    rig, [_, second] = fired(book("a", "25%"), book("b", "50%"))
    rig.simulated.push(waited)

    drive(rig, second)

    assert (4 if waited < MINUTE else 6) == rig.replicas()
