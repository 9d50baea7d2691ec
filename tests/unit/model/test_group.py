"""Groups as values: which batch a member is in, and how far it is as its group sees it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.model.group import PartState, batch_of, part_of
from tests.unit.machine.story import opened

RESOLVED = tuple(replace(member, state="resolved") for member in opened().members)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        pytest.param((1,), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)], id="one after the other"),
        pytest.param((1, 2), [(1, 0), (2, 1), (2, 1), (3, 3), (3, 3)], id="a canary, then pairs"),
        pytest.param((3, 1), [(1, 0), (1, 0), (1, 0), (2, 3), (3, 4)], id="three, then one after the other"),
        pytest.param((9,), [(1, 0)] * 5, id="all at once"),
    ],
)
def test_the_last_size_of_batches_holds_for_all_that_follow(
    batches: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    """Each position has the number of its batch, and where that begins."""
    assert expected == [batch_of(batches, position) for position in range(5)]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param({"placed": False, "stage": "resolve"}, "resolving", id="its target is looked up"),
        pytest.param({"stage": "group"}, "waiting", id="it waits for the group"),
        pytest.param({"stage": "steps"}, "working", id="it acts"),
        pytest.param({"stage": "unwinding"}, "working", id="it undoes before its end"),
        pytest.param({"status": "succeeded"}, "well", id="it has helped"),
        pytest.param({"status": "cancelled", "members": RESOLVED}, "well", id="it was not needed"),
        pytest.param({"status": "cancelled", "mode": "observe"}, "well", id="it only observed"),
        pytest.param({"status": "cancelled"}, "badly", id="a person cancelled it"),
        pytest.param({"status": "unresolved"}, "badly", id="it did not help"),
        pytest.param({"status": "unknown"}, "badly", id="nobody knows what it did"),
        pytest.param({"status": "blocked"}, "badly", id="a guardrail said no"),
        pytest.param({"status": "blocked", "placed": False}, "badly", id="its target could not be found out"),
        pytest.param({"status": "cancelled", "merged_into": "other"}, "left", id="it joined another"),
        pytest.param(
            {"status": "cancelled", "placed": False, "members": RESOLVED}, "left", id="it was over before it was placed"
        ),
        pytest.param({"status": "handed_over", "placed": False}, "left", id="a person took it before it was placed"),
    ],
)
def test_a_part_says_how_far_a_run_is(changes: dict[str, Any], state: PartState) -> None:
    """As its group counts it."""
    assert state == part_of(replace(opened(), **changes)).state
