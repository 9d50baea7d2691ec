"""Storm: no change while runs are opened for more targets at once than machines should touch unwatched.

Afterwards only a few at a time: what follows a release comes out of one ration.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runbook_engine.guardrails.case import Case
from runbook_engine.model.duration import say_duration
from runbook_engine.model.guardrail import Budget, Verdict
from runbook_engine.model.ration import RATION, budget_of, let_go_at, ration_of, say_ration
from runbook_engine.model.storm import Latch, held_until, say_storm

NEXT_LOOK = timedelta(minutes=1)  # at whether it is a change's turn


def storm(case: Case) -> Verdict:
    """Nothing is changed while the storm latch holds; undoing our own change is no new change, and goes on."""
    latch, rule = case.ledger.latch(), case.configuration.storm
    until = held_until(latch, rule, case.now)
    if until is not None:
        return Verdict(guardrail="storm", ok=False, says=f"storm: {say_storm(latch, rule)}", until=until)
    ration = _ration(case, latch)
    if ration is None:
        return Verdict(guardrail="storm", ok=True, says="no storm")
    return _judge_turn(case, ration)


def ration_claims(case: Case) -> tuple[Budget, ...]:
    """Return what the commit of a change takes from the ration, if there is one."""
    ration = _ration(case, case.ledger.latch())
    return (ration,) if ration is not None else ()


def wait_for_turn(ration: Budget, until: datetime) -> Verdict:
    """Return the no to a change for which the ration has no room."""
    says = f"storm: {say_ration(ration.limit, ration.window)}"
    return Verdict(guardrail="storm", ok=False, says=says, until=until)


def _ration(case: Case, latch: Latch) -> Budget | None:
    """Return the ration that a change takes from; what has waited for it never gets round it when its time is over.

    Nor does what is new, while others take from it: those who waited till then are no storm either.
    """
    rule, run = case.configuration.storm, case.execution
    ration = ration_of(latch, rule, opened_at=run.opened_at, now=case.now)
    if ration is not None or let_go_at(latch, rule, case.now) is None:
        return ration
    waited = any(verdict.guardrail == "storm" and not verdict.ok for verdict in run.verdicts)
    return budget_of(rule) if waited or _made(case, rule.within) else None


def _made(case: Case, window: timedelta) -> int:
    return case.ledger.changes_within(RATION, case.now - window, other_than="")


def _judge_turn(case: Case, ration: Budget) -> Verdict:
    """Judge whether there is room; a change that is under way has had its share."""
    if any(step.effect is not None and step.effect.status == "retrying" for step in case.execution.steps):
        return Verdict(guardrail="storm", ok=True, says="under way since it had its turn after a storm")
    made = _made(case, ration.window)
    if made >= ration.limit:
        return wait_for_turn(ration, case.now + min(ration.window, NEXT_LOOK))
    says = f"{made} of {ration.limit} changes in {say_duration(ration.window)} after a storm"
    return Verdict(guardrail="storm", ok=True, says=says)
