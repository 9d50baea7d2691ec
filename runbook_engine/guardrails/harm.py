"""Do no harm: no further change while the signal that must not get worse is worse."""

from __future__ import annotations

from runbook_engine.checks import judge_harm
from runbook_engine.guardrails.case import LOOK_AGAIN, Case
from runbook_engine.model.guardrail import Verdict


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
