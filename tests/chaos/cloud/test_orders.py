"""The judge of this folder: what a loss, a double and a doubt look like to it."""

from __future__ import annotations

import pytest

from runbook_engine.model.execution import Effect, StepState
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from tests.chaos.cloud.orders import DEMOTED, Found, Order, judge_order
from tests.contract.journal.samples import NOON, execution

REQUEST = Change(target=Target("request", "", "", "call:order-1"), field="sent", before=None, after="places an order")
DOUBT = Effect(direction="do", change=REQUEST, key="k", status="unknown", begun_at=NOON, deadline=NOON)
CALLED = execution("run", status="succeeded")
WITHHELD = execution("run", status="blocked", reason=DEMOTED)
DOUBTFUL = execution("run", status="unknown", steps=(StepState(name="call", action="http", effects=(DOUBT,)),))


@pytest.mark.parametrize(
    ("run", "counted", "paged", "judged"),
    [
        pytest.param(CALLED, 1, (), (0, 0, 0, 0), id="done once"),
        pytest.param(CALLED, 0, (), (1, 0, 0, 0), id="said to be done, and not there"),
        pytest.param(CALLED, 2, (), (0, 1, 0, 0), id="done twice"),
        pytest.param(None, 0, (), (1, 0, 0, 0), id="taken in, and not in the journal"),
        pytest.param(DOUBTFUL, 1, ("run",), (0, 0, 1, 0), id="in doubt, and somebody was paged"),
        pytest.param(DOUBTFUL, 0, ("another",), (0, 0, 1, 1), id="in doubt, and nobody was paged"),
        pytest.param(WITHHELD, 0, ("run",), (0, 0, 0, 0), id="withheld, and somebody was paged"),
        pytest.param(WITHHELD, 0, (), (0, 0, 0, 1), id="withheld, and nobody was paged"),
        pytest.param(WITHHELD, 2, ("run",), (0, 1, 0, 0), id="said to be withheld, and done twice"),
        pytest.param(DOUBTFUL, 2, ("run",), (0, 1, 1, 0), id="in doubt, and done twice"),
    ],
)
def test_an_order_is_judged_by_its_target_whatever_the_journal_says(
    run: object, counted: int, paged: tuple[str, ...], judged: tuple[int, int, int, int]
) -> None:
    """Lost, doubled, doubtful, unpaged."""
    found = Found()

    judge_order(found, Order("order-1", "call"), run, counted, paged)  # type: ignore[arg-type]  # a run, or none

    assert judged == (found.lost, found.doubled, found.doubtful, found.unpaged)


def test_a_run_that_did_not_end_as_it_should_is_told_of_when_nothing_else_is_wrong() -> None:
    """Blocked, failed or handed over is no answer to a fault that passes."""
    found = Found()

    judge_order(found, Order("order-1", "call"), execution("run", status="failed", reason="of no use"), 1, ())

    assert found.says == ["order-1: 1 effects, failed none: of no use"]
