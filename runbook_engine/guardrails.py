"""Guardrails: one small function each, from a change to a verdict.

A guardrail judges a `Change`, not code, and judges it again before every change. What cannot be read says no.
A no that passes by itself says until when; any other no ends the run as blocked. The claims that a commit must
hold (lock, cooldown, budget) are judged here for the reader's sake and enforced by the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runbook_engine.checks import judge_harm
from runbook_engine.errors import RunbookError, Unreadable
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, Lock, Verdict
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import MODES, Mode, ModeRule, Runbook
from runbook_engine.model.target import Target
from runbook_engine.ports import Ledger, World
from runbook_engine.resolution import allowed, scope_refusal

LOOK_AGAIN = timedelta(seconds=5)
PAUSE_UNREADABLE_FOR = timedelta(seconds=30)
CLUSTER_KINDS = frozenset(("deployment", "statefulset", "daemonset"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that guardrails judge by: one change of one execution, now."""

    execution: Execution
    runbook: Runbook
    configuration: Configuration
    change: Change
    world: World
    ledger: Ledger
    now: datetime
    fill: Callable[[str], str]
    ceiling: Mode  # the installation's, now: it may be lower than when the execution was opened


Guardrail = Callable[[Case], Verdict]


def judge(case: Case) -> tuple[Verdict, ...]:
    """Return every guardrail's verdict on a change, in the order in which an on-call asks."""
    return tuple(guardrail(case) for guardrail in GUARDRAILS)


def judge_undo(case: Case) -> tuple[Verdict, ...]:
    """Return the verdicts on undoing our own change: it obeys the kill switch and the lock, and nothing else."""
    return (kill_switch(case), one_execution(case))


def kill_switch(case: Case) -> Verdict:
    """Nothing is changed while the engine is paused, or while the pause cannot be read."""
    try:
        pause = case.world.pauses.pause(case.now)
    except RunbookError as error:
        says = f"the kill switch cannot be read: {error}"
        return Verdict(guardrail="pause", ok=False, says=says, until=case.now + PAUSE_UNREADABLE_FOR)
    if pause is None:
        return Verdict(guardrail="pause", ok=True, says="not paused")
    why = f": {pause.reason}" if pause.reason else ""
    says = f"paused by {pause.by} until {pause.until.astimezone(UTC):%H:%M:%S} UTC{why}"
    until = min(pause.until, case.now + LOOK_AGAIN)  # a pause may be lifted early
    return Verdict(guardrail="pause", ok=False, says=says, until=until)


def mode(case: Case) -> Verdict:
    """Below `auto`, a change needs a person's yes to exactly this change."""
    if case.execution.mode == "observe":
        return Verdict(guardrail="mode", ok=False, says="mode observe changes nothing")
    if not case.execution.started_by and MODES.index(case.ceiling) < MODES.index(_needed_mode(case)):
        return Verdict(guardrail="mode", ok=False, says=f"the ceiling of the installation is {case.ceiling} now")
    if case.execution.mode == "auto":
        return Verdict(guardrail="mode", ok=True, says="mode auto")
    return Verdict(guardrail="mode", ok=True, says=f"mode {case.execution.mode}: only what a person approved")


def target_allow_list(case: Case) -> Verdict:
    """Only what the installation and the alert's scope allow is touched."""
    target = case.change.target
    if not allowed(target, case.configuration.targets):
        says = f"{target.pattern_form} is not in the targets of engine.yaml"
        return Verdict(guardrail="targets", ok=False, says=says)
    says = scope_refusal(case.configuration, case.execution.scope, target=target)
    if says:
        return Verdict(guardrail="targets", ok=False, says=says)
    return Verdict(guardrail="targets", ok=True, says=f"{target.pattern_form} is allowed")


def minimum_fault_age(case: Case) -> Verdict:
    """A fault that is younger may still heal by itself."""
    wanted = case.runbook.guardrails.minimum_fault_age
    started = case.execution.alert.starts_at or case.execution.alert.received_at
    age = case.now - started
    if age >= wanted:
        return Verdict(guardrail="minimumFaultAge", ok=True, says=f"firing for {say_duration(age)}")
    says = f"firing for {say_duration(age)}, wanted {say_duration(wanted)} before a change"
    return Verdict(guardrail="minimumFaultAge", ok=False, says=says, until=started + wanted)


