"""Every runbook of the checkout, killed at every place: what it does does not depend on who lives.

`RUNBOOK_TESTS=long` kills at every place; the short form once at every kind of place, and at a sample of the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import load_valid_files
from runbook_engine.registry import Registry
from tests.crash.cases import Case
from tests.crash.host import Host
from tests.crash.invariants import assert_sound, intents
from tests.crash.mortality import Mortality
from tests.length import LONG

pytestmark = pytest.mark.slow  # several hundred runs

SHIPPED = Path(__file__).parents[2] / "runbooks"
STRIDE = 7
BAD = 50.0  # seconds, errors or crashes: far above what any of them allows
EFFECTS = {
    "checkout-high-error-rate": ("flag true", "replicas 6", "revision 1", "flag false", "replicas 4"),
    "checkout-high-latency": ("replicas 6", "replicas 4"),
    "checkout-crash-looping": ("restart restart-1", "revision 1"),
}
HEALED_BY = {
    "checkout-high-error-rate": "rolled back",
    "checkout-high-latency": "scaled",
    "checkout-crash-looping": "rolled back",
}


@pytest.fixture(scope="module")
def shipped() -> dict[str, Case]:
    """Return a case for every runbook of the checkout, the last of its steps being the one that heals."""
    bundle = load_valid_files([SHIPPED / "checkout"], Registry(), SHIPPED / "engine.yaml").bundle
    return {
        runbook.name: Case(
            name=runbook.name,
            runbook=runbook,
            healed_by=(HEALED_BY[runbook.name],),
            effects=EFFECTS[runbook.name],
            compensation="none" if runbook.name == "checkout-crash-looping" else "undone",
            queries=("checkout:error_ratio", "checkout:latency_p99", "checkout:crash_rate"),
            bad=BAD,
        )
        for runbook in bundle.runbooks
    }


def test_every_shipped_runbook_is_killed_here(shipped: dict[str, Case]) -> None:
    """A new runbook needs its effects named above."""
    assert set(EFFECTS) == set(shipped)


@pytest.mark.parametrize("name", EFFECTS)
def test_no_effect_of_a_shipped_runbook_is_lost_or_doubled(name: str, shipped: dict[str, Case], tmp_path: Path) -> None:
    """At any place, one death: the same effects, the same end, a whole trail."""
    case = shipped[name]
    undisturbed = _play(case, tmp_path, 0)
    assert case.effects == undisturbed.effects
    assert ("succeeded", case.compensation) == (undisturbed.execution.status, undisturbed.execution.compensation)
    begun = intents(undisturbed.journal.audit(undisturbed.execution.id))

    for death in deaths(undisturbed.mortality.passed):
        host = _play(case, tmp_path, death)

        place = f"killed at {death}, {host.mortality.died_at}"
        assert case.effects == host.effects, place
        assert undisturbed.told == host.told, place
        assert ("succeeded", case.compensation) == (host.execution.status, host.execution.compensation), place
        assert begun == intents(host.journal.audit(host.execution.id)), place
        assert_sound(host.journal)


def deaths(places: list[str]) -> list[int]:
    """Return where to die: everywhere, or the first of every kind of place and a sample."""
    first = {place: number for number, place in reversed(list(enumerate(places, 1)))}
    sampled = range(1, len(places) + 1, 1 if LONG else STRIDE)
    return sorted({*first.values(), *sampled})


def _play(case: Case, folder: Path, death: int) -> Host:
    own = folder / str(death)
    own.mkdir()
    return Host(case, own, Mortality(death)).play()
