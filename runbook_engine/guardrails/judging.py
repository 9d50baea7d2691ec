"""Judging: every guardrail's verdict on one change, in the order in which an on-call asks, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from runbook_engine.guardrails.blast_radius import blast_radius
from runbook_engine.guardrails.bounds import bounds, target_allow_list
from runbook_engine.guardrails.calendar import freeze, window
from runbook_engine.guardrails.case import Case, Guardrail
from runbook_engine.guardrails.claiming import budget, cooldown, one_execution
from runbook_engine.guardrails.consent import kill_switch, mode
from runbook_engine.guardrails.gitops import gitops
from runbook_engine.guardrails.harm import do_no_harm
from runbook_engine.guardrails.step_cap import step_cap
from runbook_engine.guardrails.storm import storm
from runbook_engine.guardrails.timing import deadline, minimum_fault_age
from runbook_engine.model.guardrail import Verdict

GUARDRAILS: tuple[Guardrail, ...] = (
    kill_switch,
    storm,
    mode,
    target_allow_list,
    bounds,
    gitops,
    freeze,
    window,
    minimum_fault_age,
    step_cap,
    deadline,
    one_execution,
    cooldown,
    budget,
    blast_radius,
    do_no_harm,
)


def judge(case: Case) -> tuple[Verdict, ...]:
    """Return every guardrail's verdict on a change, in the order in which an on-call asks."""
    return tuple(guardrail(case) for guardrail in GUARDRAILS)


def judge_undo(case: Case) -> tuple[Verdict, ...]:
    """Return the verdicts on undoing our own change: it obeys the kill switch and the lock, and nothing else."""
    return (kill_switch(case), one_execution(case))


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