def step_cap(case: Case) -> Verdict:
    """One change moves a number only so far."""
    size, cap = case.change.size, case.runbook.guardrails.step_cap
    if size is None or case.change.field in NAMES:
        says = "not a number" if size is None else f"{case.change.field} names a thing, it is no quantity"
        return Verdict(guardrail="stepCap", ok=True, says=says)
    if not -cap.down <= size <= cap.up:  # NaN is in no range
        says = (
            f"{case.change.field} {case.change.before} -> {case.change.after} is {size:+.0%}, "
            f"at most {cap.up:+.0%} or {-cap.down:+.0%} at once"
        )
        return Verdict(guardrail="stepCap", ok=False, says=says)
    return Verdict(guardrail="stepCap", ok=True, says=f"{size:+.0%}")


def deadline(case: Case) -> Verdict:
    """No change starts after the deadline of the whole run."""
    left = case.execution.deadline_at - case.now
    total = say_duration(case.runbook.guardrails.deadline)
    if left <= timedelta(0):
        return Verdict(guardrail="deadline", ok=False, says=f"the deadline of {total} has passed")
    return Verdict(guardrail="deadline", ok=True, says=f"{say_duration(left)} of {total} left")


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


def blast_radius(case: Case) -> Verdict:
    """Victims are counted before every change; no installed adapter can count yet, so a limit says no."""
    if case.runbook.guardrails.blast_radius is None:
        return Verdict(guardrail="blastRadius", ok=True, says="no limit set")
    says = "blast radius: no installed adapter can count the victims"
    return Verdict(guardrail="blastRadius", ok=False, says=says)


def do_no_harm(case: Case) -> Verdict:
    """No further change while the harm signal is worse than its baseline, or cannot be read."""
    rule, baseline = case.runbook.do_no_harm, case.execution.baseline
    if rule is None:
        return Verdict(guardrail="doNoHarm", ok=True, says="no signal set")
    if baseline is None:
        return Verdict(guardrail="doNoHarm", ok=True, says="the baseline is read before the first change")
    reading = judge_harm(rule, baseline, case.fill, case.world)
    until = case.now + LOOK_AGAIN if reading.ok is None else None
    return Verdict(guardrail="doNoHarm", ok=reading.ok is True, says=reading.says, until=until)


GUARDRAILS: tuple[Guardrail, ...] = (
    kill_switch,
    mode,
    target_allow_list,
    minimum_fault_age,
    step_cap,
    deadline,
    one_execution,
    cooldown,
    budget,
    blast_radius,
    do_no_harm,
)
NAMES = frozenset(("revision",))  # numbers that name a thing; every other number is a quantity, and capped


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
    workload = case.world.cluster.workload(workload_target)
    name = workload.service if per == "service" else workload.zone
    if not name:
        raise Unreadable(f"{workload_target} has no {per}")
    return f"{per}:{workload_target.place}/{name}"


def effective_mode(runbook: Runbook, configuration: Configuration, holds: Callable[[ModeRule], bool]) -> Mode:
    """Return the runbook's mode under the installation's ceiling; no ceiling = propose, no mode = observe."""
    wanted = _first(runbook.mode, holds, otherwise="observe")
    return min(wanted, ceiling_of(configuration, holds), key=MODES.index)


def ceiling_of(configuration: Configuration, holds: Callable[[ModeRule], bool]) -> Mode:
    """Return how far the installation lets any runbook go; absent = propose."""
    return _first(configuration.mode_ceiling, holds, otherwise="propose")


def refusals(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return the verdicts that say no."""
    return tuple(verdict for verdict in verdicts if not verdict.ok)


def wait_for(verdicts: tuple[Verdict, ...], case_deadline: datetime | None) -> datetime | None:
    """Return until when to wait, if every no is passing and ends before the deadline; else None."""
    untils: Mapping[str, datetime | None] = {verdict.guardrail: verdict.until for verdict in refusals(verdicts)}
    instants = [until for until in untils.values() if until is not None]
    if not instants or len(instants) < len(untils):
        return None
    latest = max(instants)
    return latest if case_deadline is None or latest < case_deadline else None


def _needed_mode(case: Case) -> Mode:
    """Return the mode that a change of this execution needs: with a person's yes, a proposal is enough."""
    return "auto" if case.execution.mode == "auto" else "propose"


def _first(rules: tuple[ModeRule, ...], holds: Callable[[ModeRule], bool], otherwise: Mode) -> Mode:
    return next((rule.mode for rule in rules if holds(rule)), otherwise)


def _workload_target(case: Case) -> Target | None:
    for target in (case.change.target, case.execution.target):
        if target.kind in CLUSTER_KINDS:
            return target
    return None
