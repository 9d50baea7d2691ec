"""An answer that is bound to a change answers that change, and no other that is asked by the time it is heard."""

from __future__ import annotations

import pytest

from runbook_engine.machine.events import Asked
from runbook_engine.model.execution import ApprovalRequest
from runbook_engine.model.plan import PlannedStep
from tests.scenario.rig import runbook
from tests.unit.machine.story import FLIP, SECOND, START, after, opened, signalled

STEP = PlannedStep(name="shed", action="degrade", change=FLIP, change_hash="0123456789")
ASKED = Asked(
    request=ApprovalRequest(
        kind="step", hash="0123456789", by="team-checkout", asked_at=START, until=START + 60 * SECOND, steps=(STEP,)
    ),
    at=START,
)


@pytest.mark.parametrize(
    ("answer", "plan_hash", "status", "asks"),
    [
        pytest.param("denied", "", "cancelled", False, id="a no to whatever is asked"),
        pytest.param("denied", "0123456789", "cancelled", False, id="a no to this"),
        pytest.param("denied", "9876543210", "pending", True, id="a no to what was asked before"),
        pytest.param("approved", "0123456789", "pending", False, id="a yes to this"),
        pytest.param("approved", "9876543210", "pending", True, id="a yes to what was asked before"),
    ],
)
def test_answer_counts_for_what_it_was_given_to(answer: str, plan_hash: str, status: str, asks: bool) -> None:
    """The question may have changed between the click and the drive."""
    execution = after(opened(), runbook(notify=()), ASKED, signalled(answer, by="ann", plan_hash=plan_hash))

    assert (status, asks) == (execution.status, execution.approval is not None)
