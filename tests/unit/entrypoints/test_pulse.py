"""The pulse: silence of a child that could have spoken, and nothing else, is a hang."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.entrypoints.pulse import Pulse
from runbook_engine.entrypoints.storage import PROBE


@pytest.fixture
def pulse(tmp_path: Path) -> Pulse:
    """The pulse of a child that was started a moment ago, whose predecessor has left a heartbeat."""
    (tmp_path / "worker.json").write_text("old")
    begun = Pulse(tmp_path / "worker.json", limit=3.0)
    begun.begin(100.0)
    return begun


def _beat(pulse: Pulse, said: str) -> None:
    beside = pulse.file.with_name("beside")
    beside.write_text(said)
    beside.replace(pulse.file)


def test_pulse_is_lost_when_nothing_is_felt_for_longer_than_the_limit(pulse: Pulse) -> None:
    """The heartbeat that its predecessor has left counts for nothing."""
    lost = [pulse.is_lost(100.0 + second) for second in (1, 2, 3, 3.5)]

    assert [False, False, False, True] == lost


def test_pulse_is_felt_when_the_file_changes(pulse: Pulse) -> None:
    """Whatever time it says: the clock of the machine may have jumped."""
    before = [pulse.is_lost(100.0 + second) for second in (1, 2, 3)]

    _beat(pulse, "new")

    assert [False] * 7 == [*before, *(pulse.is_lost(103.5 + second) for second in (0, 1, 2, 3))]
    assert pulse.is_lost(107.5)


def test_pulse_is_not_lost_when_the_supervisor_was_asleep_too(pulse: Pulse) -> None:
    """A machine that was suspended for an hour wakes both of them; the child has the whole limit then."""
    lost = [pulse.is_lost(second) for second in (3700.0, 3701.0, 3701.9, 3703.0)]

    assert [False, False, False, True] == lost


def test_pulse_is_not_lost_when_no_heartbeat_can_be_written(pulse: Pulse, tmp_path: Path) -> None:
    """On a full disk a worker that is killed would not go round either."""
    (tmp_path / PROBE).mkdir()

    assert not any(pulse.is_lost(100.0 + second) for second in range(9))


def test_pulse_begins_anew_when_the_child_is_started_again(pulse: Pulse) -> None:
    """The next one has the whole limit too."""
    for second in (1, 2, 3):
        pulse.is_lost(100.0 + second)

    pulse.begin(104.0)

    assert [False, False, False, True] == [pulse.is_lost(104.0 + second) for second in (1, 2, 3, 3.5)]
