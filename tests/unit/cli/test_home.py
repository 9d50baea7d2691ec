"""Bare `runbook`: what needs you, looked at just now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec

from runbook_engine.errors import Unreadable
from runbook_engine.model.runbook import Approval
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, runbook
from tests.unit.cli.desks import Sitting

ASKS = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)))


def _asking(folder: Path) -> Sitting:
    sitting = Sitting(folder, runbook(steps=(DEGRADE, ASKS)))
    sitting.rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    sitting.rig.simulated.release(sitting.rig.target(), by="ci/alice")
    sitting.rig.simulated.push(4 * MINUTE)
    sitting.rig.fire(cluster="local")
    sitting.rig.run(3 * MINUTE)
    return sitting


def test_the_first_screen_looks_at_the_signal_and_at_what_others_changed(tmp_path: Path) -> None:
    """The figures are of now, the reason is from before the alert."""
    shown = _asking(tmp_path).run().out

    assert shown.startswith("NEEDS YOU by 09:16:00 UTC (9m)   local · apps · CheckoutHighErrorRate · firing 3m\n")
    assert "Now   checkout:error_ratio 0.08 (goal below 0.02), was 0.12   " in shown
    assert "   data 0s old\n" in shown
    assert "Why?  release 2 by ci/alice 09:00:00, 4m before the alert\n" in shown
    assert shown.endswith("Engine: not paused, ceiling auto\n")


def test_the_first_screen_survives_signals_that_cannot_be_read(tmp_path: Path) -> None:
    """What needs you is shown whatever is down."""
    sitting = _asking(tmp_path)
    sitting.rig.simulated.fail_next("metrics.query", Unreadable("prometheus does not answer"), times=9)
    sitting.rig.simulated.fail_next("changes.changes", Unreadable("no audit log"), times=9)
    sitting.rig.simulated.fail_next("pauses.pause", Unreadable("the pause file is corrupt"), times=9)

    result = sitting.run()

    assert 0 == result.code
    assert "prometheus does not answer" in result.out
    assert "Why?  changes by others cannot be read: no audit log\n" in result.out
    assert "Engine: counts as paused, the pause file is corrupt" in result.out


def test_the_first_screen_says_that_nobody_drives(tmp_path: Path) -> None:
    """What is due for half a minute is driven by nobody."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire()
    sitting.rig.simulated.push(MINUTE)

    assert sitting.run().out.endswith("1 due and driven by nobody: start runbook serve\n")


def test_the_first_screen_before_anything_happened_creates_nothing(tmp_path: Path) -> None:
    """It says where to begin."""
    sitting = Sitting(tmp_path)

    result = sitting.run("--state", str(tmp_path / "none"))

    assert 0 == result.code
    assert result.out.startswith("Nothing needs you. Nothing has happened here yet.\n\n  runbook demo  ")
    assert not (tmp_path / "none").exists()
