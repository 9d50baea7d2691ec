"""`next_move`: what is wanted next, in the order that is the promise."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runbook_engine.machine import next_move
from runbook_engine.machine.events import Applied, Finished, Observed, Verified
from runbook_engine.machine.moves import Apply, Begin, Close, Finish, Move, Observe, Pause, Prepare, Propose, Require
from runbook_engine.model.execution import Execution
from runbook_engine.model.plan import Outcome, Progress
from tests.scenario.rig import runbook
from tests.unit.machine.story import (
    SECOND,
    START,
    YES,
    after,
    intended,
    opened,
    planned,
    prepared,
    required,
    signalled,
)

QUIET = runbook(notify=())


@pytest.mark.parametrize(
    ("execution", "move"),
    [
        pytest.param(opened(), Require(), id="opened: what is required"),
        pytest.param(after(opened(), runbook(), required()), Prepare(0), id="required: the first step"),
        pytest.param(after(opened(), runbook(), required(), prepared()), Begin(0, "do"), id="prepared: begin it"),
        pytest.param(
            after(opened(), runbook(), required(), prepared(), intended()),
            Apply(0),
            id="intended: whoever comes applies",
        ),
        pytest.param(
            after(
                opened(),
                runbook(),
                required(),
                prepared(),
                intended(),
                Applied(step=0, outcome=Outcome.done(), at=START),
            ),
            Observe(0),
            id="applied: look at it",
        ),
        pytest.param(
            after(opened(mode="approve"), runbook(), required()), Propose(), id="a mode below auto: plan the whole run"
        ),
        pytest.param(
            after(opened(), runbook(), required(), signalled("resolved")),
            Finish("cancelled", "every alert resolved before anything was changed"),
            id="resolved before the first change: no new change",
        ),
        pytest.param(
            after(opened(), runbook(), required(), prepared(), intended(), signalled("resolved")),
            Apply(0),
            id="resolved with an intent on record: it is finished first",
        ),
        pytest.param(
            after(opened(), runbook(), required(), prepared(), intended(), signalled("cancelled", undo=True)),
            Apply(0),
            id="cancelled with an intent on record: it is finished first",
        ),
    ],
)
def test_the_order_is_the_promise(execution: Execution, move: Move) -> None:
    """Finish what is in flight, obey an end, obey the deadline, and only then go on."""
    assert move == next_move(execution, runbook(), START)


def test_a_cancelled_run_makes_no_further_batch() -> None:
    """The call that was on its way made a part; the rest is not begun."""
    book = runbook()
    execution = after(
        opened(),
        book,
        required(),
        prepared(),
        intended(),
        signalled("cancelled", by="ann"),
        Applied(step=0, outcome=Outcome.partial(SECOND, "5 of 60 pods"), at=START),
    )

    move = next_move(execution, book, START + 2 * SECOND)

    assert Finish("cancelled", "cancelled by ann, keeping what was changed", "nothing") == move
    ended = after(execution, book, Finished(status=move.status, reason=move.reason, undo=move.undo, at=START))
    assert ("ended", "changed", True) == (ended.stage, ended.steps[0].progress, ended.steps[0].stands)


def test_batches_that_never_end_are_stopped_by_the_time_limit() -> None:
    """Forward or back: an effect with all its batches has one deadline."""
    book = runbook(strategy="sequence", verify=())
    late = START + 61 * SECOND
    execution = after(
        opened(),
        book,
        required(),
        prepared(),
        intended(),
        Applied(step=0, outcome=Outcome.partial(SECOND, "1 of 60 pods"), at=late),
    )

    assert ("failed", "shed-optional-features failed: did not finish in time: 1 of 60 pods") == (
        execution.status,
        execution.reason,
    )
    assert execution.steps[0].stands


def test_closing_what_has_nothing_to_undo_ends_it() -> None:
    """An end that was decided takes effect once the call in flight has come back."""
    book = runbook()
    execution = after(
        opened(), book, required(), prepared(), intended(), signalled("taken_over", by="ann"),
        Applied(step=0, outcome=Outcome.failed("denied"), at=START),
    )  # fmt: skip

    assert ("handed_over", "taken over by ann, keeping what was changed") == (execution.status, execution.reason)
    assert Close() != next_move(execution, book, START)


DONE = (Applied(step=0, outcome=Outcome.done(), at=START), Observed(step=0, progress=Progress.done(), at=START))
FIXED = (Verified(readings=(YES,), at=START), Verified(readings=(YES,), at=START + 15 * SECOND))


@pytest.mark.parametrize(
    ("execution", "pause"),
    [
        pytest.param(
            after(opened(mode="propose"), QUIET, required(), planned()),
            Pause(kind="approval", until=START + 2400 * SECOND, reason="approval by team-checkout"),
            id="asked: until the deadline",
        ),
        pytest.param(
            after(opened(), QUIET, required(), prepared(), intended(), *DONE, *FIXED[:1]),
            Pause(kind="wait", until=START + SECOND, reason="verifying"),
            id="verifying: until the next probe",
        ),
        pytest.param(
            after(opened(), QUIET, required(), prepared(), intended(), *DONE, *FIXED),
            Pause(kind="wait", reason="undone once every alert is resolved"),
            id="held: only a signal wakes it",
        ),
        pytest.param(
            after(opened(), QUIET, required(), prepared(), intended(), *DONE, *FIXED, signalled("resolved")),
            Pause(kind="wait", until=START + 600 * SECOND, reason="holding the change"),
            id="held and resolved: until the hold time is over",
        ),
        pytest.param(
            after(opened(), QUIET, required(), prepared(), intended(), *DONE, *FIXED, signalled("expired")),
            Pause(kind="wait", reason="undone once every alert is resolved"),
            id="held and expired: that is no resolve",
        ),
        pytest.param(
            after(opened(), QUIET, signalled("cancelled", by="ann")),
            Pause(kind="done", reason="cancelled by ann, keeping what was changed"),
            id="ended: nothing more",
        ),
    ],
)
def test_a_pause_says_until_when_and_why(execution: Execution, pause: Pause) -> None:
    """What a host waits for, and what an on-call reads."""
    silent = replace(execution, outbox=())

    assert pause == next_move(silent, QUIET, START)


def test_a_run_past_its_deadline_finishes() -> None:
    """Changed: unresolved; not changed: blocked, and what it waited for."""
    late = START + 2400 * SECOND
    changed = after(opened(), QUIET, required(), prepared(), intended(), *DONE)
    waiting = replace(after(opened(), QUIET, required()), waiting_for="paused by eve")

    assert Finish("unresolved", "the deadline of 40m has passed") == next_move(changed, QUIET, late)
    assert Finish("blocked", "the deadline of 40m has passed, waiting for paused by eve") == next_move(
        waiting, QUIET, late
    )
