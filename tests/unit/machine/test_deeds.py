"""What a message says was done: every change that reached the world or may have, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.machine.deeds import LONGEST_LINE, MOST_LINES, deeds
from runbook_engine.model.execution import Effect, Execution, StepState
from tests.unit.machine.story import FLIP, GROW, START, opened

DONE = Effect(direction="do", change=FLIP, key="key", status="done", written=True, begun_at=START, deadline=START)
GROWN = replace(DONE, change=GROW, begun_at=START + timedelta(minutes=5))
FLIPPED = '/checkout/degraded_mode value "false" -> "true"'


def ran(*steps: tuple[Effect, ...], message_only: bool = False) -> Execution:
    """Return an execution whose steps have these effects."""
    states = tuple(
        StepState(name=f"step-{index}", action="a", effects=effects, message_only=message_only)
        for index, effects in enumerate(steps)
    )
    return replace(opened(), steps=states)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        pytest.param((), (), id="nothing was begun"),
        pytest.param((replace(DONE, status="intended", written=False),), (), id="nor reached the world"),
        pytest.param((replace(DONE, status="failed", written=False),), (), id="nor was it done"),
        pytest.param((DONE,), (f"09:00 {FLIPPED}",), id="done"),
        pytest.param((replace(DONE, status="applied"),), (f"09:00 {FLIPPED}",), id="on its way"),
        pytest.param((replace(DONE, status="failed"),), (f"09:00 {FLIPPED} (failed)",), id="half done"),
        pytest.param(
            (replace(DONE, status="unknown", written=False),), (f"09:00 {FLIPPED} (in doubt)",), id="nobody knows"
        ),
        pytest.param(
            (replace(DONE, status="retrying", written=False, doubtful=True),),
            (f"09:00 {FLIPPED} (in doubt)",),
            id="an answer was lost",
        ),
        pytest.param(
            (DONE, replace(DONE, direction="undo", change=FLIP.inverse(), begun_at=START + timedelta(minutes=9))),
            (f"09:00 {FLIPPED}", '09:09 /checkout/degraded_mode value "true" -> "false" (undo)'),
            id="done and undone",
        ),
        pytest.param(
            (replace(DONE, change=replace(FLIP, before="s3cret", after="n3w", sensitive=True)),),
            ("09:00 /checkout/degraded_mode value (value not shown)",),
            id="a secret is never told",
        ),
    ],
)
def test_deed_is_told_as_what_it_came_to(effects: tuple[Effect, ...], expected: tuple[str, ...]) -> None:
    """In doubt and half done are said."""
    assert expected == deeds(ran(effects))


def test_deeds_stand_in_the_order_in_which_they_were_done() -> None:
    """And not in that of the steps: an undo of the first comes after the second."""
    undone = replace(DONE, direction="undo", change=FLIP.inverse(), begun_at=START + timedelta(minutes=9))

    found = deeds(ran((DONE, undone), (GROWN,)))

    assert ["09:00", "09:05", "09:09"] == [line[:5] for line in found]


def test_what_only_tells_somebody_is_no_deed() -> None:
    """A ticket changes nothing."""
    assert () == deeds(ran((DONE,), message_only=True))


def test_many_deeds_are_told_by_the_newest() -> None:
    """A message has an end, and a line too."""
    large = replace(DONE, change=replace(FLIP, after="x" * 1000))

    found = deeds(ran(*((replace(large, begun_at=START + timedelta(minutes=minute)),) for minute in range(30))))

    assert MOST_LINES == len(found)
    assert "(11 earlier ones)" == found[0]
    assert "09:29" == found[-1][:5]
    assert {LONGEST_LINE} == {len(line) for line in found[1:]}
