"""No guardrail passes unread: what cannot be counted, compared or trusted says no."""

from __future__ import annotations

import math
from dataclasses import replace as replaced
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.engine import Engine
from runbook_engine.errors import Permanent, RunbookError, TemplateError
from runbook_engine.guardrails import Case, budget, do_no_harm, judge_undo, kill_switch, refusals, step_cap
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.guardrail import BudgetRule, Guardrails
from runbook_engine.model.observation import Pause
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec
from runbook_engine.registry import Registry
from tests.scenario.rig import DEGRADE, MINUTE, NO_HARM, Rig, configuration, runbook

CHECKOUT = Target("deployment", "local", "apps", "checkout")
RULES = Guardrails(cooldown=MINUTE, deadline=40 * MINUTE, budget=BudgetRule(changes=5, per="service", window=MINUTE))


def judged(change: Change, rig: Rig | None = None, **changes: object) -> Case:
    """Return a case about this change."""
    book = runbook(guardrails=RULES, do_no_harm=NO_HARM)
    used = rig or Rig(book)
    used.fire()
    case = Case(
        execution=replace(used.execution(), baseline=1.0),
        runbook=book,
        configuration=used.engine.bundle.configuration,
        change=change,
        world=used.simulated.world,
        ledger=used.journal,
        now=used.now,
        fill=str,
        ceiling="auto",
    )
    return replaced(case, **changes)


def number(before: float | None, after: float | None, field: str = "replicas") -> Change:
    """Return a change of a number."""
    return Change(target=CHECKOUT, field=field, before=before, after=after)


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        pytest.param(number(4, math.nan), False, id="to NaN"),
        pytest.param(number(math.nan, 4), False, id="from NaN"),
        pytest.param(number(4, math.inf), False, id="to infinity"),
        pytest.param(number(4, -math.inf), False, id="to minus infinity"),
        pytest.param(number(-4, -20), False, id="below zero, further down"),
        pytest.param(number(-4, -6), True, id="below zero, half further down"),
        pytest.param(number(10, 1000, "provisionedConcurrency"), False, id="a number that no action of ours changes"),
        pytest.param(number(10, 12, "provisionedConcurrency"), True, id="the same, a little"),
        pytest.param(number(42, 1, "revision"), True, id="a revision is a name"),
        pytest.param(number(None, 5), True, id="from nothing known there is no share"),
    ],
)
def test_every_number_is_capped(change: Change, ok: bool) -> None:
    """Unless it is known to be a name."""
    assert ok is step_cap(judged(change)).ok


@pytest.mark.parametrize(
    "error",
    [Permanent("access denied"), TemplateError("no value"), RunbookError("anything")],
    ids=lambda error: type(error).__name__,
)
def test_a_guardrail_whose_reader_fails_says_no(error: RunbookError) -> None:
    """Whichever error of ours it raises, and not only those that readers should."""
    rig = Rig(runbook(guardrails=RULES, do_no_harm=NO_HARM))
    for method in ("pauses.pause", "cluster.workload", "metrics.query"):
        rig.simulated.fail_next(method, error)
    case = judged(number(4, 6), rig)

    verdicts = (kill_switch(case), budget(case), do_no_harm(case))

    assert [False, False, False] == [verdict.ok for verdict in verdicts]
    assert all(str(error) in verdict.says for verdict in verdicts)


def test_a_pause_is_told_in_utc_wherever_it_was_written() -> None:
    """11:30 in Berlin is 10:30 UTC."""
    rig = Rig()
    berlin = timezone(timedelta(hours=1))
    rig.simulated.pauses.throw(Pause(until=datetime(2026, 1, 5, 11, 30, tzinfo=berlin), by="ann"))

    assert "paused by ann until 10:30:00 UTC" == kill_switch(judged(number(4, 6), rig)).says


def test_an_undo_obeys_the_kill_switch_and_the_lock_only() -> None:
    """It is never blocked for good, so every no of it says until when."""
    rig = Rig(runbook(guardrails=RULES))
    rig.simulated.pauses.throw(Pause(until=rig.now + MINUTE, by="ann"))

    noes = refusals(judge_undo(judged(number(9, 1), rig)))

    assert ["pause"] == [verdict.guardrail for verdict in noes]
    assert all(verdict.until is not None for verdict in noes)


class Disguised(Registry):
    """The registry, with a `degrade` whose change claims to be a message."""

    def action(self, name: str) -> ActionSpec:
        spec = super().action(name)
        return spec if name != "degrade" else replaced(spec, prepare=_prepare, apply=_apply, observe=_observe)


def _prepare(*looked: Any) -> Change:
    return Change(target=Target("receiver", "", "", "production"), field="state", before="up", after="down")


def _apply(*asked: Any) -> Outcome:
    return Outcome.done(at="once")


def _observe(*looked: Any) -> Progress:
    return Progress.done()


def test_only_an_action_that_declares_a_message_goes_unjudged() -> None:
    """What a change says of its target decides nothing."""
    book = runbook(steps=(DEGRADE,))
    rig = Rig(book)
    rig.errors(lambda world: 0.12)
    rig.engine = Engine(
        bundle=Bundle((book,), configuration()),
        journal=rig.journal,
        world=rig.simulated.world,
        effects=rig.simulated.effects,
        registry=Disguised(),
    )

    rig.fire()
    rig.run(MINUTE)

    assert ("blocked", "receiver=production is not in the targets of engine.yaml") == (
        rig.execution().status,
        rig.execution().reason,
    )
