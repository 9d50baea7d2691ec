"""Turns: of several runbooks that one alert starts on one target, the first by the order of runbooks acts first."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from runbook_engine.model.directive import Directive, Wait
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import ModeRule, Runbook, Step
from runbook_engine.model.signal import Signal
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import MINUTE, SECOND, Rig, runbook

HOUR = timedelta(hours=1)


def book(
    name: str,
    by: str,
    *,
    cooldown: timedelta = timedelta(0),
    minimum_fault_age: timedelta = timedelta(0),
    **changes: object,
) -> Runbook:
    """Return a runbook that adds capacity."""
    return runbook(
        name=name,
        digest=f"digest-of-{name}",
        steps=(Step(name="add", action="scale", arguments={"by": by, "upTo": 40}),),
        guardrails=Guardrails(cooldown=cooldown, deadline=HOUR, minimum_fault_age=minimum_fault_age),
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


def test_a_first_that_nobody_drives_holds_the_second_up_for_a_minute() -> None:
    """As when its worker cannot read it: the second is there to help too."""
    rig, [_, second] = fired(book("a", "25%"), book("b", "50%"))
    rig.simulated.push(10 * MINUTE)
    drive(rig, second)
    for _ in range(59):
        rig.simulated.push(SECOND)
        drive(rig, second)
    held = rig.replicas()

    rig.simulated.push(SECOND)
    drive(rig, second)

    assert (4, 6) == (held, rig.replicas())


def test_three_runs_act_in_their_order_whoever_is_driven_first() -> None:
    """One that waits for its own turn has not stepped aside."""
    rig, [first, second, third] = fired(*(book(name, "25%") for name in "abc"))
    assert (first.id, second.id) == third.behind

    drive(rig, second)
    rig.simulated.push(SECOND / 2)
    rig.journal.signal(first.id, Signal(kind="cancelled", at=rig.now, by="ann"))
    drive(rig, first)
    drive(rig, third)  # the second has half a second to wait

    assert ["cancelled", "waiting"] == [rig.journal.load(each.id).status for each in (first, second)]
    says = f"execution {second.id} of b was opened before it, and goes first"
    assert (4, says) == (rig.replicas(), rig.journal.load(third.id).waiting_for)


@pytest.mark.parametrize("last_first", [True, False])
def test_what_holds_all_up_leaves_them_in_their_order(last_first: bool) -> None:
    """A fault that is too young, and a pause: the first to be driven afterwards is not the first to act."""
    books = [book(name, "25%", cooldown=30 * MINUTE, minimum_fault_age=2 * MINUTE) for name in "abc"]
    rig, runs = fired(*books)
    for seconds in (0, 90, 30, 1, 1):
        rig.simulated.push(seconds * SECOND)
        for each in reversed(runs) if last_first else runs:
            drive(rig, each)

    assert [True, False, False] == [rig.journal.load(each.id).tried for each in runs]


def test_the_others_keep_their_order_when_the_first_asks() -> None:
    """It steps aside, and nobody steps aside for it."""
    books = [book(name, "25%", cooldown=30 * MINUTE) for name in "abc"]
    rig, runs = fired(msgspec.structs.replace(books[0], mode=(ModeRule(mode="approve"),)), *books[1:])
    for _ in range(3):
        for each in reversed(runs):
            drive(rig, each)
        rig.simulated.push(SECOND)

    assert [False, True, False] == [rig.journal.load(each.id).tried for each in runs]
