"""One word for how the undoing stands, and what is due to be undone when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.machine.compensation import compensation_of, held_steps, next_to_undo, undo_time, unwinding_step
from runbook_engine.model.execution import Direction, Effect, EffectStatus, Execution, StepState, Unwind
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Compensate, Runbook
from tests.scenario.rig import DEGRADE, SCALE, runbook
from tests.unit.machine.story import FLIP, GROW, START, opened

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Past:
    """One effect of a step: its direction, how it ended, whether it was written."""

    direction: Direction
    status: EffectStatus
    written: bool = True

    def effect(self, change: Change) -> Effect:
        """Return it as the machine keeps it."""
        wanted = change if self.direction != "undo" else change.inverse()
        return Effect(
            direction=self.direction,
            change=wanted,
            key="key",
            status=self.status,
            written=self.written,
            begun_at=START,
            deadline=START + MINUTE,
        )


DONE = Past("do", "done")


def ended(*pasts: tuple[Past, ...], book: Runbook, changes: tuple[Change, ...] = (FLIP, GROW)) -> Execution:
    """Return an ended execution whose steps have these effects behind them."""
    steps = tuple(
        replace(state, change=change, effects=tuple(past.effect(change) for past in effects))
        for state, change, effects in zip(
            opened(book).steps, changes, (*pasts, (), ())[: len(book.steps)], strict=False
        )
    )
    return replace(opened(book), steps=steps, stage="ended", status="succeeded")


@pytest.mark.parametrize(
    ("effects", "settings", "word"),
    [
        pytest.param((), {}, "none", id="nothing was changed"),
        pytest.param((DONE,), {}, "held", id="the change stands"),
        pytest.param((Past("do", "failed", written=False),), {}, "none", id="it surely failed"),
        pytest.param((Past("do", "failed", written=True),), {}, "held", id="it was written and did not finish"),
        pytest.param((Past("do", "unknown", written=False),), {}, "held", id="it may stand"),
        pytest.param((DONE,), {"released": True}, "none", id="a person has it"),
        pytest.param((DONE,), {"message_only": True}, "none", id="a message stands nowhere"),
        pytest.param((DONE, Past("undo", "intended", written=False)), {}, "undoing", id="the undo is begun"),
        pytest.param((DONE, Past("undo", "retrying", written=False)), {}, "undoing", id="the undo is put off"),
        pytest.param((DONE, Past("undo", "applied")), {}, "undoing", id="the undo is on its way"),
        pytest.param((DONE, Past("undo", "done")), {}, "undone", id="undone"),
        pytest.param((DONE, Past("undo", "superseded")), {"released": True}, "superseded", id="somebody else has it"),
        pytest.param((DONE, Past("undo", "failed")), {"released": True}, "failed", id="the undo failed"),
        pytest.param((DONE, Past("undo", "unknown")), {"released": True}, "failed", id="the undo is in doubt"),
        pytest.param((DONE, Past("undo", "done")), {"put_back": True}, "undoing", id="to be made again"),
        pytest.param((DONE, Past("undo", "done"), Past("redo", "applied")), {}, "undoing", id="being made again"),
        pytest.param((DONE, Past("undo", "done"), Past("redo", "done")), {}, "held", id="made again"),
    ],
)
def test_the_word_follows_from_the_effects(effects: tuple[Past, ...], settings: dict[str, bool], word: str) -> None:
    """One step that is undone once the alerts have resolved."""
    book = runbook(steps=(DEGRADE,))
    execution = ended(effects, book=book)
    step: StepState = replace(execution.steps[0], **settings)

    assert word == compensation_of(replace(execution, steps=(step,)), book)


@pytest.mark.parametrize(
    ("scope", "when", "undone"),
    [
        pytest.param("nothing", ("resolved", "onFailure"), None, id="nothing"),
        pytest.param("failure", ("resolved", "onFailure"), 1, id="only what is undone on failure"),
        pytest.param("failure", ("onFailure", "onFailure"), 1, id="the newest first"),
        pytest.param("failure", ("resolved", "resolved"), None, id="failure keeps what waits for the resolve"),
        pytest.param("all", ("resolved", "never"), 0, id="never is never"),
        pytest.param("all", ("never", "never"), None, id="nothing may be undone"),
    ],
)
def test_an_end_undoes_what_it_may(scope: str, when: tuple[str, str], undone: int | None) -> None:
    """Newest first, only ours, only what its author allowed."""
    steps = (
        replace(DEGRADE, compensate=Compensate(when=when[0])),  # type: ignore[arg-type]  # a table of words
        replace(SCALE, compensate=Compensate(when=when[1])),  # type: ignore[arg-type]
    )
    book = runbook(steps=steps)
    unwind = Unwind(scope=scope, status="failed", reason="")  # type: ignore[arg-type]
    execution = replace(ended((DONE,), (DONE,), book=book), unwind=unwind)

    assert undone == unwinding_step(execution, book)


def resolved(execution: Execution) -> Execution:
    """Return the execution with every alert resolved at the start."""
    return replace(execution, members=tuple(replace(member, state="resolved") for member in execution.members))


def held(*holds: int, changes: tuple[Change, ...] = (FLIP, GROW)) -> tuple[Execution, Runbook]:
    """Return an ended run whose changes are held for so many minutes each, its alerts resolved."""
    compensates = [Compensate(when="resolved", hold_for=hold * MINUTE) for hold in holds]
    book = runbook(steps=tuple(replace(DEGRADE, name=f"s{n}", compensate=c) for n, c in enumerate(compensates)))
    return resolved(ended(*[(DONE,)] * len(holds), book=book, changes=changes)), book


@pytest.mark.parametrize(
    ("holds", "changes", "minutes", "due"),
    [
        pytest.param((10, 30), (FLIP, GROW), 9, None, id="nothing is due yet"),
        pytest.param((10, 30), (FLIP, GROW), 10, 0, id="each after its own time"),
        pytest.param((10, 30), (FLIP, GROW), 30, 1, id="both are due: the newest first"),
        pytest.param((30, 10), (FLIP, GROW), 10, 1, id="the newer has the shorter time"),
        pytest.param((10, 30), (GROW, GROW), 10, None, id="an older one of the same thing waits"),
        pytest.param((10, 30), (GROW, GROW), 30, 1, id="and then the newest goes first"),
        pytest.param((30, 10), (GROW, GROW), 10, 1, id="the newer one of the same thing does not wait"),
    ],
)
def test_what_is_due_follows_from_hold_times_and_order(
    holds: tuple[int, ...], changes: tuple[Change, ...], minutes: int, due: int | None
) -> None:
    """And the instant that is announced is the instant at which something is due."""
    execution, book = held(*holds, changes=changes)
    announced = undo_time(execution, book)

    assert due == next_to_undo(execution, book, START + minutes * MINUTE)
    assert announced is not None
    assert next_to_undo(execution, book, announced - timedelta(microseconds=1)) is None
    assert next_to_undo(execution, book, announced) is not None


def test_nothing_is_due_while_an_alert_fires() -> None:
    """However long ago the others resolved."""
    execution, book = held(10)
    firing = replace(execution, members=tuple(replace(member, state="firing") for member in execution.members))

    assert (0,) == held_steps(firing, book)
    assert (None, None) == (next_to_undo(firing, book, START + 99 * MINUTE), undo_time(firing, book))


def test_a_run_by_hand_is_never_due() -> None:
    """No alert resolves it."""
    execution, book = held(10)
    by_hand = replace(execution, members=())

    assert next_to_undo(by_hand, book, START + 99 * MINUTE) is None
