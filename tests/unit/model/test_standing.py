"""Standing: what runs did lowers their runbook by itself; what raises it is only told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.model.execution import Effect, Execution, StepState
from runbook_engine.model.plan import Change
from runbook_engine.model.runbook import Mode
from runbook_engine.model.standing import End, Fault, among, end_of, standing_of
from runbook_engine.model.target import NO_TARGET
from tests.contract.journal.samples import execution

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def end(**changes: object) -> End:
    """Return the end of a run that fixed something by itself."""
    fields: dict[str, object] = {
        "runbook": "r",
        "digest": "d",
        "execution_id": "0123456789abcdef",
        "at": NOON,
        "status": "succeeded",
        "mode": "auto",
        "verified": True,
        "changed": True,
    }
    return End(**{**fields, **changes})  # type: ignore[arg-type]


FINE = end()
FAILED = end(status="failed", verified=False)
UNFIXED = end(status="unresolved", verified=False)
LATER = end(at=NOON + timedelta(hours=1), mode="approve", ceiling="approve")


@pytest.mark.parametrize(
    ("newest_first", "ceiling", "fault", "successes"),
    [
        pytest.param((), "auto", "", 0, id="nothing ran"),
        pytest.param((FINE, FINE), "auto", "", 2, id="two were verified"),
        pytest.param((end(verified=False), FINE), "auto", "", 1, id="alerts resolved before it was verified"),
        pytest.param((FAILED,), "approve", "failed", 0, id="it failed by itself"),
        pytest.param((end(status="unknown"),), "approve", "unknown", 0, id="it is not known what it did"),
        pytest.param((end(status="blocked", harmed=True),), "approve", "harmed", 0, id="it did harm"),
        pytest.param((FINE, FAILED), "approve", "failed", 1, id="a success afterwards raises nothing"),
        pytest.param((replace(FAILED, mode="approve"),), "propose", "failed", 0, id="it failed with a yes"),
        pytest.param((replace(FAILED, mode="propose"),), "propose", "failed", 0, id="it failed as a proposal"),
        pytest.param((replace(FAILED, mode="approve"), FAILED), "propose", "failed", 0, id="twice, one level each"),
        pytest.param((UNFIXED,), "auto", "", 0, id="one fixed nothing"),
        pytest.param((UNFIXED, UNFIXED), "approve", "unresolved", 0, id="two in a row fixed nothing"),
        pytest.param((UNFIXED, FINE, UNFIXED), "auto", "", 0, id="two fixed nothing, not in a row"),
        pytest.param((FINE, UNFIXED, UNFIXED), "approve", "unresolved", 1, id="two in a row, and a success since"),
        pytest.param((end(status="handed_over", verified=False),), "auto", "", 0, id="a person has it"),
        pytest.param((replace(UNFIXED, again=True),), "approve", "unresolved", 0, id="the second in a row says so"),
        pytest.param(
            (replace(UNFIXED, mode="approve"), replace(UNFIXED, again=True)),
            "approve",
            "unresolved",
            0,
            id="one fixed nothing, long after two did",
        ),
        pytest.param((LATER,), "approve", "", 1, id="the fault is forgotten, what it led to is carried on"),
        pytest.param((LATER, FINE), "approve", "", 1, id="successes count in the mode of the newest"),
    ],
)
def test_standing_follows_from_ends(newest_first: tuple[End, ...], ceiling: Mode, fault: Fault, successes: int) -> None:
    """Any fault lowers by one level; nothing raises."""
    standing = standing_of(newest_first)

    assert (ceiling, fault, successes) == (standing.ceiling, standing.fault, standing.successes)


@pytest.mark.parametrize(
    ("newest_first", "says"),
    [
        ((FINE,), ""),
        ((FAILED,), "demoted to approve until a commit changes it, since execution 01234567 failed"),
        (
            (UNFIXED, UNFIXED),
            "demoted to approve until a commit changes it, since execution 01234567 was the second in a row to change "
            "something and fix nothing",
        ),
        ((LATER,), "demoted to approve until a commit changes it"),
    ],
    ids=["trusted", "failed", "unresolved", "long ago"],
)
def test_standing_says_what_must_happen(newest_first: tuple[End, ...], says: str) -> None:
    """Which run it was, and that only a commit helps."""
    assert says == standing_of(newest_first).says


def at(minute: int, kept: End, name: str) -> End:
    """Return an end so many minutes after noon."""
    return replace(kept, at=NOON + timedelta(minutes=minute), execution_id=name)


FIRST_UNFIXED, THEN_FINE, LAST_UNFIXED = at(0, UNFIXED, "a"), at(1, FINE, "b"), at(2, UNFIXED, "c")


@pytest.mark.parametrize(
    ("kept", "others", "again"),
    [
        pytest.param(LAST_UNFIXED, (), False, id="nothing else ended"),
        pytest.param(LAST_UNFIXED, (FIRST_UNFIXED,), True, id="the one before it fixed nothing either"),
        pytest.param(FIRST_UNFIXED, (LAST_UNFIXED,), True, id="the one after it, which was kept first"),
        pytest.param(LAST_UNFIXED, (THEN_FINE, FIRST_UNFIXED), False, id="a success lies between them"),
        pytest.param(LAST_UNFIXED, (LAST_UNFIXED,), False, id="only itself, as it was kept before"),
        pytest.param(at(3, FINE, "d"), (LAST_UNFIXED,), False, id="it fixed something"),
    ],
)
def test_end_says_when_it_is_the_second_in_a_row_that_fixed_nothing(
    kept: End, others: tuple[End, ...], again: bool
) -> None:
    """It is judged when it is kept, because those beside it are not looked at for ever."""
    assert replace(kept, again=again) == among(kept, others)


@pytest.mark.parametrize(("mode", "lowered"), [("observe", "observe"), ("propose", "propose"), ("auto", "approve")])
def test_standing_never_raises_a_mode(mode: Mode, lowered: Mode) -> None:
    """It is a ceiling."""
    assert lowered == standing_of((FAILED,)).within(mode)


REFUSED = Effect(
    direction="do",
    change=Change(target=NO_TARGET, field="value", before="a", after="b"),
    key="k",
    status="failed",
    begun_at=NOON,
    deadline=NOON,
)
TRIED = StepState(name="s", action="a", progress="failed", effects=(REFUSED,))
TOLD = replace(TRIED, message_only=True)


def ended(**changes: object) -> Execution:
    """Return an execution that changed something, and has ended."""
    steps = (StepState(name="s", action="a", progress="changed"),)
    fields: dict[str, object] = {"status": "succeeded", "ended_at": NOON, "steps": steps, "verified": True}
    return replace(execution("one"), **{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, ("succeeded", True, False), id="verified"),
        pytest.param({"verified": False}, ("succeeded", False, False), id="the alerts resolved first"),
        pytest.param({"status": "failed", "verified": False, "harmed": True}, ("failed", False, True), id="harm"),
        pytest.param({"status": "failed", "verified": False, "steps": ()}, None, id="it never came to try"),
        pytest.param(
            {"status": "failed", "verified": False, "steps": (TRIED,)}, ("failed", False, False), id="it tried"
        ),
        pytest.param({"status": "failed", "verified": False, "steps": (TOLD,)}, None, id="it only failed to tell"),
        pytest.param({"status": "blocked", "harmed": True, "steps": (), "verified": False}, None, id="harm of others"),
        pytest.param({"status": "blocked", "verified": False, "steps": ()}, None, id="blocked before a change"),
        pytest.param({"status": "cancelled", "verified": False, "steps": ()}, None, id="over before a change"),
        pytest.param({"status": "unresolved", "verified": False, "steps": ()}, None, id="nobody answered"),
        pytest.param({"started_by": "ann", "status": "failed"}, None, id="a person started it"),
        pytest.param({"mode": "observe"}, None, id="only observed"),
        pytest.param({"status": "running", "ended_at": None}, None, id="not ended"),
    ],
)
def test_end_says_what_a_run_means_for_its_runbook(
    changes: dict[str, object], told: tuple[str, bool, bool] | None
) -> None:
    """Status, verified, harmed; nothing when the run says nothing of its runbook."""
    end = end_of(ended(**changes))

    assert told == (None if end is None else (end.status, end.verified, end.harmed))
