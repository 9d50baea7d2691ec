"""Whatever happened: replayed from what was recorded, it is decided the same; and what was changed since is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from runbook_engine.loading.files import load_valid_files
from runbook_engine.machine.audit import kind_of
from runbook_engine.machine.trace import read_trace, write_trace
from runbook_engine.model.execution import Execution
from runbook_engine.ports import Journal
from runbook_engine.proof.replay import Replayed, replay
from runbook_engine.registry import Registry
from runbook_engine.testing.runner import load_subject, make_play
from tests.length import LONG
from tests.properties.drama import Drama
from tests.properties.test_anything import HAPPENINGS, RUNBOOKS, Happening, perform
from tests.scenario.rig import SECOND

SAMPLE = 1 if LONG else 4  # of the tests in a file, every so many-th
REGISTRY = Registry()
SHIPPED = sorted(Path("runbooks").rglob("*.test.yaml"))


def replayed(journal: Journal, execution: Execution, said: tuple[bytes, ...] | None = None) -> Replayed:
    """Return what comes out of an execution, or of what was made of its trace."""
    traces = journal.trace(execution.id) if said is None else said
    return replay(execution, journal.runbook(execution.runbook_digest), traces, journal.audit(execution.id))


def assert_replays(journal: Journal) -> None:
    """Every execution of the journal is decided the same, to its last record."""
    for execution in journal.executions(limit=1000):
        answer = replayed(journal, execution)
        assert answer.difference is None, f"{answer.difference} of {execution.runbook}"
        assert answer.records == execution.audit_length


@pytest.mark.parametrize("name", RUNBOOKS)
@settings(max_examples=150 if LONG else 25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(happenings=st.lists(HAPPENINGS, max_size=25))
def test_replay_agrees_whatever_happens(name: str, happenings: list[Happening]) -> None:
    """Through deaths, outages, lost answers, pauses and people."""
    drama = Drama(RUNBOOKS[name])

    perform(drama, [("fire", ("a",)), *happenings])

    assert_replays(drama.journal)


@pytest.mark.parametrize("file", SHIPPED, ids=str)
def test_replay_agrees_with_the_shipped_tests(file: Path) -> None:
    """Every runbook that we ship decides the same again in what its tests let happen."""
    for test in load_valid_files([file], REGISTRY).tests:
        for scenario in test.document.tests[::SAMPLE]:
            play = make_play(scenario, test, load_subject(test, REGISTRY), REGISTRY)

            play.run()

            assert_replays(play.journal)


@settings(max_examples=300 if LONG else 30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(happenings=st.lists(HAPPENINGS, max_size=12), data=st.data())
def test_replay_finds_any_recorded_event_that_is_left_out_or_moved(
    happenings: list[Happening], data: st.DataObject
) -> None:
    """Whatever the trail keeps of, the trace cannot say otherwise."""
    drama = Drama(RUNBOOKS["ask, then shed"])
    perform(drama, [("fire", ("a",)), *happenings])
    execution = data.draw(st.sampled_from(drama.journal.executions(limit=100)))
    recorded = {(record.event, record.at) for record in drama.journal.audit(execution.id)}
    traces = [read_trace(said) for said in drama.journal.trace(execution.id)]
    places = [
        (number, place)
        for number, trace in enumerate(traces)
        for place, event in enumerate(trace.events)
        if (kind_of(event), event.at) in recorded
    ]
    number, place = data.draw(st.sampled_from(places))
    events = list(traces[number].events)
    event = events.pop(place)
    if data.draw(st.booleans()):
        events.insert(place, replace(event, at=event.at + SECOND))
    traces[number] = replace(traces[number], events=tuple(events))

    said = tuple(filter(None, (write_trace(each) for each in traces)))

    assert replayed(drama.journal, execution, said).difference is not None
