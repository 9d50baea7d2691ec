"""What must not change the answer: duplicates, alerts that no runbook knows, another way of writing the same down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from runbook_engine.backtest.backtest import backtest_firings, backtest_history
from runbook_engine.backtest.firings import Firing
from runbook_engine.backtest.history import Recorded, RecordedAlert, RecordedDelivery
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.hindsight import Window
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Compensate, ModeRule
from runbook_engine.render.backtest import record_backtest
from tests.length import examples
from tests.scenario.rig import ALERT, SCALE, configuration, runbook
from tests.unit.backtest.histories import NOON, REGISTRY, at

pytestmark = pytest.mark.slow

MINUTE = timedelta(minutes=1)
PATIENT = Guardrails(cooldown=20 * MINUTE, deadline=30 * MINUTE, minimum_fault_age=3 * MINUTE)
BUNDLE = Bundle(
    (
        runbook(name="sheds", digest="1"),
        runbook(
            name="grows",
            digest="2",
            matchers=(Matcher("alertname", "=", "Other"),),
            steps=(replace(SCALE, compensate=Compensate(when="never")),),
            guardrails=PATIENT,
        ),
        runbook(
            name="proposes",
            digest="3",
            matchers=(Matcher("alertname", "=~", "Third|Other"),),
            mode=(ModeRule(mode="propose"),),
        ),
    ),
    configuration(),
)
RUNS = [
    "would_act",
    "would_tell",
    "would_propose",
    "would_ask",
    "would_observe",
    "blocked",
    "resolved_first",
    "undecided",
]
ALERTS = st.tuples(st.sampled_from((ALERT, "Other", "Third")), st.sampled_from(("x", "y")))
# of each alert: pauses and firings in turn, in minutes
TIMES = st.lists(st.tuples(st.sampled_from((1, 4, 12, 33, 100)), st.sampled_from((1, 2, 7, 28, 60))), max_size=5)
EPISODES = st.dictionaries(ALERTS, TIMES, min_size=1)
SHORT = settings(max_examples=examples(15), deadline=None)


def firings_of(episodes: dict[tuple[str, str], list[tuple[int, int]]]) -> list[Firing]:
    """Return every episode with its times; no two things happen at the same instant."""
    found: list[Firing] = []
    for number, ((name, instance), times) in enumerate(sorted(episodes.items())):
        clock = number / 10
        for pause, lasts in times:
            labels = {"alertname": name, "instance": instance}
            found.append(Firing(labels=labels, start=at(clock + pause), end=at(clock + pause + lasts)))
            clock += pause + lasts
    return found


def lines_of(firings: list[Firing]) -> list[Recorded]:
    """Return the same as lines of a history, and one line that says when it begins."""
    lines = [RecordedAlert(at=NOON, status="firing", labels={"alertname": "Heartbeat"})]
    for each in firings:
        lines.append(RecordedAlert(at=each.start, status="firing", labels=dict(each.labels)))
        lines.append(RecordedAlert(at=each.end, status="resolved", labels=dict(each.labels)))
    return [Recorded("h:1", line) for line in sorted(lines, key=lambda line: line.at)]


def told(history: list[Recorded]) -> dict[str, Any]:
    """Return the whole answer for scripts."""
    return record_backtest(backtest_history(history, BUNDLE, REGISTRY, "local"))


@SHORT
@given(EPISODES, st.data())
def test_the_answer_stays_when_lines_are_doubled_or_written_as_deliveries(
    episodes: dict[tuple[str, str], list[tuple[int, int]]], data: st.DataObject
) -> None:
    """A sender repeats itself; and a line of one alert is short for a delivery of one."""
    history = lines_of(firings_of(episodes))
    times = data.draw(st.lists(st.integers(1, 3), min_size=len(history), max_size=len(history)))
    doubled = [each for each, often in zip(history, times, strict=True) for _ in range(often)]
    posted = [
        Recorded(
            "h:1",
            RecordedDelivery(at=each.at, source="alertmanager", body=msgspec.Raw(each.request("local").body)),
        )
        for each in history
    ]

    answer = told(history)

    assert answer == told(doubled)
    assert answer == told(posted)


@SHORT
@given(EPISODES, st.lists(st.tuples(st.integers(0, 300), st.sampled_from(("firing", "resolved"))), max_size=10))
def test_alerts_that_no_runbook_knows_change_no_runbook(
    episodes: dict[tuple[str, str], list[tuple[int, int]]], others: list[tuple[int, str]]
) -> None:
    """They are told of by name, and nothing else hangs on them."""
    history = lines_of(firings_of(episodes))
    last = max(each.at for each in history)
    noise = [
        RecordedAlert(at=min(at(minute), last), status=status, labels={"alertname": "Noise"})  # type: ignore[arg-type]
        for minute, status in others
    ]
    mixed = sorted([*history, *(Recorded("h:1", line) for line in noise)], key=lambda each: each.at)

    assert told(history)["runbooks"] == told(mixed)["runbooks"]


@SHORT
@given(EPISODES)
def test_a_server_and_a_file_tell_the_same(episodes: dict[tuple[str, str], list[tuple[int, int]]]) -> None:
    """The same month has the same episodes, whoever tells of it; and every episode is counted exactly once."""
    firings = firings_of(episodes)
    history = lines_of(firings)
    window = Window(since=NOON, until=history[-1].at, step=MINUTE)

    asked = backtest_firings(firings, window, BUNDLE, REGISTRY, scope="local", external_labels={})

    read = told(history)
    assert read["runbooks"] == record_backtest(asked)["runbooks"]
    assert len(firings) + 1 == read["episodes"]
    for each in read["runbooks"]:
        assert each["matched"] == each["joined"] + sum(each[name] for name in RUNS)
