"""Replay: what was recorded is decided the same again; what was changed since comes out otherwise, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.executor.decisions import Decision
from runbook_engine.machine import events, moves
from runbook_engine.machine.events import Applied, Event, Intended, Prepared, Verified
from runbook_engine.machine.trace import Trace, read_trace, write_trace
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.observation import Pause
from runbook_engine.model.plan import Outcome
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.proof.answers import MAY_COME_TO
from runbook_engine.proof.replay import Difference, NoTrace, Replayed, replay, replay_stored
from tests.scenario.rig import MINUTE, Rig

Rewrite = Callable[[Event], list[Event]]


class Past:
    """What a journal keeps of one run: it shed load, was verified, resolved, and was undone."""

    def __init__(self) -> None:
        rig = Rig()
        rig.healed_by_flag()
        rig.fire()
        rig.run(5 * MINUTE, MINUTE)
        rig.resolve()
        rig.run(60 * MINUTE, MINUTE)
        self.execution = rig.execution()
        self.runbook = rig.journal.runbook(self.execution.runbook_digest)
        self.traces = [read_trace(said) for said in rig.journal.trace(self.execution.id)]
        self.records = rig.journal.audit(self.execution.id)

    def replayed(
        self, *, runbook: Runbook | None = None, opened: dict[str, Any] | None = None, rewrite: Rewrite | None = None
    ) -> Replayed:
        """Return what comes out, of what was changed if anything was."""
        traces = [rewritten(trace, opened or {}, rewrite or (lambda event: [event])) for trace in self.traces]
        said = [write_trace(trace) for trace in traces]
        return replay(self.execution, runbook or self.runbook, [each for each in said if each], self.records)

    def replayed_from_its_middle(self) -> Replayed:
        """Return what comes out when the journal was brought up to date while the run was under way."""
        said = [write_trace(trace) for trace in self.traces]
        return replay(self.execution, self.runbook, said[3:], self.records)


def rewritten(trace: Trace, opened: dict[str, Any], rewrite: Rewrite) -> Trace:
    """Return a trace with its events, and its opening, as somebody has changed them."""
    changed = tuple(event for old in trace.events for event in rewrite(old))
    opening = replace(trace.opened, **opened) if trace.opened is not None else None
    return replace(trace, events=changed, opened=opening)


@pytest.fixture(scope="module")
def past() -> Past:
    """One run, driven once."""
    return Past()


def test_replay_agrees_when_nothing_was_changed(past: Past) -> None:
    """Every event and every record."""
    answer = past.replayed()

    assert answer.difference is None
    assert answer.events == sum(len(trace.events) for trace in past.traces) > 15
    assert answer.records == past.execution.audit_length


def only(kind: type[Event], **changes: Any) -> Rewrite:
    """Return what changes every event of a kind."""
    return lambda event: [replace(event, **changes)] if isinstance(event, kind) else [event]


def without(kind: type[Event]) -> Rewrite:
    """Return what leaves out every event of a kind."""
    return lambda event: [] if isinstance(event, kind) else [event]


def blinded(event: Event) -> list[Event]:
    """Let verification never have passed."""
    if not isinstance(event, Verified):
        return [event]
    return [replace(event, readings=tuple(replace(reading, ok=False) for reading in event.readings))]


NO = (Verdict(guardrail="freeze", ok=False, says="frozen until Monday"),)
CHANGE = '/checkout/degraded_mode value "false" -> "true"'


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        pytest.param(
            only(Intended, verdicts=NO),
            Difference(
                event=3,
                recorded=f"intended: shed-optional-features: is about to change {CHANGE}",
                now="no change is begun: freeze says no, frozen until Monday",
            ),
            id="a change that a guardrail forbade",
        ),
        pytest.param(
            without(Intended),
            Difference(
                event=3,
                recorded="applied: shed-optional-features: written",
                now="the next move is to begin shed-optional-features (do)",
            ),
            id="a change without an intent",
        ),
        pytest.param(
            only(Applied, outcome=Outcome.failed("denied")),
            Difference(
                event=4,
                recorded="record 4: shed-optional-features: written",
                now="record 4: shed-optional-features: failed, denied; failed: shed-optional-features failed: denied",
            ),
            id="an outcome that was another",
        ),
        pytest.param(
            only(Prepared, change_hash="0" * 64),
            Difference(
                event=2,
                recorded=f"prepared: shed-optional-features: would change {CHANGE}",
                now="the change has the hash 721cb43b249a, not 000000000000",
            ),
            id="a change under the hash of another",
        ),
        pytest.param(
            blinded,
            Difference(
                event=10,
                recorded="delivered: told somebody",
                now="nothing is to be done until 09:01:01 UTC: verifying",
            ),
            id="a verification that did not pass",
        ),
        pytest.param(
            only(Verified, readings=()),
            Difference(
                event=6,
                recorded="verified",
                now="it cannot have happened so: ValueError, zip() argument 2 is shorter than argument 1",
            ),
            id="readings of other checks",
        ),
        pytest.param(
            only(Applied, step=9),
            Difference(event=4, recorded="applied of step 10", now="the next move is to apply shed-optional-features"),
            id="a step that the run has not",
        ),
    ],
)
def test_replay_finds_an_event_that_was_changed(past: Past, rewrite: Rewrite, expected: Difference) -> None:
    """It says where, what was recorded, and what comes out now."""
    assert expected == past.replayed(rewrite=rewrite).difference


@pytest.mark.parametrize(
    ("changes", "recorded", "now"),
    [
        pytest.param(
            {"matchers": (Matcher("alertname", "=", "Other"),)},
            "the alert CheckoutHighErrorRate matched",
            'alertname = Other does not hold, the alert has alertname="CheckoutHighErrorRate"',
            id="a matcher",
        ),
        pytest.param(
            {"mode": (ModeRule(mode="propose"),)},
            "mode auto",
            "mode propose is all that the runbook allows for this alert",
            id="the mode",
        ),
    ],
)
def test_replay_finds_an_opening_that_the_runbook_does_not_allow(
    past: Past, changes: dict[str, Any], recorded: str, now: str
) -> None:
    """What matched, and how far it may go, are decisions too."""
    answer = past.replayed(runbook=replace(past.runbook, **changes))

    assert Difference(event=0, recorded=recorded, now=now) == answer.difference


def test_replay_allows_an_installation_to_hold_a_runbook_back(past: Past) -> None:
    """The ceiling of that time is not kept: the mode that the run had is one that the runbook allows."""
    answer = past.replayed(opened={"mode": "approve"})

    assert answer.difference is not None
    assert 0 < answer.difference.event, "it was opened, and then asked first"


def test_replay_finds_a_trace_whose_text_is_damaged(past: Past) -> None:
    """It is the trace that cannot be read, and no record of the trail."""
    said = [write_trace(trace) for trace in past.traces]
    damaged = [each.replace(b"Applied", b"\xff\xfeplied") for each in said if each]

    difference = replay(past.execution, past.runbook, damaged, past.records).difference

    says = "it cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    assert Difference(event=0, recorded="a trace", now=says) == difference


def test_replay_says_what_is_otherwise_in_a_record_with_the_same_sentence(past: Past) -> None:
    """Two equal sentences would tell nobody anything."""
    said = [write_trace(trace) for trace in past.traces]
    forged = replace(past.records[0], actor="mallory").sealed()

    difference = replay(past.execution, past.runbook, said, (forged, *past.records[1:])).difference

    says = "record 1: nothing is required first"
    assert Difference(event=1, recorded=f"{says} (actor mallory)", now=f"{says} (actor engine)") == difference


def test_replay_finds_a_trace_that_ends_early(past: Past) -> None:
    """The trail goes on where nothing is said to have happened."""
    said = [write_trace(trace) for trace in past.traces][:-3]

    difference = replay(past.execution, past.runbook, said, past.records).difference

    assert difference is not None
    assert "nothing happened that it could be of" == difference.now


def test_replay_finds_an_execution_that_was_changed(past: Past) -> None:
    """How it stands is what its events make of it."""
    said = [write_trace(trace) for trace in past.traces]
    forged = replace(past.execution, status="failed")

    answer = replay(forged, past.runbook, said, past.records)

    expected = Difference(event=answer.events + 1, recorded="status failed", now=f"status {past.execution.status}")
    assert expected == answer.difference


def test_replay_names_the_place_in_an_execution_that_was_changed(past: Past) -> None:
    """Two long values that begin alike would hide it."""
    said = [write_trace(trace) for trace in past.traces]
    step = past.execution.steps[0]
    effects = (replace(step.effects[0], attempt=7), *step.effects[1:])
    forged = replace(past.execution, steps=(replace(step, effects=effects), *past.execution.steps[1:]))

    answer = replay(forged, past.runbook, said, past.records)

    place = "steps[0].effects[0].attempt"
    assert Difference(event=answer.events + 1, recorded=f"{place} 7", now=f"{place} 1") == answer.difference


def test_replay_says_that_nothing_was_recorded(past: Past) -> None:
    """An execution of an older release has a trail, and no trace; or one from its middle."""
    with pytest.raises(NoTrace) as caught:
        replay(past.execution, past.runbook, [], past.records)
    with pytest.raises(NoTrace):
        past.replayed_from_its_middle()

    expected = "cannot be replayed: what happened is not recorded from its start on"
    why = "(an older release opened it, or that was removed)"
    assert f"execution {past.execution.id} {expected} {why}" == str(caught.value)


def test_replay_says_that_a_part_was_too_large_to_keep(past: Past) -> None:
    """A journal with a limit leaves that out rather than fail a commit."""
    said = [write_trace(trace) for trace in past.traces]

    with pytest.raises(NoTrace) as caught:
        replay(past.execution, past.runbook, [*said[:2], b"", *said[3:]], past.records)

    expected = "cannot be replayed: what one commit made happen was too large to keep"
    assert f"execution {past.execution.id} {expected}" == str(caught.value)


def test_trace_does_not_grow_while_a_guardrail_says_the_same() -> None:
    """A change that waits for weeks to be undone is looked at every few seconds."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(5 * MINUTE, MINUTE)
    rig.simulated.pauses.throw(Pause(until=rig.now + timedelta(days=30), by="ann"))
    rig.resolve()
    rig.run(11 * MINUTE, MINUTE)
    held = rig.execution()
    before = len(rig.journal.trace(held.id))

    rig.run(20 * MINUTE)

    waiting = rig.execution()
    assert "paused by ann" in waiting.waiting_for
    assert waiting.version > held.version + 20
    assert before == len(rig.journal.trace(held.id))
    rig.simulated.pauses.lift()
    rig.run(10 * MINUTE, MINUTE)
    assert "handed_over" == rig.execution().status, "undone, not fixed, and made again"
    assert replay_stored(rig.execution(), rig.journal).difference is None


def test_every_move_that_looks_has_its_answers() -> None:
    """A new move is a decision to take here, not a surprise in an audit."""
    every = set(moves.Move.__args__) - set(Decision.__args__)
    answered = {kind for kinds in MAY_COME_TO.values() for kind in kinds}

    assert set(MAY_COME_TO) == every
    assert answered < set(events.Event.__args__)


def test_execution_that_nobody_has_driven_is_as_it_was_opened() -> None:
    """Nothing happened yet."""
    rig = Rig()
    rig.fire()
    execution = rig.execution()

    answer = replay(execution, rig.journal.runbook(execution.runbook_digest), (), ())

    assert (None, 0, 0) == (answer.difference, answer.events, answer.records)
