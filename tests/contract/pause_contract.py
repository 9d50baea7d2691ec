"""The contract of PauseReader and PauseWriter: import the class into a test module that has a `rig` fixture.

A rig is a kill switch that was never thrown.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import Pause
from runbook_engine.ports import PauseReader, PauseWriter

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)
PAUSE = Pause(until=NOW + HALF_AN_HOUR, by="alice", reason="deploy in progress")


class PauseRig(Protocol):
    """What an adapter brings to be judged."""

    reader: PauseReader
    writer: PauseWriter

    def spoil(self) -> None:
        """Replace what is stored by something that cannot be read."""


class PauseContract:
    """What every kill switch does alike."""

    def test_nothing_is_paused_when_it_was_never_thrown(self, rig: PauseRig) -> None:
        """Absence is an answer, and not an error."""
        assert rig.reader.pause(NOW) is None

    def test_pause_is_in_force_until_it_expires(self, rig: PauseRig) -> None:
        """A lease: it ends by itself, to the second."""
        rig.writer.throw(PAUSE)

        assert PAUSE == rig.reader.pause(NOW)
        assert PAUSE == rig.reader.pause(PAUSE.until - timedelta(seconds=1))
        assert rig.reader.pause(PAUSE.until) is None

    def test_pause_is_over_when_it_was_lifted(self, rig: PauseRig) -> None:
        """Lifting it twice is harmless."""
        rig.writer.throw(PAUSE)

        rig.writer.lift()
        rig.writer.lift()

        assert rig.reader.pause(NOW) is None

    def test_lifting_is_harmless_when_nothing_was_thrown(self, rig: PauseRig) -> None:
        """There is nothing to end."""
        rig.writer.lift()

        assert rig.reader.pause(NOW) is None

    def test_pause_is_replaced_when_it_is_thrown_again(self, rig: PauseRig) -> None:
        """The last word counts, also right after the switch was lifted."""
        later = Pause(until=NOW + 2 * HALF_AN_HOUR, by="bob")
        rig.writer.throw(PAUSE)
        rig.writer.lift()

        rig.writer.throw(later)

        assert later == rig.reader.pause(NOW)

    @pytest.mark.parametrize("reason", ["{{ x }}", 'say "hi"\n}}}', "ünïcode ✓ {{{", ""], ids=repr)
    def test_reason_is_kept_when_it_is_unusual(self, rig: PauseRig, reason: str) -> None:
        """Whatever a person types, it stops everything and comes back as typed."""
        pause = Pause(until=PAUSE.until, by="alice", reason=reason)

        rig.writer.throw(pause)

        assert pause == rig.reader.pause(NOW)

    def test_switch_counts_as_unreadable_when_it_is_spoilt(self, rig: PauseRig) -> None:
        """What cannot be read is not the absence of a pause; throwing and lifting still work."""
        rig.writer.throw(PAUSE)
        rig.spoil()
        with pytest.raises(Unreadable):
            rig.reader.pause(NOW)

        rig.writer.lift()

        assert rig.reader.pause(NOW) is None
