"""Step cap: how far one change may move a number."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.guardrails.case import Case
from runbook_engine.model.guardrail import Verdict

UNCAPPED: Mapping[str, str] = {  # numbers that nobody turns up or down; every other number is a quantity, and capped
    "revision": "names a thing, it is no quantity",
    "version": "names a thing, it is no quantity",
    "evictablePods": "counts victims, which blastRadius limits",
}


def step_cap(case: Case) -> Verdict:
    """One change moves a number only so far."""
    size, cap = case.change.size, case.runbook.guardrails.step_cap
    if size is None:
        return Verdict(guardrail="stepCap", ok=True, says="not a number")
    if case.change.field in UNCAPPED:
        says = f"{case.change.field} {UNCAPPED[case.change.field]}"
        return Verdict(guardrail="stepCap", ok=True, says=says)
    if not -cap.down <= size <= cap.up:  # NaN is in no range
        says = (
            f"{case.change.field} {case.change.before} -> {case.change.after} is {size:+.0%}, "
            f"at most {cap.up:+.0%} or {-cap.down:+.0%} at once"
        )
        return Verdict(guardrail="stepCap", ok=False, says=says)
    return Verdict(guardrail="stepCap", ok=True, says=f"{size:+.0%}")
