"""The trail: every decision, intent and outcome, chained; looks that say nothing new are left out; no secrets."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from runbook_engine.machine import audit_record, evolve
from runbook_engine.machine.audit import chained
from runbook_engine.machine.events import (
    Applied,
    ApplyPutOff,
    Event,
    Finished,
    Observed,
    PrepareFailed,
    PutOff,
    Verified,
)
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Outcome, Progress
from runbook_engine.model.runbook import Runbook
from tests.scenario.rig import runbook
from tests.unit.machine.story import DARK, FLIP, NO, START, YES, intended, opened, prepared, required, signalled

PAUSED = (Verdict(guardrail="pause", ok=False, says="paused by eve"),)
LOCKED = (Verdict(guardrail="lock", ok=False, says="execution 7f3c is changing it"),)
DONE = Applied(step=0, outcome=Outcome.done(), at=START)


def trail(*events: Event, book: Runbook | None = None) -> tuple[Execution, list[AuditRecord]]:
    """Return the execution after these events, and the records that they left."""
    used = book or runbook()
    execution, records = opened(used), []
    for event in events:
        following = evolve(execution, event, used)
        record = audit_record(execution, event, following)
        execution = following if record is None else chained(following, record)
        records += [record] if record is not None else []
    return execution, records


def test_records_are_chained_and_the_head_is_in_the_execution() -> None:
    """A missing, changed or moved record shows."""
    execution, records = trail(required(), prepared(), intended(), DONE)

    assert [1, 2, 3, 4] == [record.number for record in records]
    assert ["", *[record.hash for record in records[:-1]]] == [record.previous for record in records]
    assert (records[-1].hash, 4) == (execution.audit_head, execution.audit_length)
    assert all(record.hash == record.expected_hash() for record in records)
    assert records[1].hash != replace(records[1], says="forged").expected_hash()


def test_a_record_says_who_did_what() -> None:
    """A person by name, else the engine; the step, the direction and the change."""
    _, records = trail(required(), prepared(), intended(), signalled("cancelled", by="ann", reason="stop"))

    assert [
        ("engine", "required", "", ""),
        ("engine", "prepared", "shed-optional-features", "do"),
        ("engine", "intended", "shed-optional-features", "do"),
        ("ann", "signalled", "", ""),
    ] == [(record.actor, record.event, record.step, record.direction) for record in records]
    assert FLIP == records[2].change


@pytest.mark.parametrize(
    ("before", "repeated"),
    [
        pytest.param(
            (prepared(), intended(), DONE),
            Observed(step=0, progress=Progress.progressing("2 of 4"), at=START),
            id="a look",
        ),
        pytest.param(
            (prepared(), PutOff(step=0, verdicts=PAUSED, until=START, at=START)),
            PutOff(step=0, verdicts=PAUSED, until=START, at=START),
            id="the same passing no",
        ),
        pytest.param(
            (PrepareFailed(step=0, reason="dark", passing=True, at=START),),
            PrepareFailed(step=0, reason="dark", passing=True, at=START),
            id="the same outage",
        ),
        pytest.param(
            (
                prepared(),
                intended(),
                DONE,
                Observed(step=0, progress=Progress.done(), at=START),
                Verified(readings=(NO,), at=START),
            ),
            Verified(readings=(NO,), at=START),
            id="the same reading",
        ),
    ],
)
def test_what_the_trail_already_says_is_left_out(before: tuple[Event, ...], repeated: Event) -> None:
    """An hour of waiting is one record."""
    _, once = trail(required(), *before)
    _, twice = trail(required(), *before, repeated)

    assert once == twice


@pytest.mark.parametrize(
    ("before", "news"),
    [
        pytest.param(
            (prepared(), PutOff(step=0, verdicts=PAUSED, until=START, at=START)),
            PutOff(step=0, verdicts=LOCKED, until=START, at=START),
            id="another no",
        ),
        pytest.param(
            (
                prepared(),
                intended(),
                DONE,
                Observed(step=0, progress=Progress.done(), at=START),
                Verified(readings=(NO,), at=START),
            ),
            Verified(readings=(DARK,), at=START),
            id="another reading",
        ),
        pytest.param(
            (prepared(), intended()), ApplyPutOff(step=0, reason="throttled", at=START), id="a call that is put off"
        ),
        pytest.param((prepared(),), Finished(status="failed", reason="x", at=START), id="an end"),
    ],
)
def test_what_is_new_is_kept(before: tuple[Event, ...], news: Event) -> None:
    """Every decision, intent and outcome."""
    _, once = trail(required(), *before)
    _, twice = trail(required(), *before, news)

    assert len(once) + 1 == len(twice)


def test_an_event_that_decides_the_end_says_it() -> None:
    """A look whose time is over is the end of the run."""
    late = START + timedelta(hours=1)

    _, records = trail(
        required(), prepared(), intended(), DONE, Observed(step=0, progress=Progress.progressing("2 of 4"), at=late)
    )

    assert (
        "shed-optional-features: progressing, 2 of 4; "
        "failed: shed-optional-features failed: did not finish in time: 2 of 4" == records[-1].says
    )


def test_a_probe_that_fixes_says_succeeded() -> None:
    """What decided it, and what it decided."""
    book = runbook(verify=(replace(runbook().verify[0], hold_for=timedelta(0)),))

    _, records = trail(
        required(), prepared(), intended(), DONE, Observed(step=0, progress=Progress.done(), at=START),
        Verified(readings=(YES,), at=START), book=book,
    )  # fmt: skip

    assert "succeeded: verified: errors 0.01 is below 0.02" == records[-1].says


def test_a_secret_stands_nowhere_in_the_trail() -> None:
    """Neither in a sentence nor in a field, nor in what people are told."""
    secret = replace(
        FLIP, before="old-password", after="new-password", arguments={"token": "pass-word"}, sensitive=True
    )

    execution, records = trail(
        required(), prepared(change=secret), intended(change=secret), DONE,
        Observed(step=0, progress=Progress.failed("denied"), at=START),
    )  # fmt: skip

    written = msgspec.json.encode(records).decode() + " ".join(notice.text for notice in execution.outbox)
    assert "pass" not in written
    assert "value not shown" in written
