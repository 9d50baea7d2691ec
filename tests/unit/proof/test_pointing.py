"""Pointing: the place where two values differ, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.model.plan import Change, PlannedStep
from runbook_engine.model.target import Target
from runbook_engine.proof.pointing import point, show

FLAG = Change(
    target=Target("parameter", "local", "", "/checkout/token"), field="value", before="hunter1", after="hunter2"
)


def planned(**changes: Any) -> dict[str, object]:
    """Return a step as an approval holds it, its change altered."""
    change = replace(FLAG, **changes)
    return {"steps": (PlannedStep(name="a", action="degrade", change=change, change_hash="h", undo=""),)}


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        pytest.param(
            planned(),
            planned(after="hunter3"),
            ("steps[0].change.after", "hunter2", "hunter3"),
            id="a value deep inside",
        ),
        pytest.param(
            planned(sensitive=True),
            planned(sensitive=True, after="hunter3"),
            ("steps[0].change.after", "(value not shown)", "(value not shown)"),
            id="a secret",
        ),
        pytest.param(
            {"announced": ()},
            {"announced": ("ended:" + "c" * 300,)},
            ("announced", "[]", '["ended:' + "c" * 192 + "..."),
            id="a list of another length, cut",
        ),
        pytest.param({"reason": "x"}, {"reason": ""}, ("reason", "x", "empty"), id="no text at all"),
    ],
)
def test_point_names_the_innermost_place(was: object, now: object, expected: tuple[str, str, str]) -> None:
    """With what stands there in each."""
    assert expected == point(was, now)


def test_secrets_are_not_shown_wherever_they_stand() -> None:
    """A whole list of steps is shown when its length is another one."""
    shown = show(planned(sensitive=True, arguments={"token": "hunter4"}))

    assert "hunter" not in shown
