"""Guardrails: one small function each, from a change to a verdict.

A guardrail judges a `Change`, not code, and judges it again before every change. What cannot be read says no.
A no that passes by itself says until when; any other no ends the run as blocked. The claims that a commit must
hold (lock, cooldown, budget) are judged here for the reader's sake and enforced by the commit.
"""

from runbook_engine.guardrails.blast_radius import blast_radius
from runbook_engine.guardrails.bounds import bounds, target_allow_list
from runbook_engine.guardrails.calendar import freeze, window
from runbook_engine.guardrails.case import LOOK_AGAIN, Case, Guardrail, untold
from runbook_engine.guardrails.claiming import budget, budget_key, claims_of, cooldown, one_execution, undo_claims
from runbook_engine.guardrails.consent import (
    PAUSE_UNREADABLE_FOR,
    ceiling_of,
    effective_mode,
    highest_ceiling,
    kill_switch,
    mode,
)
from runbook_engine.guardrails.gitops import gitops
from runbook_engine.guardrails.harm import do_no_harm
from runbook_engine.guardrails.judging import GUARDRAILS, judge, judge_undo, refusals, wait_for
from runbook_engine.guardrails.step_cap import step_cap
from runbook_engine.guardrails.storm import storm, wait_for_turn
from runbook_engine.guardrails.timing import deadline, minimum_fault_age

__all__ = [
    "GUARDRAILS",
    "LOOK_AGAIN",
    "PAUSE_UNREADABLE_FOR",
    "Case",
    "Guardrail",
    "blast_radius",
    "bounds",
    "budget",
    "budget_key",
    "ceiling_of",
    "claims_of",
    "cooldown",
    "deadline",
    "do_no_harm",
    "effective_mode",
    "freeze",
    "gitops",
    "highest_ceiling",
    "judge",
    "judge_undo",
    "kill_switch",
    "minimum_fault_age",
    "mode",
    "one_execution",
    "refusals",
    "step_cap",
    "storm",
    "target_allow_list",
    "undo_claims",
    "untold",
    "wait_for",
    "wait_for_turn",
    "window",
]
