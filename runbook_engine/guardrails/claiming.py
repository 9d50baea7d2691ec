"""What others changed, or are changing: lock, cooldown and budget, as verdicts and as the claims of a commit.

They are judged here for the reader's sake and enforced by the commit, which takes the claims.
"""

from __future__ import annotations

from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.guardrails.case import LOOK_AGAIN, Case
from runbook_engine.model.duration import say_duration
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, Lock, Verdict
from runbook_engine.model.plan import Change
from runbook_engine.model.target import WORKLOAD_KINDS, Target


def one_execution(case: Case) -> Verdict:
    """One execution at a time changes a target."""
    key = case.change.target.key
    holder = case.ledger.lock_holder(key)
    if holder is None or holder == case.execution.id:
        return Verdict(guardrail="lock", ok=True, says="nobody else is changing it")
    says = f"execution {holder} is changing {case.change.target}"
    return Verdict(guardrail="lock", ok=False, says=says, until=case.now + LOOK_AGAIN)


def cooldown(case: Case) -> Verdict:
    """A target that was just changed is left alone."""
    period = case.runbook.guardrails.cooldown
    last = case.ledger.last_change(case.change.target.key)
    if last is None or last.execution_id == case.execution.id:
        return Verdict(guardrail="cooldown", ok=True, says="no change by another run")
    age = case.now - last.at
    says = f"last change of {case.change.target} {say_duration(age)} ago by execution {last.execution_id}"
    if age >= period:
        return Verdict(guardrail="cooldown", ok=True, says=says)
    says = f"{says}, cooldown {say_duration(period)}"
    return Verdict(guardrail="cooldown", ok=False, says=says)


def budget(case: Case) -> Verdict:
    """Only so many changes in a window, counted over all runbooks and processes."""
    rule = case.runbook.guardrails.budget
    if rule is None:
        return Verdict(guardrail="budget", ok=True, says="no budget set")
    try:
        key = budget_key(case)
    except RunbookError as error:
        return Verdict(guardrail="budget", ok=False, says=f"the {rule.per} to count for cannot be read: {error}")
    count = case.ledger.changes_within(key, case.now - rule.window, other_than=case.execution.id)
    says = f"{count} of {rule.changes} changes per {rule.per} in {say_duration(rule.window)}"
    return Verdict(guardrail="budget", ok=count < rule.changes, says=says)


def claims_of(case: Case) -> tuple[Claim, ...]:
    """Return what the commit of this change's intent must hold, keyed by the change's own target."""
    key, rules = case.change.target.key, case.runbook.guardrails
    claims: list[Claim] = [Lock(key), Cooldown(key, rules.cooldown)]
    if rules.budget is not None:
        claims.append(Budget(budget_key(case), rules.budget.window, rules.budget.changes))
    return tuple(claims)


def undo_claims(change: Change) -> tuple[Claim, ...]:
    """Return what the commit of an undo must hold."""
    return (Lock(change.target.key),)


def budget_key(case: Case) -> str:
    """Return under which key the budget counts. Raises Unreadable when the service or zone cannot be told."""
    rule = case.runbook.guardrails.budget
    per = rule.per if rule is not None else "target"
    if per == "target":
        return f"target:{case.change.target.key}"
    if per == "fleet":
        return "fleet"
    workload_target = _workload_target(case)
    if workload_target is None:
        raise Unreadable(f"the run has no workload that could name its {per}; say per: target or per: fleet")
    workload = case.looks.workload(workload_target)
    name = workload.service if per == "service" else workload.zone
    if not name:
        raise Unreadable(f"{workload_target} has no {per}")
    return f"{per}:{workload_target.place}/{name}"


def _workload_target(case: Case) -> Target | None:
    for target in (case.change.target, case.execution.target):
        if target.kind in WORKLOAD_KINDS:
            return target
    return None
