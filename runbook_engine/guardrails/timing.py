"""Whether now is the time: a fault that is old enough, and a run whose deadline has not passed."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.guardrails.case import Case
from runbook_engine.model.duration import say_duration
from runbook_engine.model.guardrail import Verdict


def minimum_fault_age(case: Case) -> Verdict:
    """A fault that is younger may still heal by itself."""
    wanted = case.runbook.guardrails.minimum_fault_age
    started = case.execution.alert.starts_at or case.execution.alert.received_at
    age = max(case.now - started, timedelta(0))  # a sender's clock may be ahead
    if age >= wanted:
        return Verdict(guardrail="minimumFaultAge", ok=True, says=f"firing for {say_duration(age)}")
    says = f"firing for {say_duration(age)}, wanted {say_duration(wanted)} before a change"
    return Verdict(guardrail="minimumFaultAge", ok=False, says=says, until=started + wanted)


def deadline(case: Case) -> Verdict:
    """No change starts after the deadline of the whole run."""
    left = case.execution.deadline_at - case.now
    total = say_duration(case.runbook.guardrails.deadline)
    if left <= timedelta(0):
        return Verdict(guardrail="deadline", ok=False, says=f"the deadline of {total} has passed")
    return Verdict(guardrail="deadline", ok=True, says=f"{say_duration(left)} of {total} left")
