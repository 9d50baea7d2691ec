"""A pause that runs out by itself is said aloud: in the log, and to a person while alerts fire."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest

from runbook_engine.entrypoints import pause_watch
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.pause_watch import PauseWatch
from runbook_engine.errors import Permanent, Retryable, Unreadable
from runbook_engine.model.observation import Pause
from runbook_engine.model.storm import StormRule
from tests.scenario.rig import MINUTE, Rig, configuration


@pytest.fixture(autouse=True)
def _always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_watch, "PERIOD", 0.0)


def watched(*, firing: bool = True) -> tuple[Rig, PauseWatch, io.StringIO]:
    """Return a rig that is paused for ten minutes, and who watches that."""
    rig = Rig(settings=configuration(storm=StormRule(receiver="oncall")))
    if firing:
        rig.fire()
    rig.simulated.pauses.throw(Pause(until=rig.now + 10 * MINUTE, by="ann", reason="migration"))
    stream = io.StringIO()
    watch = PauseWatch(rig.engine, EventLog(stream=stream))
    watch.look(rig.now)
    return rig, watch, stream


def events(stream: io.StringIO) -> list[str]:
    """Return what was logged."""
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def test_a_pause_that_runs_out_is_logged_and_paged_while_alerts_fire() -> None:
    """Once, however often somebody looks."""
    rig, watch, stream = watched()
    rig.simulated.push(11 * MINUTE)

    for _ in range(3):
        watch.look(rig.now)

    assert ["pause.ended"] == events(stream)
    [page] = rig.simulated.inbox.messages
    assert "oncall" == page.receiver
    assert page.message.text == (
        "the pause by ann (migration) ran out at 09:10:00 UTC, and changes start again while alerts fire: "
        "CheckoutHighErrorRate; runbook pause --for 30m holds them again"
    )


def test_a_pause_that_runs_out_is_logged_though_nobody_can_be_told() -> None:
    """The receiver is down."""
    rig, watch, stream = watched()
    rig.simulated.fail_next("notifier.send", Permanent("refused"))
    rig.simulated.push(11 * MINUTE)

    watch.look(rig.now)

    assert ["pause.ended", "pause.ended.untold"] == events(stream)


def test_a_page_that_a_pause_has_run_out_is_sent_when_its_receiver_is_back() -> None:
    """It was away at just that moment."""
    rig, watch, stream = watched()
    rig.simulated.fail_next("notifier.send", Retryable("away"))
    rig.simulated.push(11 * MINUTE)

    for _ in range(3):
        watch.look(rig.now)

    assert ["pause.ended", "pause.ended.untold"] == events(stream)
    assert ["oncall"] == [page.receiver for page in rig.simulated.inbox.messages]


@pytest.mark.parametrize("meanwhile", ["paused again", "an hour"])
def test_a_page_that_a_pause_has_run_out_is_not_sent_when_it_is_no_news_any_more(meanwhile: str) -> None:
    """Changes do not start again, or have for long."""
    rig, watch, stream = watched()
    rig.simulated.fail_next("notifier.send", Retryable("away"))
    rig.simulated.push(11 * MINUTE)
    watch.look(rig.now)
    if meanwhile == "paused again":
        rig.simulated.pauses.throw(Pause(until=rig.now + 30 * MINUTE, by="ben"))
    rig.simulated.push(MINUTE if meanwhile == "paused again" else 60 * MINUTE)

    watch.look(rig.now)

    assert ["pause.ended", "pause.ended.untold"] == events(stream)
    assert [] == list(rig.simulated.inbox.messages)


def test_nobody_is_paged_when_a_pause_runs_out_and_nothing_fires() -> None:
    """It is logged all the same."""
    rig, watch, stream = watched(firing=False)
    rig.simulated.push(11 * MINUTE)

    watch.look(rig.now)

    assert (["pause.ended"], []) == (events(stream), list(rig.simulated.inbox.messages))


def test_a_pause_that_somebody_ended_is_no_news() -> None:
    """They know."""
    rig, watch, stream = watched()
    rig.simulated.pauses.lift()
    rig.simulated.push(11 * MINUTE)

    watch.look(rig.now)

    assert ([], []) == (events(stream), list(rig.simulated.inbox.messages))


def test_a_pause_that_is_prolonged_is_no_news() -> None:
    """It holds."""
    rig, watch, stream = watched()
    rig.simulated.push(9 * MINUTE)
    rig.simulated.pauses.throw(Pause(until=rig.now + timedelta(hours=1), by="ann"))
    rig.simulated.push(9 * MINUTE)

    watch.look(rig.now)

    assert [] == events(stream)


def test_a_pause_that_ends_while_it_cannot_be_read_is_said_afterwards() -> None:
    """What cannot be read counts as paused."""
    rig, watch, stream = watched()
    rig.simulated.push(11 * MINUTE)
    rig.simulated.faults.make_unreadable("pauses")
    with pytest.raises(Unreadable):
        rig.engine.world.pauses.pause(rig.now)
    watch.look(rig.now)
    rig.simulated.faults.make_readable("pauses")

    watch.look(rig.now)

    assert ["pause.unreadable", "pause.ended"] == events(stream)
