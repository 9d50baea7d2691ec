"""How soon a change that is on its way is looked at again: soon at first, then as its action suggests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.machine.events import Applied, Observed
from runbook_engine.model.plan import Outcome, Progress
from tests.scenario.rig import runbook
from tests.unit.machine.story import START, after, intended, opened, prepared, required


@pytest.mark.parametrize(
    ("passed", "wait"),
    [
        pytest.param(0.0, 0.5, id="at once, half a second"),
        pytest.param(0.7, 0.7, id="as long as it has taken so far"),
        pytest.param(30.0, 2.0, id="never longer than suggested"),
    ],
)
def test_a_change_is_looked_at_again_when_it_may_be_done(passed: float, wait: float) -> None:
    """What is quick is seen quickly, and what is slow is not asked for all the time."""
    at = START + timedelta(seconds=passed)
    written = Applied(step=0, outcome=Outcome.done(), at=START)
    seen = Observed(step=0, progress=Progress.progressing("2 of 4 ready", timedelta(seconds=2)), at=at)

    execution = after(opened(), runbook(), required(), prepared(), intended(), written, seen)

    effect = execution.steps[0].effect
    assert effect is not None
    assert effect.not_before == at + timedelta(seconds=wait)
