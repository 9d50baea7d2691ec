"""What others changed, or are changing: lock, cooldown and budget, as verdicts and as the claims of a commit.

They are judged here for the reader's sake and enforced by the commit, which takes the claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta

from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.guardrails.case import LOOK_AGAIN, Case
from runbook_engine.guardrails.storm import ration_claims
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import GOES_FIRST, Budget, Claim, Cooldown, Lock, Verdict
from runbook_engine.model.plan import Change
from runbook_engine.model.target import SERVERLESS_KINDS, WORKLOAD_KINDS, Target

FIRST_FOR = timedelta(minutes=1)  # so long a run waits for its turn, when nothing else holds it up
TURN_LOOK = timedelta(seconds=1)
KEPT_LOOK = timedelta(seconds=30)  # a person may give a target back at any time


def one_execution(case: Case) -> Verdict:
    """One execution at a time changes a target."""
    for target in _claimed(case):
        holder = case.ledger.lock_holder(target.key)
        if holder is not None and holder != case.execution.id:
            return _held(case, holder, target)
    try:
        first = next((earlier for earlier in _before(case) if _goes_first(earlier, case)), None)
    except RunbookError as error:
        return case.unread("lock", "a run that was opened before it", error)
    if first is not None:
        says = f"execution {first.id} of {first.runbook} {GOES_FIRST}"
        return Verdict(guardrail="lock", ok=False, says=says, until=case.now + TURN_LOOK)
    return Verdict(guardrail="lock", ok=True, says="nobody else is changing it")


def _before(case: Case) -> Iterator[Execution]:
    """Yield the runs that its alert had before, until a run has waited long enough for nothing else."""
    run = case.execution
    if not run.tried and case.now - (run.in_turn_since or case.now) < FIRST_FOR:
        yield from map(case.ledger.load, run.behind)


def _goes_first(earlier: Execution, case: Case) -> bool:
    """Whether an earlier run is about to act on the same target, or may be.

    It steps aside for as long as it waits for what is its own: a person, a signal, its group, its verification. What
    makes it wait before a change, a guardrail or a look that fails, mostly holds the later one up too.
    """
    waits = earlier.status == "waiting" or (earlier.resume_at is not None and earlier.resume_at > case.now)
    asks = earlier.status == "awaiting_approval" or earlier.verification is not None
    aside = asks or (waits and earlier.stage != "steps")
    keys = {target.key for target in (case.execution.target, *_claimed(case)) if target.kind != "none"}
    meets = not earlier.placed or earlier.target.key in keys
    return earlier.counted and not earlier.tried and not aside and meets


def _held(case: Case, holder: str, target: Target) -> Verdict:
    """Return the no of a lock: a run that changes the target lets go soon, a person's name is worth knowing."""
    says = f"execution {holder} is changing {target}"
    until = case.now + LOOK_AGAIN
    kept = case.ledger.load(holder)
    if kept.kept_until is not None:
        time = f"{kept.kept_until.astimezone(UTC):%H:%M:%S} UTC"
        remedy = f"`runbook release {holder[:8]}` gives it back"
        says = f"{target} was taken over by {kept.kept_by}, who keeps it until {time} ({remedy})"
        until = max(until, min(kept.kept_until, case.now + KEPT_LOOK))
    return Verdict(guardrail="lock", ok=False, says=says, until=until)


def cooldown(case: Case) -> Verdict:
    """A target that was just changed is left alone."""
    period = case.runbook.guardrails.cooldown
    lasts = [(target, case.ledger.last_change(target.key)) for target in _claimed(case)]
    others = [(last, target) for target, last in lasts if last is not None and last.execution_id != case.execution.id]
    if not others:
        return Verdict(guardrail="cooldown", ok=True, says="no change by another run")
    last, target = max(others, key=lambda other: other[0].at)
    age = max(case.now - last.at, timedelta(0))  # it may have been changed since this run looked at the clock
    says = f"last change of {target} {say_duration(age)} ago by execution {last.execution_id}"
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
    rules = case.runbook.guardrails
    claims: list[Claim] = []
    for target in _claimed(case):
        claims += [Lock(target.key), Cooldown(target.key, rules.cooldown)]
    if rules.budget is not None:
        claims.append(Budget(budget_key(case), rules.budget.window, rules.budget.changes))
    return (*claims, *ration_claims(case))


def undo_claims(change: Change) -> tuple[Claim, ...]:
    """Return what the commit of an undo must hold."""
    return (Lock(change.target.key),)


def budget_key(case: Case) -> str:
    """Return under which key the budget counts. Raises Unreadable when the service or zone cannot be told."""
    rule = case.runbook.guardrails.budget
    per = rule.per if rule is not None else "target"
    if per == "target":
        return f"target:{_claimed(case)[-1].key}"
    if per == "fleet":
        return "fleet"
    target = _serving_target(case)
    if target is None:
        raise Unreadable(f"the run has no workload that could name its {per}; say per: target or per: fleet")
    name = _service_of(case, target) if per == "service" else _zone_of(case, target)
    if not name:
        raise Unreadable(f"{target} has no {per}")
    return f"{per}:{target.place}/{name}"


def _service_of(case: Case, target: Target) -> str:
    match target.kind:
        case "function":
            return case.looks.function(target).service
        case "queue":
            return case.looks.queue(target).service
        case _:
            return case.looks.workload(target).service


def _zone_of(case: Case, target: Target) -> str:
    return "" if target.kind in SERVERLESS_KINDS else case.looks.workload(target).zone


def _claimed(case: Case) -> tuple[Target, ...]:
    """Return what a change counts for: its target; of a pod also the workload that the run works on.

    The pod that comes after it bears another name, so that a claim on the pod alone would hold nobody back.
    """
    target, run = case.change.target, case.execution.target
    return (target, run) if target.kind == "pod" and run.kind in WORKLOAD_KINDS else (target,)


def _serving_target(case: Case) -> Target | None:
    for target in (case.change.target, case.execution.target):
        if target.kind in WORKLOAD_KINDS | SERVERLESS_KINDS:
            return target
    return None
