"""Recording: what was decided is stored, decided again when somebody was faster, and never when there is no room."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.errors import Overloaded, StaleVersion
from runbook_engine.intake.recording import Recorder
from runbook_engine.model.incident import Intake
from runbook_engine.model.storm import Latch
from runbook_engine.testing.memory_journal import MemoryJournal


class Refusing(MemoryJournal):
    """A journal that raises these first."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def record(self, intake: Intake) -> None:
        """Store, or refuse."""
        if self.errors:
            raise self.errors.pop(0)
        super().record(intake)


def test_a_delivery_is_decided_again_when_somebody_was_faster() -> None:
    """What was read is no longer so; it gives way a little longer each time."""
    journal, built, pauses = Refusing(StaleVersion("moved"), StaleVersion("moved")), [], []

    def build() -> Intake:
        built.append(len(built))
        return Intake(latch=Latch(reason=f"try {len(built)}"))

    stored = Recorder(journal, give_way=pauses.append).record(build)

    assert ([0, 1, 2], [0, 1]) == (built, pauses)
    assert "try 3" == journal.latch().reason
    assert stored.latch is not None


def test_a_delivery_is_not_decided_again_when_the_journal_has_no_room() -> None:
    """The journal waited already, and its sender, who is told when to send it again, holds the alert."""
    busy = Overloaded("table runbooks takes no more at the moment: Rate exceeded", timedelta(seconds=7))
    journal, pauses = Refusing(busy, AssertionError("asked again")), []

    with pytest.raises(Overloaded) as caught:
        Recorder(journal, give_way=pauses.append).record(lambda: Intake(latch=Latch(reason="never")))

    assert busy is caught.value
    assert [] == pauses
    assert Latch() == journal.latch()
