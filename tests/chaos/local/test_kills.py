"""SIGKILL at random moments: of the installed runner as a whole, and of its children, while a crowd of alerts comes in.

The long form (`make chaos`) kills each a thousand times, over ten installations, so that a failure has a small journal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.local.oracle import Verdict
from tests.chaos.local.rounds import Rounds, installed, kill_children, kill_runners
from tests.chaos.tally import LONG, SEED, Tally, keep, tries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200 if LONG else 300)]

AT_ONCE = 100  # kills of one installation
COUNTED = ("effects", "lost", "doubled", "doubtful", "unpaged", "broken")


@pytest.mark.parametrize(
    ("fault", "kill", "kills"),
    [
        pytest.param("SIGKILL of the runner", kill_runners, tries(2, 1000), id="the runner, with all its processes"),
        pytest.param("SIGKILL of worker and web", kill_children, tries(2, 1000), id="its worker and its web process"),
    ],
)
def test_no_effect_is_lost_or_doubled_when_it_is_killed_at_random(
    fault: str, kill: Callable[[Rounds, int], None], kills: int, tmp_path: Path
) -> None:
    """What was answered 202 is done exactly once at the target, or unknown and paged; the trail verifies."""
    verdicts: list[Verdict] = []
    for first in range(0, kills, AT_ONCE):
        some = min(AT_ONCE, kills - first)
        verdicts.append(live(tmp_path / f"installation-{first}", kill, some, SEED + first))
        row = keep(tally(fault, first + some, verdicts))  # so that a night that is cut short has its row

        assert [] == [finding for verdict in verdicts for finding in verdict.findings], SEED
        assert row.sound, SEED


def tally(fault: str, kills: int, verdicts: list[Verdict]) -> Tally:
    """Return the row of all installations so far."""
    counted = {name: sum(getattr(verdict, name) for verdict in verdicts) for name in COUNTED}
    withheld = sum(verdict.withheld for verdict in verdicts)
    remark = f"{withheld} more withheld and paged: another run of the runbook ended unknown" if withheld else ""
    return Tally(fault=fault, host="local", tries=kills, remark=remark, **counted)


def live(folder: Path, kill: Callable[[Rounds, int], None], kills: int, seed: int) -> Verdict:
    """Return what came of one installation that was killed so often."""
    with installed(folder, seed) as rounds:
        kill(rounds, kills)
        return rounds.rest()
