"""Storm: no change while runs are opened for more targets at once than machines should touch unwatched."""

from __future__ import annotations

from runbook_engine.guardrails.case import Case
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.storm import held_until, say_storm


def storm(case: Case) -> Verdict:
    """Nothing is changed while the storm latch holds; undoing our own change is no new change, and goes on."""
    latch, rule = case.ledger.latch(), case.configuration.storm
    until = held_until(latch, rule, case.now)
    if until is None:
        return Verdict(guardrail="storm", ok=True, says="no storm")
    return Verdict(guardrail="storm", ok=False, says=f"storm: {say_storm(latch, rule)}", until=until)
